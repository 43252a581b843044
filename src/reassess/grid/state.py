"""The state of a cell, by its files, and the record of a failure."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from reassess.core.errors import AlreadyRecorded, Interrupted, ReassessError
from reassess.core.files import write_json
from reassess.core.secrets import redact
from reassess.grid.cells import Cell
from reassess.grid.study import Grid

State = Literal["done", "stale", "trained", "failed", "started", "to do"]


def state_of(grid: Grid, cell: Cell) -> State:
    """The state of a cell by its files.

    `done`: scored under the present spec; `stale`: scored under another; `trained`: trained, not
    yet scored; `failed`: its last job stopped with an error; `started`: a job has begun or was
    interrupted; `to do`: nothing yet.
    """
    paths = grid.paths
    if paths.failure(cell.id).is_file():
        return "failed"
    if paths.scores(cell.id).is_file():
        current = _spec_hash(paths.scores(cell.id)) == grid.specs.evaluation_hash(cell)
        return "done" if current else "stale"
    if paths.train_manifest(cell.id).is_file():
        return "trained"
    return "started" if paths.work(cell.id).is_dir() else "to do"


def _spec_hash(path: Path) -> object:
    try:
        return json.loads(path.read_text()).get("spec_hash")
    except (ValueError, AttributeError):
        return None


@contextmanager
def recording_failure(grid: Grid, cell: Cell, action: str) -> Iterator[None]:
    """Remove an older failure record of the cell; leave a new one if the job inside raises."""
    record = grid.paths.failure(cell.id)
    record.unlink(missing_ok=True)
    try:
        yield
    except Interrupted:
        raise  # no failure: the job resumes when it is called again
    except AlreadyRecorded:
        raise
    except Exception as error:
        try:
            write_json(
                record,
                {
                    "cell": cell.id,
                    "action": action,
                    "error": redact(f"{type(error).__name__}: {error}"),
                },
            )
        except ReassessError as second:  # a full disk: report the first error, not this one
            print(f"the failure could not be recorded: {second}", file=sys.stderr)
        raise
