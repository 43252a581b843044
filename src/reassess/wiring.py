"""What the rules of the workflow need that is worth testing: which files a job reads, and what a signal to Snakemake does."""

from __future__ import annotations

import os
import signal
import threading
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from reassess.files import read_json
from reassess.grid import Cell, Grid

BUNDLE_FILES = ("scores.parquet", "history.parquet", "manifests.parquet", "study.json")
PLACEHOLDER = "CHANGE-ME"  # in a profile: what its site has to fill in
TABLES = ("main", "budgets", "costs", "cells")


def config_file(settings: Mapping[str, Any], given: Sequence[Any]) -> str:
    """Return the grid's config file: by `--config config=FILE`, by Snakemake's own `--configfile FILE`, or the default."""
    return str(settings.get("config") or (given[0] if given else "config.yaml"))


def shards_of(grid: Grid, family: str, distribution: str) -> list[Path]:
    """Return the shards that a family's traces are gathered from; nothing if the world gives them."""
    found = grid.config.distributions[distribution]
    shards = range(found.shards) if found.source == "teacher" else ()
    return [path for shard in shards for path in _pair(grid.shard_file(family, distribution, shard))]


def _pair(path: Path) -> tuple[Path, Path]:
    return path, path.with_suffix(".json")


def frozen_from(grid: Grid, family: str, distribution: str) -> list[Path]:
    """Return what freezing a family's rows in a distribution reads: the traces of all that share the questions, and the pool."""
    traces = [grid.traces_file(family, name) for name in grid.sharing_rows(distribution)]
    return [*traces, grid.pool_file(grid.world.train_split(distribution))]


def training_inputs(grid: Grid, cell: Cell) -> list[Path]:
    """Return what training a cell reads: its start, its rows, the pool and the probe."""
    start, family = grid.start(cell), grid.family(cell.model)
    return [
        grid.base_dir(cell.model) if start is None else grid.checkpoint_dir(start),
        grid.rows_file(family, str(cell.distribution)),
        grid.prepared_file(family, str(cell.distribution)),
        grid.pool_file(grid.world.train_split(str(cell.distribution))),
        grid.pool_file("probe"),
    ]


def evaluation_inputs(grid: Grid, cell: Cell) -> list[Path]:
    """Return what scoring a cell reads: its checkpoint, its manifest, the benchmarks."""
    manifest = [] if grid.kind(cell) == "none" else [grid.cell_dir(cell) / "train.json"]
    return [grid.checkpoint_dir(cell), *manifest, *(grid.pool_file(name) for name in grid.config.evaluation.benchmarks)]


def judge_inputs(grid: Grid, cell: Cell) -> list[Path]:
    """Return what judging a cell's answers reads: the answers, the judge, the questions."""
    return [
        grid.cell_dir(cell) / "predictions.parquet",
        grid.base_dir(str(grid.config.evaluation.judge)),
        *(grid.pool_file(name) for name in grid.config.evaluation.benchmarks),
    ]


def collected_files(grid: Grid, partial: bool) -> list[Path]:
    """Return what the bundle is made of: scores of every cell, judged ones too, or, if `partial`, those that are there."""
    names = ["scores.json", *(["judged.json"] if grid.config.evaluation.judge else [])]
    scores = [grid.cell_dir(cell) / name for cell in grid.cells.values() for name in names]
    return [path for path in scores if path.is_file()] if partial else scores


def begin(grid: Grid) -> None:
    """Do what every Snakemake of this project does before it looks at its files; the Snakefile calls it."""
    forget_interruption(grid)
    hand_on_signals()


def hand_on_signals() -> None:
    """Hand a SIGTERM that this Snakemake gets to the trainers below it, so that they save and leave.

    Slurm signals the processes it started itself and no others: of a job's step that is a Snakemake, which takes SIGTERM as a word
    to start nothing more, and tells nobody.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # beside whatever handler Snakemake sets
    threading.Thread(target=_hand_on, args=(reader,), daemon=True).start()


def _hand_on(reader: int) -> None:
    while heard := os.read(reader, 1):
        if heard[0] == signal.SIGTERM:
            tell(trainers())


def tell(processes: Sequence[psutil.Process]) -> None:
    """Send SIGTERM to processes; some may have ended meanwhile."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()


def trainers() -> list[psutil.Process]:
    """Return the training jobs below this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            words = process.cmdline()
            if "train" in words and any(Path(word).name == "reassess" for word in words):
                found.append(process)
    return found


def forget_interruption(grid: Grid, records: Path = Path(".snakemake/incomplete")) -> None:
    """Take back Snakemake's notes that a cell's files may be incomplete, where they are whole.

    A Snakemake that was killed leaves such notes; jobs on a cluster outlive it and finish their cells. Called again it would delete
    and make them anew. Manifest and scores are written last and at once, so a file of this spec says that all is there.
    """
    if not records.is_dir():
        return
    for cell in {**grid.cells, **grid.trained}.values():
        folder = grid.cell_dir(cell)
        jobs = {
            (folder / "train.json", grid.spec_hash): (folder / "history.parquet", grid.checkpoint_dir(cell)),
            (folder / "scores.json", grid.evaluation_hash): (folder / "predictions.parquet",),
        }
        for (last, spec_hash), others in jobs.items():
            noted = [record for path in (last, *others) if (record := _record(records, path)).is_file()]
            whole = noted and all(path.exists() for path in (last, *others))
            if whole and read_json(last).get("spec_hash") == spec_hash(cell):
                for record in noted:
                    record.unlink(missing_ok=True)


def _record(records: Path, path: Path) -> Path:
    """Return where Snakemake notes something of a file: its name in base 64, cut into pieces that a file name can hold."""
    longest = os.pathconf(records, "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, last = [name[start : start + longest] for start in range(0, len(name), longest)]
    return records.joinpath(*(f"@{folder}" for folder in folders), last)
