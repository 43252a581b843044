"""What surrounds the work of a job: start-up, processes, and planning a large grid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import yaml

from reassess.bench.common import MODEL, REPEATS, STUDIES, Measurement, seconds_of
from reassess.core.files import Json
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.workflow.run import fork_server


def startup(grid: Grid) -> list[Measurement]:
    """Scoring the random control, which is nearly all start-up, with and without fork server."""

    def once() -> float:
        return _evaluation_seconds(grid.source, f"{MODEL}/random-choice/seed1")

    alone = median(once() for _ in range(2))
    with fork_server():
        once()  # the first waits for the server's own imports
        warm = median(once() for _ in range(REPEATS))
    return [Measurement("job start-up", warm, alone, "s", "the same job in a process of its own")]


def evaluation(grid: Grid) -> list[Measurement]:
    """Scoring six benchmarks in one process, against one process a benchmark."""
    cell = f"{MODEL}/base/seed1"
    together = _evaluation_seconds(grid.source, cell)
    apart = 0.0
    for name in grid.config.evaluation.benchmarks:
        path = grid.source.with_name(f"{name}.yaml")
        config = {"extends": str(grid.source), "evaluation": {"benchmarks": [name]}}
        path.write_text(yaml.safe_dump(config))
        apart += _evaluation_seconds(path, cell)
    about = "one process a benchmark"
    return [Measurement("evaluation, six benchmarks", together, apart, "s", about)]


def _evaluation_seconds(config: Path, cell: str) -> float:
    arguments = ["job", "evaluate", "--config", str(config), "--cell", cell]
    return _command_seconds(["reassess.cli.entry", *arguments])


def _command_seconds(module: Sequence[str]) -> float:
    """The time of a module of Python that is run with arguments."""
    command = [sys.executable, "-m", *module]
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True))


def dry_run(grid: Grid) -> list[Measurement]:
    """Planning large grids; two sizes show how the time grows."""
    measurements = []
    for cells, limit in ((1_000, 10), (10_000, 60)):
        path = grid.source.with_name(f"dry{cells}.yaml")
        path.write_text(yaml.safe_dump(large_grid(cells, grid.source.parent)))
        options = ["--cores", "1", "--dry-run", "--quiet", "all", "--config", f"config={path}"]
        snakefile = str(ROOT / "Snakefile")
        seconds = _command_seconds(["snakemake", "--snakefile", snakefile, *options, "--", "cells"])
        name, about = f"dry run, {cells} cells", f"aim: under {limit} s"
        measurements.append(Measurement(name, seconds, None, "s", about))
    return measurements


def large_grid(cells: int, folder: Path) -> Json:
    """A config of about `cells` trained cells: one model, one size, two arms, many seeds."""
    study = {
        "question": "how large?",
        "models": [MODEL],
        "methods": ["sft", "grpo"],
        "sizes": [20],
        "seeds": list(range(1, cells // 2 + 1)),
    }
    return {
        "extends": str(ROOT / "config.yaml"),
        "results": str(folder / "large"),
        "scratch": str(folder / "large-scratch"),
        "studies": {"large": study, **dict.fromkeys(STUDIES)},
    }
