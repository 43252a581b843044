"""`reassess track`: copies of the cells' histories for an experiment tracker, one run a cell.

The histories are read from the files that jobs leave, so that a tracker can neither slow a job nor
change or fail it, and no job needs a network. Called again, it sends what is new; `--watch` does so
until the grid is done. The default is trackio's local store below the scratch folder. W&B is used
only on request, and only if the user has set it up.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Protocol

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, read_parquet, write_json
from reassess.grid.cells import Cell
from reassess.grid.study import Grid

Tracker = Literal["trackio", "wandb"]
SENT = "sent.json"  # in the tracking folder: the last update of each run that a tracker has


class Library(Protocol):
    """What both trackers' libraries have in common."""

    def init(self, **settings: object) -> object:
        """Open a run."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Record the numbers of an update."""

    def finish(self) -> None:
        """Close the run."""


def track(grid: Grid, to: Tracker) -> int:
    """Send what is new of every cell to a tracker; return the number of updates sent.

    Raises:
        ReassessError: the tracker's library is not installed.
    """
    folder = store(grid)
    ledger = folder / SENT
    sent: dict[str, dict[str, int]] = read_json(ledger) if ledger.is_file() else {}
    last_sent = sent.setdefault(to, {})
    library, count = None, 0
    for cell in grid.trained.values():
        name = run_name(grid, cell)
        new = {
            step: values
            for step, values in sorted(history(grid, cell).items())
            if step > last_sent.get(name, -1)
        }
        if not new:
            continue
        library = library or open_library(to, folder)
        about = {
            "cell": cell.id,
            "spec_hash": grid.specs.train_hash(cell),
            "spec": grid.specs.train(cell),
        }
        library.init(
            project=f"reassess-{grid.config.grid}",
            name=name,
            config=about,
            **_own_settings(to, name),
        )
        for step, values in new.items():
            library.log(values, step=step)
        library.finish()
        last_sent[name] = max(new)
        count += len(new)
        write_json(ledger, sent)
    return count


def store(grid: Grid) -> Path:
    """The folder of the local store."""
    return grid.paths.scratch / "tracking"


def run_name(grid: Grid, cell: Cell) -> str:
    """The name of a cell's run: another spec is another run."""
    return f"{cell.id}@{grid.specs.train_hash(cell)[:8]}"


def history(grid: Grid, cell: Cell) -> dict[int, dict[str, float]]:
    """The numbers of a cell by update: of the finished run, or up to its newest checkpoint."""
    by_update: dict[int, dict[str, float]] = {}
    for step, metric, value in _rows(grid, cell):
        by_update.setdefault(int(step), {})[metric] = float(value)
    return by_update


def _rows(grid: Grid, cell: Cell) -> Iterator[tuple[int, str, float]]:
    manifest = grid.paths.train_manifest(cell.id)
    if manifest.is_file() and read_json(manifest)["spec_hash"] == grid.specs.train_hash(cell):
        frame = read_parquet(grid.paths.history(cell.id))
        yield from zip(frame["step"], frame["metric"], frame["value"], strict=True)
        return
    checkpoints = {
        int(path.parent.name.rpartition("-")[2]): path
        for path in grid.paths.work(cell.id).glob("checkpoint-*/history.json")
    }
    note = grid.paths.work(cell.id) / "spec.json"
    if (
        checkpoints
        and note.is_file()
        and read_json(note)["spec_hash"] == grid.specs.train_hash(cell)
    ):
        try:
            yield from read_json(checkpoints[max(checkpoints)])["rows"]
        except ReassessError:  # the job has just replaced it by a newer one
            return


def open_library(to: Tracker, folder: Path) -> Library:
    """Import a tracker's library, bound to this machine's store where it has one.

    Raises:
        ReassessError: it is not installed; says how to get it.
    """
    if to == "trackio":
        os.environ["TRACKIO_DIR"] = str(folder.resolve())  # read once, at import
        for name in (
            "TRACKIO_SPACE_ID",
            "TRACKIO_SERVER_URL",
            "TRACKIO_BUCKET_ID",
            "TRACKIO_DATASET_ID",
            "TRACKIO_WEBHOOK_URL",
        ):
            os.environ.pop(name, None)  # local means local
    try:
        library: Library = importlib.import_module(to)
    except ImportError as error:
        fix = "pip install wandb; wandb login" if to == "wandb" else "make setup"
        raise ReassessError(f"{to} is not installed here; {fix}") from error
    return library


def _own_settings(to: Tracker, name: str) -> dict[str, str | bool]:
    if to == "wandb":
        return {"id": name.replace("/", "-").replace("@", "-"), "resume": "allow"}
    return {"resume": "allow", "embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
