"""What the benchmarks share: measurements, timing, and the small grid that they run on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import yaml

from reassess.core.errors import ReassessError, unknown
from reassess.core.files import write_json
from reassess.core.manifest import hardware, versions
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.training.checkpoints import describe
from reassess.training.loading import save_checkpoint
from reassess.workflow.jobs import BuildPool, BuildTokenizer, FreezeRows, GatherTraces, PrepareRows
from reassess.workflow.jobs.job import NoKey, TracesKey
from reassess.worlds.micro.models import build_model

MODEL = "llava-w64"
REPEATS = 3
STUDIES = ("capacity", "scale", "distribution", "transfer", "reward", "controls")


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes:
        name: what is measured.
        ours: its value.
        baseline: that of the baseline, if there is one.
        unit: of both.
        against: what the baseline is, or a remark where there is none.
    """

    name: str
    ours: float
    baseline: float | None
    unit: str
    against: str

    def line(self) -> str:
        """The measurement as a line of text."""
        shown = f"{self.name:28} {self.ours:9.3f} {self.unit}"
        if self.baseline is None:
            return f"{shown}   ({self.against})"
        ratio = self.ours / self.baseline
        return f"{shown}   against {self.baseline:9.3f}: ratio {ratio:5.2f}   ({self.against})"


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


def write_measurements(measurements: Sequence[Measurement], out: Path | None) -> None:
    """Write measurements with hardware and versions as JSON, if there is a file to write."""
    if out is None:
        return
    figures = [asdict(measurement) for measurement in measurements]
    write_json(out, {"figures": figures, "hardware": hardware(), "versions": versions()})


def seconds_of(act: Callable[[], object]) -> float:
    """The time that a call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def paired(ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[float, float]:
    """Medians of both, measured in turn, so that a drift of the machine's speed affects both."""
    pairs = [(ours(), baseline()) for _ in range(REPEATS)]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


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
        "world": {"pool_rows": 640, "split_items": 50, "probe_items": 20},
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
