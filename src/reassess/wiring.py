"""What the workflow asks of the grid: which files a job reads. Logic of the rules that is worth testing stands here."""

from __future__ import annotations

import os
import signal
import threading
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import psutil

from reassess.files import read_json
from reassess.grid import Cell, Grid
from reassess.plan import Estimate

BUNDLE_FILES = ("scores.parquet", "history.parquet", "manifests.parquet", "study.json")
PLACEHOLDER = "CHANGE-ME"  # in a profile: what its site has to fill in
GRES = "REASSESS_GRES"  # at a site without `--gpus`: the name of its GPUs under `--gres`
TABLES = ("main", "budgets", "costs", "cells")


@dataclass(frozen=True)
class Demand:
    """The most that jobs of one rule ask for on their first attempt: GPUs, MiB, minutes."""

    rule: str
    gpus: int
    memory: int
    minutes: int


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


def train_minutes(grid: Grid, cell: Cell) -> int:
    """Return the minutes that a training job is given: half an hour, or twice its estimate."""
    return _minutes(grid.world.training_cost(grid, cell), 30)


def evaluate_minutes(grid: Grid, cell: Cell) -> int:
    """Return the minutes that an evaluation is given."""
    return _minutes(grid.world.evaluation_cost(grid, cell), 15)


def shard_minutes(grid: Grid, family: str, distribution: str) -> int:
    """Return the minutes that sampling a shard of traces is given."""
    return _minutes(grid.world.shard_cost(grid, family, distribution), 30)


def _minutes(estimate: Estimate, least: int) -> int:
    return max(least, ceil(2 * 60 * estimate.hours))


def memory(grid: Grid, cell: Cell | None = None) -> int:
    """Return the MiB of main memory that a job is given: 1,500 on a CPU, 64 GiB a GPU elsewhere."""
    gpus = grid.world.training_cost(grid, cell).gpus if cell is not None and grid.kind(cell) != "none" else 0
    return 65536 * max(1, gpus) if _of_full_size(grid, cell) else 1500


def _of_full_size(grid: Grid, cell: Cell | None = None) -> bool:
    """Return whether models run on GPUs: then they, their pictures and their answers are of full size."""
    return grid.world.layout(next(iter(grid.config.models)) if cell is None else cell.model).device == "cuda"


def data_memory(grid: Grid) -> int:
    """Return the MiB that a job is given which holds the pool or its traces: 1,500, and 16 GiB where pictures are of full size."""
    return 16384 if _of_full_size(grid) else 1500


def data_minutes(grid: Grid) -> int:
    """Return the minutes that such a job is given."""
    return 120 if _of_full_size(grid) else 15


def study_memory(grid: Grid) -> int:
    """Return the MiB that a job is given which reads all scores: measured, 500 bytes a score to gather them, 150 to draw them."""
    return 1000 + ceil(600 * _scores(grid) / 2**20)


def study_minutes(grid: Grid) -> int:
    """Return the minutes that gathering all scores is given: measured, 20 microseconds a score."""
    return 5 + ceil(60e-6 * _scores(grid) / 60)


def _scores(grid: Grid) -> int:
    return len(grid.cells) * grid.world.items_scored(grid)


def demands(grid: Grid) -> list[Demand]:
    """Return by rule the most that a job of the grid asks for."""
    world, cells = grid.world, list(grid.cells.values())
    found = [
        Demand("train", world.training_cost(grid, cell).gpus, memory(grid, cell), train_minutes(grid, cell))
        for cell in grid.trained.values()
    ]
    found += [
        Demand("evaluate", world.evaluation_cost(grid, cell).gpus, memory(grid, cell), evaluate_minutes(grid, cell))
        for cell in cells
    ]
    most: dict[str, Demand] = {}
    for one in found:
        known = most.get(one.rule, one)
        most[one.rule] = Demand(one.rule, max(one.gpus, known.gpus), max(one.memory, known.memory), max(one.minutes, known.minutes))
    return list(most.values())


def gpus(count: int) -> int:
    """Return what a job asks for under `gpu`: nothing at a site where its GPUs are asked for by `gres`."""
    return 0 if os.environ.get(GRES) else count


def gres(count: int) -> str:
    """Return what a job asks for under `gres`, such as `gpu:h200:2`, at a site that names its GPUs so; empty elsewhere."""
    name = os.environ.get(GRES)
    return f"{name}:{count}" if name and count else ""


def judge_inputs(grid: Grid, cell: Cell) -> list[Path]:
    """Return what judging a cell's answers reads: the answers, the judge, the questions."""
    return [
        grid.cell_dir(cell) / "predictions.parquet",
        grid.base_dir(str(grid.config.evaluation.judge)),
        *(grid.pool_file(name) for name in grid.config.evaluation.benchmarks),
    ]


def judge_gpus(grid: Grid) -> int:
    """Return the GPUs that the judge's engine takes."""
    layout = grid.world.engine_layout(str(grid.config.evaluation.judge))
    return layout.processes if layout.device == "cuda" else 0


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
