"""`reassess bench`: speed, each figure as a ratio against a baseline that is timed in the same run.

Works on a small copy of the world in a temporary folder, with models of width 64 and fresh weights, so it needs no earlier run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from reassess.core.errors import ReassessError, unknown
from reassess.core.files import write_json
from reassess.core.manifest import ROOT, hardware, versions
from reassess.grid.study import Grid
from reassess.workflow.jobs import BuildPool, BuildTokenizer, FreezeRows, GatherTraces, PrepareRows
from reassess.workflow.jobs.job import NoKey, TracesKey
from reassess.workflow.jobs.train import training_run

MODEL = "llava-w64"
REPEATS = 3


@dataclass(frozen=True)
class Figure:
    """One measurement: ours, the baseline, what each is, and the unit."""

    name: str
    ours: float
    baseline: float | None
    unit: str
    against: str

    def line(self) -> str:
        """Return the measurement as a line of text."""
        shown = f"{self.name:28} {self.ours:9.3f} {self.unit}"
        if self.baseline is None:
            return f"{shown}   ({self.against})"
        return f"{shown}   against {self.baseline:9.3f}: ratio {self.ours / self.baseline:5.2f}   ({self.against})"


def benchmark(grid: Grid, only: list[str], out: Path | None) -> list[Figure]:
    """Run the benchmarks named in `only` (default: all), print them, and write them to `out`."""
    for name in only:
        if name not in BENCHMARKS:
            raise ReassessError(unknown("benchmark", name, BENCHMARKS))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="reassess-bench-") as folder:
        world = _small_world(Path(folder))
        for name, measure in BENCHMARKS.items():
            if not only or name in only:
                for figure in measure(world):
                    print(figure.line(), flush=True)
                    figures.append(figure)
    write_figures(figures, out)
    return figures


def write_figures(figures: list[Figure], out: Path | None) -> None:
    """Write figures with hardware and versions as JSON, if there is a file to write."""
    if out is not None:
        write_json(
            out,
            {
                "figures": [asdict(one) for one in figures],
                "hardware": hardware(),
                "versions": versions(),
            },
        )


def _small_world(folder: Path) -> Grid:
    """Return a grid with a small pool, a base of fresh weights, and prepared rows."""
    from reassess.training.loading import save_checkpoint
    from reassess.worlds.micro.models import build_model

    config = {
        "extends": str(ROOT / "config.yaml"),
        "results": str(folder / "results"),
        "scratch": str(folder / "scratch"),
        "world": {"pool_rows": 640, "split_items": 50, "probe_items": 20},
        "distributions": {
            "same-family": {"source": "rendered", "style": "native"},
            "foreign": None,
        },
        "studies": {
            "only": {
                "question": "how fast?",
                "models": [MODEL],
                "methods": ["base", "random-choice", "sft", "grpo"],
                "sizes": [600],
            },
            **dict.fromkeys(
                ("capacity", "scale", "distribution", "transfer", "reward", "controls")
            ),
        },
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    grid = Grid.load(path)
    BuildPool(grid).run(NoKey())
    BuildTokenizer(grid).run(NoKey())
    model, processor = build_model("llava", 64, 1, grid.paths.tokenizer)
    save_checkpoint(model, processor, grid.paths.base(MODEL))
    for job in (GatherTraces(grid), FreezeRows(grid), PrepareRows(grid)):
        job.run(TracesKey("llava", "same-family"))
    return grid


def _time(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _paired(ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[float, float]:
    """Return the medians of both, measured in turn, so that a machine whose speed drifts treats them alike."""
    pairs = [(ours(), baseline()) for _ in range(REPEATS)]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


def _sft(grid: Grid) -> list[Figure]:
    import torch

    from reassess.training.engine import row_order
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings

    steps = 40
    run = training_run(grid, grid.cell(f"{MODEL}/same-family/600/sft/seed1"))
    settings = SftSettings(max_steps=steps, save_every=10_000)
    order = row_order(len(run.rows), settings.batch_size * steps, 1)

    def ours() -> float:
        run.load()
        with tempfile.TemporaryDirectory() as work:
            history, _ = train_sft(
                run.model, run.processor, run.rows, settings, order_seed=1, work=Path(work)
            )
        return history.totals["seconds"] / steps

    def bare() -> float:
        run.load()
        model, processor = run.model, run.processor
        model.train()
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0
        )
        started = time.perf_counter()
        for step in range(steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            model(
                **run.rows.sft_batch(rows, processor.tokenizer.pad_token_id), use_cache=False
            ).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return (time.perf_counter() - started) / steps

    return [Figure("SFT step", *_paired(ours, bare), "s", "bare PyTorch loop on the same tensors")]


def _grpo(grid: Grid) -> list[Figure]:
    from reassess.bench.stock import train_stock_grpo
    from reassess.training.rl import train_grpo
    from reassess.training.rl_settings import RlSettings

    steps = 8
    run = training_run(grid, grid.cell(f"{MODEL}/same-family/600/grpo/seed1"))
    settings = RlSettings(max_steps=steps, save_every=10_000)

    def measure(train: Callable[..., Any]) -> Callable[[], float]:
        def one() -> float:
            run.load()
            with tempfile.TemporaryDirectory() as work:
                arguments = {"order_seed": 1, "sampling_seed": 1, "work": Path(work)}
                return (
                    _time(
                        lambda: train(
                            run.model, run.processor, run.rows, run.items, settings, **arguments
                        )
                    )
                    / steps
                )

        return one

    return [
        Figure(
            "GRPO step",
            *_paired(measure(train_grpo), measure(train_stock_grpo)),
            "s",
            "TRL's GRPOTrainer, same prompts",
        )
    ]


def _startup(grid: Grid) -> list[Figure]:
    """Score the random control, which is nearly all start-up, with and without the warm server."""
    from reassess.workflow.run import fork_server

    command = [
        sys.executable,
        "-m",
        "reassess.cli.entry",
        "job",
        "evaluate",
        "--config",
        str(grid.source),
        "--cell",
        f"{MODEL}/random-choice/seed1",
    ]

    def once() -> float:
        return _time(lambda: subprocess.run(command, check=True, capture_output=True))

    alone = median(once() for _ in range(2))
    with fork_server():
        once()  # the first waits for the server's own imports
        warm = median(once() for _ in range(REPEATS))
    return [Figure("job start-up", warm, alone, "s", "the same job in a process of its own")]


def _evaluation(grid: Grid) -> list[Figure]:
    """Score six benchmarks in one process, against one process a benchmark."""
    cell = f"{MODEL}/base/seed1"

    def command(config: Path) -> float:
        words = [
            sys.executable,
            "-m",
            "reassess.cli.entry",
            "job",
            "evaluate",
            "--config",
            str(config),
            "--cell",
            cell,
        ]
        return _time(lambda: subprocess.run(words, check=True, capture_output=True))

    together = command(grid.source)
    apart = 0.0
    for name in grid.config.evaluation.benchmarks:
        path = grid.source.with_name(f"{name}.yaml")
        path.write_text(
            yaml.safe_dump({"extends": str(grid.source), "evaluation": {"benchmarks": [name]}})
        )
        apart += command(path)
    return [Figure("evaluation, six benchmarks", together, apart, "s", "one process a benchmark")]


def _dry_run(grid: Grid) -> list[Figure]:
    """Plan large grids; the two sizes show how the time grows."""
    figures = []
    for cells, limit in ((1_000, 10), (10_000, 60)):
        path = grid.source.with_name(f"dry{cells}.yaml")
        path.write_text(yaml.safe_dump(large_grid(cells, grid.source.parent)))
        words = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--cores",
            "1",
            "--dry-run",
            "--quiet",
            "all",
        ]
        words += ["--config", f"config={path}", "--", "cells"]
        seconds = _time(lambda words=words: subprocess.run(words, check=True, capture_output=True))  # type: ignore[misc]
        figures.append(
            Figure(f"dry run, {cells} cells", seconds, None, "s", f"aim: under {limit} s")
        )
    return figures


def large_grid(cells: int, folder: Path) -> dict[str, Any]:
    """Return a config of about so many trained cells: one model, one size, two arms, many seeds."""
    none = dict.fromkeys(("capacity", "scale", "distribution", "transfer", "reward", "controls"))
    seeds = list(range(1, cells // 2 + 1))
    study = {
        "question": "how large?",
        "models": [MODEL],
        "methods": ["sft", "grpo"],
        "sizes": [20],
        "seeds": seeds,
    }
    places = {"results": str(folder / "large"), "scratch": str(folder / "large-scratch")}
    return {"extends": str(ROOT / "config.yaml"), **places, "studies": {"large": study, **none}}


def _pool(grid: Grid) -> list[Figure]:
    """Decode, hash and screen pictures of the sizes that public sets have: drawings as PNG, photographs as JPEG."""
    from concurrent.futures import ProcessPoolExecutor
    from io import BytesIO

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    from reassess.worlds.hub.overlap import image_hash
    from reassess.worlds.hub.pool import Report, Screen, read_items
    from reassess.worlds.hub.source import find_source
    from reassess.worlds.hub.testing.drawing import picture

    rows, generator = 1200, np.random.default_rng(1)
    encoded = [picture("bench", number, side=400) for number in range(rows // 2)]
    for _ in range(rows - len(encoded)):
        small = Image.fromarray(generator.integers(0, 256, size=(12, 16, 3), dtype=np.uint8))
        held = BytesIO()
        small.resize((640, 480), Image.Resampling.BICUBIC).save(held, format="JPEG", quality=90)
        encoded.append(held.getvalue())
    source = find_source("geometry3k")
    folder = grid.source.parent / "snapshot"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    table = [
        {**source.example(number), "images": [{"bytes": one, "path": ""}]}
        for number, one in enumerate(encoded)
    ]
    pq.write_table(pa.Table.from_pylist(table), folder / "data/train-00000.parquet")

    with ProcessPoolExecutor(2) as workers:
        tests = list(read_items("geometry3k", source, folder, Report(), workers, 200))

        def ours() -> float:
            def build() -> None:
                items = list(read_items("geometry3k", source, folder, Report(), workers))
                Screen({"bench": tests}, 13, 10).clean(items)

            return rows / _time(build)

        def baseline() -> float:
            return rows / _time(lambda: [image_hash(_whole(one)) for one in encoded])

        def _whole(one: bytes) -> bytes:
            held = BytesIO()
            Image.open(BytesIO(one)).convert("RGB").save(held, format="BMP")
            return held.getvalue()

        found = _paired(ours, baseline)
    about = "one process that decodes every picture whole; aim: 1,000 a second"
    return [Figure("pool, pictures", *found, "a second", about)]


BENCHMARKS: dict[str, Callable[[Grid], list[Figure]]] = {
    "sft": _sft,
    "grpo": _grpo,
    "startup": _startup,
    "evaluation": _evaluation,
    "dry-run": _dry_run,
    "pool": _pool,
}
