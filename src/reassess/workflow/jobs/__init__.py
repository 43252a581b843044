"""One module a job, and the one list of them, in the order of the data."""

from __future__ import annotations

from typing import Any

from reassess.grid.study import Grid
from reassess.workflow.jobs.base import BuildBase
from reassess.workflow.jobs.collect import Collect
from reassess.workflow.jobs.draw import DrawFigure, DrawJob, Tabulate, TestClaims
from reassess.workflow.jobs.evaluate import Evaluate
from reassess.workflow.jobs.fetch import Fetch
from reassess.workflow.jobs.job import AnyJob, CellJob
from reassess.workflow.jobs.judge import Judge
from reassess.workflow.jobs.pool import BuildPool
from reassess.workflow.jobs.prepare import PrepareRows
from reassess.workflow.jobs.rows import FreezeRows
from reassess.workflow.jobs.shard import SampleShard
from reassess.workflow.jobs.teacher import BuildTeacher
from reassess.workflow.jobs.tokenizer import BuildTokenizer
from reassess.workflow.jobs.traces import GatherTraces
from reassess.workflow.jobs.train import Train

JOBS: tuple[type[AnyJob], ...] = (
    Fetch,
    BuildPool,
    BuildTokenizer,
    BuildBase,
    BuildTeacher,
    SampleShard,
    GatherTraces,
    FreezeRows,
    PrepareRows,
    Train,
    Evaluate,
    Judge,
    Collect,
    Tabulate,
    TestClaims,
    DrawFigure,
)


__all__ = [
    "JOBS",
    "AnyJob",
    "BuildBase",
    "BuildPool",
    "BuildTeacher",
    "BuildTokenizer",
    "CellJob",
    "Collect",
    "DrawFigure",
    "Evaluate",
    "Fetch",
    "FreezeRows",
    "GatherTraces",
    "Judge",
    "PrepareRows",
    "SampleShard",
    "Tabulate",
    "TestClaims",
    "Train",
    "cell_jobs",
    "drawing",
    "jobs_of",
]


def jobs_of(grid: Grid) -> list[AnyJob]:
    """Return every kind of job, for one grid."""
    return [job(grid) for job in JOBS]


def cell_jobs(grid: Grid) -> list[CellJob]:
    """Every kind of job of a cell, for one grid."""
    return [job(grid) for job in JOBS if issubclass(job, CellJob)]


def drawing(grid: Grid) -> list[DrawJob[Any]]:
    """Return every kind of job that draws, for one grid."""
    return [job(grid) for job in JOBS if issubclass(job, DrawJob)]
