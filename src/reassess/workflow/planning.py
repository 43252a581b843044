"""Which jobs of a grid have to run again, by their records and the contents of their files.

A result is up to date if it was made under the present spec, from inputs with their present
content, to the end. Snakemake makes what is missing; everything else is decided here, so it is the
same with and without Snakemake's notes, whatever the times of the files and however the config's
path is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from reassess.grid.study import Grid
from reassess.workflow.jobs import jobs_of
from reassess.workflow.jobs.collect import Collect, CollectKey
from reassess.workflow.jobs.job import AnyJob, checkpoint_manifests
from reassess.workflow.records import Content, Contents, Record, same, stated

Standing = Literal["absent", "stale", "lacking", "current"]

Name = tuple[object, ...]  # of a job: its kind and the parts of its key
Reasons = Mapping[Name, str | None]  # by job, why it must run again, as far as is known


@dataclass(frozen=True, eq=False)
class Task:
    """One job: its kind and its key."""

    job: AnyJob
    key: object

    @cached_property
    def products(self) -> list[Path]:
        """What it writes: files, then folders."""
        return [*self.job.outputs(self.key), *self.job.folders(self.key)]

    @cached_property
    def inputs(self) -> list[Path]:
        """What it reads."""
        return list(self.job.inputs(self.key))

    @cached_property
    def name(self) -> Name:
        """What tells tasks apart."""
        return (self.job.name, *vars(self.key).values())

    def __str__(self) -> str:
        """As messages name it."""
        parts = [getattr(self.key, name) for name in self.job.wildcards()]
        return " ".join([self.job.name, *(str(part) for part in parts if part is not False)])


class Planning:
    """The state of a grid's jobs, as its files are when they are first asked for."""

    def __init__(self, grid: Grid, partial: bool = False) -> None:
        """Read nothing yet. A partial bundle is without the cells that failed."""
        self.grid = grid
        self._partial = partial
        self._contents = Contents(checkpoint_manifests(grid))
        self._records: dict[Path, Record | None] = {}
        self._vouched: dict[Name, bool] = {}

    # --- the answers -------------------------------------------------------------------------

    def standing(self, task: Task) -> Standing:
        """What is there of a job.

        `absent`: nothing; `stale`: something, and it must be made again; `current`: it is finished;
        `lacking`: it is finished, but files below scratch are gone. They are made again once a job
        that runs needs them.
        """
        return self._standing(task, self.reason(task))

    def _standing(self, task: Task, reason: str | None) -> Standing:
        there = [path.exists() for path in task.products]
        if not any(there):
            return "absent"
        if reason:
            return "stale"
        return "current" if all(there) else "lacking"

    def reason(self, task: Task) -> str | None:
        """Why something that is there must be made again; None if it is finished."""
        if task.name in self._reasons:
            return self._reasons[task.name]
        return self._own_reason(task)  # a drawing from another bundle

    @cached_property
    def _reasons(self) -> dict[Name, str | None]:
        """By job: its own reason, and then those that follow from other jobs that run."""
        there = [task for task in self.tasks if any(path.exists() for path in task.products)]
        reasons = dict.fromkeys((task.name for task in self.tasks), None)
        reasons |= {task.name: self._own_reason(task) for task in there}
        waiting = [task for task in there if reasons[task.name] is None]
        while waiting:
            found = {
                task.name: self._damage(task, reasons) or self._followed(task, reasons)
                for task in waiting
            }
            reasons |= found
            rest = [task for task in waiting if found[task.name] is None]
            if len(rest) == len(waiting):
                break
            waiting = rest
        return reasons

    def stale(self) -> dict[str, str]:
        """By job, why it must run again though its files are there."""
        tasks = [task for task in self.tasks if self.standing(task) == "stale"]
        return {str(task): str(self.reason(task)) for task in tasks}

    def adopt(self) -> bool:
        """Bring records up to date: of finished jobs that have none, or whose files were copied.

        Files that were copied look different, and would be read each time.

        Returns:
            whether a record was written: then this object knows the records as they were.
        """
        wrote = False
        for task in self.tasks:
            path = task.job.record(task.key)
            if path is None or self.standing(task) not in ("current", "lacking"):
                continue
            record, present = self._record(task), self._present(task)
            if record is None:
                inputs = {task.job.label(one): self._expected(one) for one in task.inputs}
                known = {label: content for label, content in inputs.items() if content}
                spec_hash = task.job.spec_hash(task.key)
                Record(spec_hash, complete=True, inputs=known, outputs=present).write(path)
                wrote = True
            elif {**record.outputs, **present} != record.outputs:
                replace(record, outputs={**record.outputs, **present}).write(path)
                wrote = True
        return wrote

    # --- the grid's jobs ---------------------------------------------------------------------

    @cached_property
    def tasks(self) -> list[Task]:
        """Every job that the grid needs."""
        return [
            Task(job, CollectKey(self._partial) if isinstance(job, Collect) else key)
            for job in jobs_of(self.grid)
            for key in job.needed()
        ]

    @cached_property
    def makers(self) -> dict[Path, Task]:
        """By file or folder, the job that writes it."""
        return {path: task for task in self.tasks for path in task.products}

    @cached_property
    def _readers(self) -> dict[Name, list[Task]]:
        readers: dict[Name, list[Task]] = {}
        for task in self.tasks:
            for path in task.inputs:
                if (maker := self.makers.get(path)) is not None:
                    readers.setdefault(maker.name, []).append(task)
        return readers

    def _record(self, task: Task) -> Record | None:
        path = task.job.record(task.key)
        if path is None:
            return None
        if path not in self._records:
            self._records[path] = Record.read(path)
        return self._records[path]

    # --- reasons -----------------------------------------------------------------------------

    def _own_reason(self, task: Task) -> str | None:
        record = self._record(task)
        missing = [path for path in task.products if self._is_kept(path) and not path.exists()]
        if record is None:
            return self._reason_without_record(task, missing)
        if not record.complete:
            return "it was interrupted"
        if record.spec_hash != task.job.spec_hash(task.key):
            return "it was made under another spec"
        if missing:
            return f"{missing[0]} is missing"
        return self._changed_input(task, record) or self._changed_output(task, record)

    def _changed_input(self, task: Task, record: Record) -> str | None:
        present = {task.job.label(path): path for path in task.inputs}
        if differing := sorted(set(present) ^ set(record.inputs)):
            return f"it was made from other files: {differing[0]}"
        for label, path in present.items():
            expected = self._expected(path)
            if expected is not None and not same(record.inputs[label], expected):
                return f"it was made from another {path}"
        return None

    def _changed_output(self, task: Task, record: Record) -> str | None:
        return next(
            (
                f"{path} has changed"
                for path in task.products
                if self._is_kept(path) and not self._as_recorded(task, record, path)
            ),
            None,
        )

    def _damage(self, task: Task, reasons: Reasons) -> str | None:
        """Say what has changed below scratch: a reason only while something will read it."""
        record = self._record(task)
        if record is None:
            return None
        damaged = [path for path in task.products if not self._as_recorded(task, record, path)]
        readers = self._readers.get(task.name, ()) if damaged else ()
        needed = any(self._runs(reader, reasons) for reader in readers)
        return f"{damaged[0]} has changed" if needed else None

    def _runs(self, task: Task, reasons: Reasons) -> bool:
        """Whether a job will run: it must, or it must make what another needs."""
        standing = self._standing(task, reasons[task.name])
        if standing in ("stale", "current"):
            return standing == "stale"
        readers = self._readers.get(task.name, [])
        wanted = standing == "absent" and not readers  # a drawing
        return wanted or any(self._runs(reader, reasons) for reader in readers)

    def _followed(self, task: Task, reasons: Reasons) -> str | None:
        for path in task.inputs if task.job.follows else ():
            maker = self.makers.get(path)
            followed = maker is not None and maker.job.name in task.job.follows
            if maker is not None and followed and self._is_made_again(maker, task, reasons):
                return f"{path} is made again"
        return None

    def _is_made_again(self, maker: Task, reader: Task, reasons: Reasons) -> bool:
        """Whether a job is, for whatever reason but this reader."""
        standing = self._standing(maker, reasons[maker.name])
        readers = self._readers.get(maker.name, ()) if standing == "lacking" else ()
        others = (other for other in readers if other.job.name != reader.job.name)
        return standing == "stale" or any(self._runs(other, reasons) for other in others)

    def _as_recorded(self, task: Task, record: Record, path: Path) -> bool:
        """Whether a product is what the record says; one that is missing is."""
        before = record.outputs.get(task.job.label(path), {})
        present = self._contents.of(path, before)
        if present is None:
            return True
        if "files" in before:
            return bool(present.get("files") == before["files"])
        return bool(present.get("sha256") == before.get("sha256"))

    def _is_kept(self, path: Path) -> bool:
        """Whether a finished job must have a file: below results, not below scratch."""
        paths = self.grid.paths
        return path.is_relative_to(paths.results) or not path.is_relative_to(paths.scratch)

    # --- contents ----------------------------------------------------------------------------

    def _expected(self, path: Path) -> Content | None:
        """Return what an input is, or will be once it is made again; None if nobody knows.

        The record of its maker says so. A file that has been changed since is made again.
        """
        maker = self.makers.get(path)
        record = None if maker is None else self._record(maker)
        if maker is not None and record is not None and record.complete:
            before = record.outputs.get(maker.job.label(path))
            if before is not None:
                return before
        return self._contents.of(path)

    def _present(self, task: Task) -> dict[str, Content]:
        record, present = self._record(task), {}
        for path in task.products:
            label = task.job.label(path)
            before = None if record is None else record.outputs.get(label)
            if (content := self._contents.of(path, before)) is not None:
                present[label] = content
        return present

    # --- jobs of versions that kept no records -----------------------------------------------

    def _reason_without_record(self, task: Task, missing: Sequence[Path]) -> str | None:
        if missing:
            return f"{missing[0]} is missing"
        spec_hash = task.job.spec_hash(task.key)
        if not spec_hash:  # a bundle, a drawing: cheap, if its inputs are there
            complete = all(path.exists() for path in task.inputs)
            return "nothing says what it was made from" if complete else None
        if (said := self._stated(task)) is not None:
            return None if said == spec_hash else "it was made under another spec"
        return None if self._is_vouched_for(task) else "nothing says what it was made from"

    def _stated(self, task: Task) -> object:
        """Return the spec that the job's own files name, if they do."""
        found = (
            stated(path, "spec_hash", "revision")
            for path in task.products
            if path.suffix == ".json" and path.is_file()
        )
        return next((name for name in found if name is not None), None)

    def _is_vouched_for(self, task: Task) -> bool:
        """Whether something of the present spec was made from it: specs are chained by hash."""
        if task.name not in self._vouched:
            self._vouched[task.name] = any(map(self._vouches, self._readers.get(task.name, ())))
        return self._vouched[task.name]

    def _vouches(self, reader: Task) -> bool:
        spec_hash = reader.job.spec_hash(reader.key)
        if not spec_hash or not any(path.exists() for path in reader.products):
            return False
        record = self._record(reader)
        said = self._stated(reader) if record is None else record.spec_hash
        return self._is_vouched_for(reader) if said is None else said == spec_hash


def stale_jobs(grid: Grid) -> dict[str, str]:
    """By job, why it must run again though its files are there."""
    return Planning(grid).stale()


def finished(grid: Grid) -> Iterator[Task]:
    """Every job of a grid that is finished with all its files."""
    planning = Planning(grid)
    return (task for task in planning.tasks if planning.standing(task) == "current")
