"""What surrounds the work of a job: start-up, processes, and planning a large grid."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import yaml

from reassess.bench.common import MODEL, STUDIES, Measurement, repeated, seconds_of
from reassess.core.files import Json
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.workflow.run import fork_server


def startup(grid: Grid) -> list[Measurement]:
    """Scoring the random control, which is nearly all start-up, with and without fork server."""

    cell = f"{MODEL}/random-choice/seed1"
    without = dict(os.environ)
    with fork_server():
        _evaluation_seconds(grid.source, cell)  # the first waits for the server's own imports
        repeats = repeated(
            lambda: _evaluation_seconds(grid.source, cell),
            lambda: _evaluation_seconds(grid.source, cell, without),
            lambda: _python_seconds("pass"),
        )
    about, limit = "the same job in a process of its own", "a Python process that does nothing"
    return [Measurement("job start-up", "s", repeats, about, limit)]


def evaluation(grid: Grid) -> list[Measurement]:
    """Scoring six benchmarks in one process, against one process a benchmark."""
    cell = f"{MODEL}/base/seed1"
    paths = []
    for name in grid.config.evaluation.benchmarks:
        path = grid.source.with_name(f"{name}.yaml")
        config = {"extends": str(grid.source), "evaluation": {"benchmarks": [name]}}
        path.write_text(yaml.safe_dump(config))
        paths.append(path)
    repeats = repeated(
        lambda: _evaluation_seconds(grid.source, cell),
        lambda: sum(_evaluation_seconds(path, cell) for path in paths),
        lambda: _python_seconds("import torch, transformers, lm_eval"),
    )
    about = "one process a benchmark"
    limit = "a process that imports torch, transformers and lm-eval"
    return [Measurement("evaluation, six benchmarks", "s", repeats, about, limit)]


def _evaluation_seconds(
    config: Path, cell: str, environment: Mapping[str, str] | None = None
) -> float:
    arguments = ["job", "evaluate", "--config", str(config), "--cell", cell]
    return _command_seconds(["reassess.cli.entry", *arguments], environment)


def _command_seconds(module: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """The time of a module of Python that is run with arguments."""
    command = [sys.executable, "-m", *module]
    return seconds_of(
        lambda: subprocess.run(command, check=True, capture_output=True, env=environment)
    )


def _python_seconds(code: str) -> float:
    return seconds_of(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def dry_run(grid: Grid) -> list[Measurement]:
    """Planning large grids, against Snakemake's own; two sizes show how the time grows."""
    measurements = []
    for cells in (1_000, 10_000):
        path = grid.source.with_name(f"dry{cells}.yaml")
        path.write_text(yaml.safe_dump(large_grid(cells, grid.source.parent)))
        ours = ["reassess.cli.entry", "run", "--dry-run", "--config", str(path)]
        same = ["--snakefile", str(ROOT / "Snakefile"), "--config", f"config={path}"]
        least = f"from reassess.grid.study import Grid; Grid.load({str(path)!r}).cells"
        repeats = repeated(
            partial(_command_seconds, ours),
            partial(_dry_run_seconds, same),
            partial(_python_seconds, least),
        )
        about = "Snakemake's own dry run of the same grid"
        limit = "a process that makes the grid's cells of its config"
        measurements.append(Measurement(f"dry run, {cells:,} cells", "s", repeats, about, limit))
    return measurements


def _dry_run_seconds(options: Sequence[str]) -> float:
    always = ["--cores", "1", "--dry-run", "--quiet", "all"]
    return _command_seconds(["snakemake", *always, *options, "--", "cells"])


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
