"""What jobs ask of a cluster: GPUs, CPUs, memory, time. The rules ask for it by the attempt; `doctor` looks for who has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from reassess.figures import figure_names
from reassess.grid import Cell, Grid
from reassess.plan import Estimate

GRES = "REASSESS_GRES"  # at a site without `--gpus`: the name of its GPUs under `--gres`
GPU_MEMORY, LEAST = 65536, 1500  # MiB of main memory for each GPU of a job; for a job of tiny models on a CPU
GPU_CPUS = 8  # for each GPU of a job: its process, those that load rows, the engine's; a choice of ours
NAMES = {"gpus": "gpu", "cpus": "cpus_per_task", "memory": "mem_mb", "minutes": "runtime"}  # as Snakemake's executors call them


@dataclass(frozen=True)
class Demand:
    """The most that jobs of one rule ask for on their first attempt: GPUs, CPUs, MiB, minutes."""

    rule: str
    gpus: int
    cpus: int
    memory: int
    minutes: int


def training(grid: Grid, cell: Cell) -> Demand:
    """Return what training a cell asks for."""
    return _demand(grid, "train", grid.world.training_cost(grid, cell), 30)


def evaluation(grid: Grid, cell: Cell) -> Demand:
    """Return what scoring a cell asks for."""
    return _demand(grid, "evaluate", grid.world.evaluation_cost(grid, cell), 15)


def judging(grid: Grid, cell: Cell) -> Demand:
    """Return what judging a cell's answers asks for: the GPUs of the judge's engine, and the time of scoring it."""
    layout = grid.world.engine_layout(str(grid.config.evaluation.judge))
    count = layout.processes if layout.device == "cuda" else 0
    return Demand("judge", count, _cpus(count), _memory(grid, count), evaluation(grid, cell).minutes)


def sampling(grid: Grid, family: str, distribution: str) -> Demand:
    """Return what sampling a shard of traces asks for."""
    return _demand(grid, "sample_shard", grid.world.shard_cost(grid, family, distribution), 30)


def base(grid: Grid) -> Demand:
    """Return what making a base checkpoint or a teacher asks for."""
    return Demand("build_base", 0, 1, _memory(grid, 0), 30)


def data(grid: Grid) -> Demand:
    """Return what a job asks for that holds the pool or its traces: 16 GiB where its pictures are of full size."""
    return Demand("prepare_rows", 0, *((4, 16384, 120) if _of_full_size(grid) else (1, LEAST, 15)))


def gathering(grid: Grid) -> Demand:
    """Return what gathering all scores asks for: measured, 500 bytes and 20 microseconds a score (150 bytes to draw them)."""
    scores = len(grid.cells) * grid.world.items_scored(grid)
    return Demand("collect", 0, 1, 1000 + ceil(600 * scores / 2**20), 5 + ceil(60e-6 * scores / 60))


def drawing(grid: Grid) -> Demand:
    """Return what a figure, the tables or the claims ask for."""
    return Demand("draw_figure", 0, 1, gathering(grid).memory, 5)


def drawn_together(grid: Grid) -> Demand:
    """Return what the group of all that reads the bundle asks for in the profiles: one after another, the bundle first."""
    parts = len(figure_names()) + len(("tables", "claims"))
    return Demand("draw", 0, 1, gathering(grid).memory, gathering(grid).minutes + parts * drawing(grid).minutes)


def demands(grid: Grid, profile: Mapping[str, Any]) -> list[Demand]:
    """Return by rule the most that a job of the grid asks for; `draw` is a group of jobs.

    Args:
        grid: the grid.
        profile: settings of a profile, whose `set-resources` count instead where they are numbers.
    """
    sources = grid.config.distributions.items()
    shards = [(family, name) for family in grid.config.teachers for name, one in sources if one.source == "teacher"]
    found = [
        *(training(grid, cell) for cell in grid.trained.values()),
        *(evaluation(grid, cell) for cell in grid.cells.values()),
        *(judging(grid, cell) for cell in grid.cells.values() if grid.config.evaluation.judge),
        *(sampling(grid, *shard) for shard in shards),
        base(grid),
        data(grid),
        drawn_together(grid),
    ]
    most: dict[str, Demand] = {}
    for one in found:
        known = most.get(one.rule, one)
        most[one.rule] = Demand(one.rule, *(max(getattr(one, name), getattr(known, name)) for name in NAMES))
    return [_as_set(one, profile) for one in most.values()]


def _as_set(demand: Demand, profile: Mapping[str, Any]) -> Demand:
    """Return a demand with the numbers that a profile sets for its rule."""
    entries = profile.get("set-resources") or ()
    if isinstance(entries, Mapping):  # a profile may write them in either way
        entries = [f"{rule}:{name}={value}" for rule, named in entries.items() for name, value in named.items()]
    given = dict(str(one).partition("=")[::2] for one in entries)
    found = {name: given.get(f"{demand.rule}:{known}", "") for name, known in NAMES.items()}
    changes: dict[str, Any] = {name: int(value) for name, value in found.items() if value.isdigit()}
    return replace(demand, **changes)


def _demand(grid: Grid, rule: str, estimate: Estimate, least: int) -> Demand:
    """Return a demand with twice the estimated time, and at least so many minutes."""
    count = estimate.gpus
    return Demand(rule, count, _cpus(count), _memory(grid, count), max(least, ceil(2 * 60 * estimate.hours)))


def _cpus(count: int) -> int:
    return max(1, GPU_CPUS * count)


def _memory(grid: Grid, count: int) -> int:
    """Return the MiB for a job with so many GPUs: 64 GiB each; as much for one that holds a model of full size without one."""
    return GPU_MEMORY * max(1, count) if count or _of_full_size(grid) else LEAST


def _of_full_size(grid: Grid) -> bool:
    """Return whether models run on GPUs: then they, their pictures and their answers are of full size."""
    return grid.world.layout(next(iter(grid.config.models))).device == "cuda"


def gpus(count: int) -> int:
    """Return what a job asks for under `gpu`: nothing at a site where its GPUs are asked for by `gres`."""
    return 0 if os.environ.get(GRES) else count


def gres(count: int) -> str:
    """Return what a job asks for under `gres`, such as `gpu:h200:2`, at a site that names its GPUs so; empty elsewhere."""
    name = os.environ.get(GRES)
    return f"{name}:{count}" if name and count else ""
