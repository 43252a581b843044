"""What the benchmarks share: measurements, timing, and the small grid that they run on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import yaml

from reassess.core.errors import ReassessError, unknown
from reassess.core.files import write_json
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.training.checkpoints import describe
from reassess.training.loading import save_checkpoint
from reassess.workflow.jobs import BuildPool, BuildTokenizer, FreezeRows, GatherTraces, PrepareRows
from reassess.workflow.jobs.job import NoKey, TracesKey
from reassess.worlds.micro.models import build_model

MODEL = "llava-w64"
PAIRS = 5  # of ours and baseline
STUDIES = ("capacity", "scale", "distribution", "transfer", "reward", "controls")


Ratios = tuple[float, float, float]  # the smallest, the median, the largest of the pairs


class Repeat(NamedTuple):
    """What was measured one after the other, so that a drift of the machine's speed affects all."""

    ours: float
    baseline: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One measurement, and what it is measured against in the same run.

    Attributes:
        name: what is measured.
        unit: of all its values.
        repeats: the values.
        baseline: what the baseline is, or a remark where there is none.
        limit: what the limit is: work that bounds it.
        less_is_faster: of times, but not of rates.
    """

    name: str
    unit: str
    repeats: tuple[Repeat, ...]
    baseline: str
    limit: str = ""
    less_is_faster: bool = True

    @classmethod
    def once(
        cls, name: str, ours: float, unit: str, remark: str, limit: float | None = None
    ) -> Measurement:
        """A measurement without repeats; the remark names its limit, if it has one."""
        texts = (remark, "") if limit is None else ("", remark)
        return cls(name, unit, (Repeat(ours, None, limit),), *texts, less_is_faster=unit == "s")

    @property
    def ours(self) -> float:
        """The median of our values."""
        return median(one.ours for one in self.repeats)

    @property
    def speedup(self) -> Ratios | None:
        """How many times as fast as the baseline, pair by pair; None without a baseline."""
        return self._ratios([(one.ours, one.baseline) for one in self.repeats])

    @property
    def share_of_limit(self) -> Ratios | None:
        """How fast, as a share of the limit's speed, pair by pair; None without a limit."""
        return self._ratios([(one.ours, one.limit) for one in self.repeats])

    def _ratios(self, pairs: Sequence[tuple[float, float | None]]) -> Ratios | None:
        ratios = [
            other / ours if self.less_is_faster else ours / other
            for ours, other in pairs
            if other is not None
        ]
        return (min(ratios), median(ratios), max(ratios)) if ratios else None

    def line(self) -> str:
        """The measurement as a line of text."""
        shown = f"{self.name:28} {self.ours:9.3f} {self.unit}"
        if self.speedup is None:
            shown += f"   ({self.baseline})" if self.baseline else ""
        else:
            shown += f"   {ranged(self.speedup)} times as fast as {self.baseline}"
        if self.share_of_limit is not None:
            shown += f"; {ranged(self.share_of_limit)} of the speed of {self.limit}"
        return shown


def ranged(ratios: Ratios) -> str:
    """Ratios as text: the median, and the range of the pairs if there are several."""
    low, middle, high = map(digits, ratios)
    return middle if low == high else f"{middle} ({low} to {high})"


def digits(value: float) -> str:
    """A number above 0 with three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def chosen(only: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names of benchmarks in `only`, in the order of `names`; all if it is empty.

    Raises:
        ReassessError: there is no such benchmark.
    """
    names = list(names)
    for name in only:
        if name not in names:
            raise ReassessError(unknown("benchmark", name, names))
    return [name for name in names if not only or name in only]


def seconds_of(act: Callable[[], object]) -> float:
    """The time that a call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def repeated(
    ours: Callable[[], float],
    baseline: Callable[[], float] | None = None,
    limit: Callable[[], float] | None = None,
    pairs: int = PAIRS,
) -> tuple[Repeat, ...]:
    """Measure all of them in turn, `pairs` times."""
    return tuple(Repeat(ours(), baseline and baseline(), limit and limit()) for _ in range(pairs))


def small_grid(folder: Path) -> Grid:
    """A grid with a small pool, a base of fresh weights, and preprocessed rows."""
    study = {
        "question": "how fast?",
        "models": [MODEL],
        "methods": ["base", "random-choice", "sft", "grpo"],
        "sizes": [600],
    }
    config = {
        "extends": str(ROOT / "config.yaml"),
        "results": str(folder / "results"),
        "scratch": str(folder / "scratch"),
        "world": {"pool_rows": 640, "split_items": 50, "main_items": None, "probe_items": 20},
        "distributions": {
            "same-family": {"source": "rendered", "style": "native"},
            "foreign": None,
        },
        "studies": {"only": study, **dict.fromkeys(STUDIES)},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    grid = Grid.load(path)
    BuildPool(grid).run(NoKey())
    BuildTokenizer(grid).run(NoKey())
    model, processor = build_model("llava", 64, 1, grid.paths.tokenizer)
    save_checkpoint(model, processor, grid.paths.base(MODEL))
    write_json(grid.paths.base_manifest(MODEL), dict(describe(grid.paths.base(MODEL))))
    for job in (GatherTraces(grid), FreezeRows(grid), PrepareRows(grid)):
        job.run(TracesKey("llava", "same-family"))
    return grid
