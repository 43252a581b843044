"""`reassess status`: what every cell is doing, read off files, locks and the queue, whether or not a Snakemake is at work."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reassess.cluster.kubernetes import SELECTOR, WILDCARDS
from reassess.core.files import read_json
from reassess.core.locks import is_held
from reassess.grid.cells import Cell
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.training.heartbeat import Heartbeat

LAST_LINES = 3
QUEUE_SECONDS = 5  # a scheduler that does not answer in this time is left out
ORDER = ("running", "queued", "failed", "started", "trained", "stale", "to do", "done")


@dataclass(frozen=True)
class Job:
    """A cell's job at a scheduler."""

    name: str  # as `Slurm job 17`
    state: str
    place: str  # node, or why it waits


@dataclass(frozen=True)
class Line:
    """What is known of a cell."""

    cell: str
    state: str
    about: str = ""
    log: tuple[str, ...] = ()


def status(grid: Grid) -> list[Line]:
    """Return a line for each cell of the grid, those that need an eye first."""
    queue = {**queued(), **in_pods(Path.cwd())}
    lines = [_line(grid, cell, queue.get(_as_comment(cell.id))) for cell in grid.cells.values()]
    return sorted(lines, key=lambda line: (ORDER.index(line.state), line.cell))


def _line(grid: Grid, cell: Cell, job: Job | None) -> Line:
    found = state_of(grid, cell)
    if found in ("done", "stale"):
        return Line(cell.id, found)
    where = f"{job.name}: {job.state.lower()} ({job.place})" if job else ""
    if is_held(grid.paths.lock(cell.id)) or (job and job.state == "RUNNING"):
        return Line(
            cell.id,
            "running",
            "; ".join(filter(None, (heartbeat(grid.paths.work(cell.id)), where))),
        )
    if job:
        return Line(cell.id, "queued", where)
    if found == "failed":
        log = grid.paths.log(
            "train" if not (grid.paths.train_manifest(cell.id)).is_file() else "evaluate", cell.id
        )
        return Line(
            cell.id,
            found,
            str(read_json(grid.paths.failure(cell.id))["error"]),
            (*_tail(log), f"log: {log}"),
        )
    return Line(cell.id, found, heartbeat(grid.paths.work(cell.id)) if found == "started" else "")


def heartbeat(work: Path) -> str:
    """How far a training job is, by its last heartbeat; empty if there is none."""
    last = Heartbeat.read(work)
    if last is None:
        return ""
    age = max(0, round(time.time() - last.time))
    return f"update {last.step} of {last.of} on {last.node}, {age} s ago"


def _tail(log: Path) -> list[str]:
    return (
        log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:] if log.is_file() else []
    )


def queued() -> dict[str, Job]:
    """Return Slurm's jobs by the cell as their comment spells it; nothing where there is no Slurm, or it does not answer."""
    if not shutil.which("squeue"):
        return {}
    try:
        found = subprocess.run(
            ["squeue", "-h", "--me", "-o", "%i|%T|%R|%k"],
            capture_output=True,
            text=True,
            timeout=QUEUE_SECONDS,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return {}
    return dict(_jobs(found.stdout))


def _jobs(text: str) -> Iterator[tuple[str, Job]]:
    """Yield cell and job of each line; the comment names rule and wildcards: `rule_train_wildcards_CELL`, without slashes."""
    for line in text.splitlines():
        number, state, place, comment = line.split("|", 3)
        rule, _, cell = comment.partition("_wildcards_")
        if rule in ("rule_train", "rule_evaluate"):
            yield cell, Job(f"Slurm job {number}", state, place.strip("()"))


def in_pods(folder: Path) -> dict[str, Job]:
    """Return the Kubernetes jobs that were submitted from a folder, by cell; nothing where there is no Kubernetes, or no answer."""
    if not shutil.which("kubectl"):
        return {}
    words = [
        "kubectl",
        f"--request-timeout={QUEUE_SECONDS}s",
        "get",
        "pods",
        "-l",
        SELECTOR,
        "-o",
        "json",
    ]
    try:
        found = subprocess.run(
            words, capture_output=True, text=True, timeout=2 * QUEUE_SECONDS, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return {}
    return dict(_pods(json.loads(found.stdout), folder))


def _pods(found: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Job]]:
    """Yield cell and job of each pod that runs or waits: with its node, or why it waits."""
    for pod in found["items"]:
        about, told = pod["metadata"], pod["status"]
        cell = json.loads(about.get("annotations", {}).get(WILDCARDS, "{}")).get("cell")
        if (
            not cell
            or pod["spec"]["containers"][0].get("workingDir") != str(folder)
            or told["phase"] not in ("Running", "Pending")
        ):
            continue
        waits = [
            one["state"]["waiting"].get("reason", "")
            for one in told.get("containerStatuses", ())
            if one["state"].get("waiting")
        ]
        waits += [
            one.get("message", one.get("reason", ""))
            for one in told.get("conditions", ())
            if one["status"] == "False"
        ]
        place = (
            pod["spec"].get("nodeName", "")
            if told["phase"] == "Running"
            else next(filter(None, waits), "not yet on a node")
        )
        yield (
            _as_comment(cell),
            Job(f"Kubernetes pod {about['name']}", told["phase"].upper(), place),
        )


def _as_comment(cell: str) -> str:
    return cell.replace("/", "_")


def as_text(lines: list[Line]) -> str:
    """Return the state of a grid as text: counts, then what runs, waits or failed, with the end of its log."""
    counts = Counter(line.state for line in lines)
    text = ["  ".join(f"{counts[state]} {state}" for state in ORDER if counts[state]) or "no cells"]
    for line in lines:
        if line.state in ("running", "queued", "failed", "started"):
            text.append(f"{line.state:8} {line.cell}{': ' if line.about else ''}{line.about}")
            text += [f"         {one}" for one in line.log]
    return "\n".join(text)
