"""What the workflow asks of the grid: which files a job reads. Logic of the rules that is worth testing stands here."""

from __future__ import annotations

from pathlib import Path

from reassess.grid import Cell, Grid

BUNDLE_FILES = ("scores.parquet", "history.parquet", "manifests.parquet", "study.json")
TABLES = ("main", "budgets", "cells")


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


def collected_files(grid: Grid, partial: bool) -> list[Path]:
    """Return what the bundle is made of: scores of every cell, or, if `partial`, of those that have them."""
    scores = [grid.cell_dir(cell) / "scores.json" for cell in grid.cells.values()]
    return [path for path in scores if path.is_file()] if partial else scores
