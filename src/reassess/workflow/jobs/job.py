"""What a job is: one thing that a grid needs done, with all that the workflow knows of it.

The rules, the command line, the fork server, `plan`, `status` and `doctor` derive from the list of
jobs (`reassess.workflow.jobs.JOBS`). A new job is one module here and one rule file.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from reassess.core import numerics
from reassess.core.errors import ReassessError
from reassess.core.files import Json
from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.grid.state import recording_failure
from reassess.grid.study import Grid
from reassess.workflow.records import Contents, Record
from reassess.workflow.resources import Resources

RECORDING = "REASSESS_RECORDING"  # set while a job keeps its record: its own processes keep none


def option(help: str, default: object = MISSING, kw_only: bool = False) -> Any:
    """Return a field of a key: a wildcard of the job's rule, and an option of its command."""
    return field(metadata={"help": help}, default=default, kw_only=kw_only)


@dataclass(frozen=True)
class NoKey:
    """The key of a job that a grid has once."""


@dataclass(frozen=True)
class CellKey:
    """One cell."""

    cell: str = option("a cell, as `reassess cells` lists it")


@dataclass(frozen=True)
class TracesKey:
    """A family's traces in a distribution."""

    family: str = option("a model family of the config")
    distribution: str = option("a distribution of the config")


KeyT = TypeVar("KeyT")


class Job(ABC, Generic[KeyT]):
    """A kind of job, for one grid.

    Class attributes:
        name: of its rule and log folder; its command has dashes for underscores.
        key: the dataclass whose fields tell the jobs of this kind apart.
        imports: heavy modules that the fork server imports beforehand.
        reads_config: whether it needs the grid; otherwise a bundle is enough.
        group: its group in the cluster profiles, whose jobs run one after another.
        follows: the jobs with which it runs again at once, before it is known whether what it reads
            of them differs.
    """

    name: ClassVar[str]
    key: ClassVar[type[Any]]
    imports: ClassVar[Sequence[str]] = ()
    reads_config: ClassVar[bool] = True
    group: ClassVar[str | None] = None
    follows: ClassVar[Sequence[str]] = ()

    def __init__(self, grid: Grid | None) -> None:
        """Take the grid; None only where the job does not read the config."""
        self._grid = grid

    @property
    def grid(self) -> Grid:
        """The grid.

        Raises:
            ReassessError: the job was made without one.
        """
        if self._grid is None:
            raise ReassessError(f"job {self.name!r} needs a config")
        return self._grid

    @abstractmethod
    def needed(self) -> Iterator[KeyT]:
        """The jobs of this kind that the grid needs."""

    @abstractmethod
    def inputs(self, key: KeyT) -> Sequence[Path]:
        """The files that a job reads."""

    @abstractmethod
    def outputs(self, key: KeyT) -> Sequence[Path]:
        """The files that a job writes, the one that is written last first."""

    def folders(self, key: KeyT) -> Sequence[Path]:
        """The folders that a job makes."""
        return ()

    def spec_hash(self, key: KeyT) -> str:
        """The reason to run a job again."""
        return ""

    @abstractmethod
    def resources(self, key: KeyT) -> Resources:
        """What a job requests of a cluster on its first attempt."""

    def cost(self, key: KeyT) -> Estimate | None:
        """What a job is estimated to cost; None where that is not worth a plan."""
        return None

    def measured(self) -> list[tuple[float, float]]:
        """For each finished job: its estimated processor-hours and its measured processor-seconds.

        A processor is a GPU, or a process on a CPU.
        """
        return []

    @abstractmethod
    def run(self, key: KeyT) -> None:
        """Do the job."""

    def perform(self, key: KeyT) -> None:
        """Do the job, and keep the record of what it was made from and what it made.

        Raises:
            ReassessError: this process does not compute in the numerics of the grid.
        """
        if self._grid is not None:
            numerics.require(self._grid.config.numerics)
        started, path = time.time(), self.record(key)
        if path is None or RECORDING in os.environ:
            self.run(key)
            return
        inputs = self._contents(key, self.inputs(key))
        record = Record(self.spec_hash(key), inputs=inputs, started=round(started, 3))
        record.write(path)
        os.environ[RECORDING] = "1"
        try:
            self.run(key)
        finally:
            del os.environ[RECORDING]
        made = self._contents(key, [*self.outputs(key), *self.folders(key)])
        ended = round(time.time(), 3)
        replace(record, complete=True, outputs=made, ended=ended).write(path)

    def _contents(self, key: KeyT, paths: Sequence[Path]) -> dict[str, Json]:
        contents = Contents(self.manifests())
        found = {self.label(path): contents.of(path) for path in paths}
        return {label: content for label, content in found.items() if content is not None}

    def manifests(self) -> dict[Path, Path]:
        """By folder, the manifest of the checkpoint in it, for all checkpoints of the grid."""
        return checkpoint_manifests(self.grid)

    def record(self, key: KeyT) -> Path | None:
        """Where a job's record is kept; None for nowhere."""
        parts = [value for value in vars(key).values() if not isinstance(value, bool)]
        return self.grid.paths.record(self.name, *map(str, parts))

    def label(self, path: Path) -> str:
        """The name of a file in records, the same wherever the grid's folders are."""
        paths = self.grid.paths
        for name, root in (("results", paths.results), ("scratch", paths.scratch)):
            if path.is_relative_to(root):
                return f"{name}/{path.relative_to(root).as_posix()}"
        return f"{path.parent.name}/{path.name}"

    @classmethod
    def command(cls) -> str:
        """The name of its command: `reassess job NAME`."""
        return cls.name.replace("_", "-")

    @classmethod
    def wildcards(cls) -> list[str]:
        """The wildcards of its rule."""
        return [field.name for field in fields(cls.key)]


AnyJob: TypeAlias = Job[Any]  # of whichever key


def checkpoint_manifests(grid: Grid) -> dict[Path, Path]:
    """By folder, the manifest of the checkpoint in it: bases, teachers and trained cells."""
    paths = grid.paths
    return {
        **{paths.base(name): paths.base_manifest(name) for name in grid.bases},
        **{paths.teacher(name): paths.teacher_manifest(name) for name in grid.config.teachers},
        **{paths.checkpoint(cell): paths.train_manifest(cell) for cell in grid.trained},
    }


class CellJob(Job[CellKey]):
    """A job of one cell. If it fails, `failed.json` beside the cell's results says why."""

    key = CellKey

    def cell(self, key: CellKey) -> Cell:
        """The cell of a key.

        Raises:
            ReassessError: the grid has no such cell; names the nearest.
        """
        return self.grid.cell(key.cell)

    def run(self, key: CellKey) -> None:
        """Do the job, and record a failure."""
        cell = self.cell(key)
        with recording_failure(self.grid, cell, self.name):
            self.run_cell(cell)

    @abstractmethod
    def run_cell(self, cell: Cell) -> None:
        """Do the job of a cell."""


def measured_hours(jobs: Sequence[AnyJob]) -> dict[str, dict[str, float | int | None]]:
    """Return by rule the processor-hours that were estimated and measured, of finished jobs only.

    The estimate is None where the world makes none.
    """
    hours: dict[str, dict[str, float | int | None]] = {}
    for job in jobs:
        if finished := job.measured():
            hours[job.name] = {
                "measured_jobs": len(finished),
                "estimated_hours": sum(estimate for estimate, _ in finished) or None,
                "measured_hours": round(sum(seconds for _, seconds in finished) / 3600, 4),
            }
    return hours
