"""`reassess status`: the state of every cell, read from files, locks and the schedulers.

No Snakemake needs to be running.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reassess.cluster.queues import SchedulerJob, jobs_by_cell
from reassess.core.files import read_json
from reassess.core.locks import is_held
from reassess.core.secrets import redact
from reassess.core.text import printable
from reassess.grid.cells import Cell
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.training.heartbeat import Heartbeat

LAST_LINES = 3
ORDER = ("running", "queued", "failed", "started", "trained", "stale", "to do", "done")


@dataclass(frozen=True)
class CellStatus:
    """A cell's state (one of `ORDER`), a remark on it, and the end of its log if it failed."""

    cell: str
    state: str
    about: str = ""
    log: tuple[str, ...] = ()


def status(grid: Grid) -> list[CellStatus]:
    """The status of each cell of the grid, those that need attention first."""
    jobs = jobs_by_cell(grid, Path.cwd())
    cells = [_status_of(grid, cell, jobs.get(cell.id, ())) for cell in grid.cells.values()]
    return sorted(cells, key=lambda status: (ORDER.index(status.state), status.cell))


def _status_of(grid: Grid, cell: Cell, jobs: Sequence[SchedulerJob]) -> CellStatus:
    state, paths = state_of(grid, cell), grid.paths
    if state == "done":
        return CellStatus(cell.id, state)
    progress, queue = heartbeat(paths.work(cell.id)), [str(job) for job in jobs]
    if is_held(paths.lock(cell.id)) or any(job.state == "RUNNING" for job in jobs):
        return CellStatus(cell.id, "running", "; ".join(filter(None, (progress, *queue))))
    if jobs:
        return CellStatus(cell.id, "queued", "; ".join(queue))
    if state == "failed":
        failure = read_json(paths.failure(cell.id))
        rule = failure["action"].removesuffix("_cell")  # as the first version recorded it
        log = paths.log(rule, cell.id)
        return CellStatus(cell.id, state, str(failure["error"]), (*_tail(log), f"log: {log}"))
    return CellStatus(cell.id, state, progress if state == "started" else "")


def heartbeat(work: Path) -> str:
    """How far a training job is, by its last heartbeat; empty if there is none."""
    last = Heartbeat.read(work)
    if last is None:
        return ""
    age = max(0, round(time.time() - last.time))
    return f"update {last.step} of {last.of} on {last.node}, {age} s ago"


def _tail(log: Path) -> list[str]:
    if not log.is_file():
        return []
    return log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]


def as_text(cells: list[CellStatus]) -> str:
    """Counts of all states, then what runs, waits or failed, with the end of its log."""
    counts = Counter(status.state for status in cells)
    text = ["  ".join(f"{counts[state]} {state}" for state in ORDER if counts[state]) or "no cells"]
    for status in cells:
        if status.state in ("running", "queued", "failed", "started"):
            about = f": {status.about}" if status.about else ""
            text.append(f"{status.state:8} {status.cell}{about}")
            text += [f"         {line}" for line in status.log]
    return printable(redact("\n".join(text)))
