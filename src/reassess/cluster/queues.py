"""The jobs that Slurm or Kubernetes has of a grid, cell by cell."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reassess.cluster.kubernetes import OUTPUTS, RULE, SELECTOR
from reassess.core.files import Json
from reassess.grid.study import Grid
from reassess.workflow.jobs import cell_jobs
from reassess.workflow.jobs.job import CellKey
from reassess.workflow.run import JOB_NAME, job_name

QUEUE_SECONDS = 5  # a scheduler that does not answer within this time is left out
SQUEUE = "%i|%T|%R|%k|%j|%Z"  # id, state, node or reason, comment, name, working folder


@dataclass(frozen=True)
class SchedulerJob:
    """A job at a scheduler.

    Attributes:
        name: such as `Slurm job 17`.
        rule: the rule of the workflow, or the group of rules, that it runs.
        state: `RUNNING`, `PENDING` or another of the scheduler's.
        place: its node, or why it waits.
    """

    name: str
    rule: str
    state: str
    place: str

    def __str__(self) -> str:
        """The job in one line."""
        return f"{self.name} ({self.rule}): {self.state.lower()} ({self.place})"


def jobs_by_cell(grid: Grid, folder: Path) -> dict[str, list[SchedulerJob]]:
    """The jobs of each cell that were submitted from `folder`, running ones first."""
    jobs: dict[str, list[SchedulerJob]] = defaultdict(list)
    for cell, job in (*_slurm_jobs(grid, folder), *_pods(grid, folder)):
        jobs[cell].append(job)
    return {cell: sorted(own, key=lambda job: job.state != "RUNNING") for cell, own in jobs.items()}


def _output(*command: str) -> str:
    """What a scheduler's client prints; empty if it is missing, fails, or takes too long."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=QUEUE_SECONDS, check=True
        ).stdout
    except (subprocess.SubprocessError, OSError):
        return ""


def _slurm_jobs(grid: Grid, folder: Path) -> Iterator[tuple[str, SchedulerJob]]:
    """Cell and job, for each job of a cell in Slurm's queue.

    The executor's comment is `rule_train_wildcards_CELL`, with the cell's slashes replaced. Which
    grid a job belongs to is told by the prefix that `reassess run` gives its name; a job without
    that prefix (a plain `snakemake`) is shown for every grid of its folder.
    """
    cells = {cell.replace("/", "_"): cell for cell in grid.cells}
    rules = {job.name for job in cell_jobs(grid)}
    for line in _output("squeue", "-h", "--me", "-o", SQUEUE).splitlines():
        number, state, place, comment, name, submitted_from = line.split("|", 5)
        rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
        prefix = name.rpartition("_")[0]
        if (
            rule in rules
            and wildcards in cells
            and Path(submitted_from).resolve() == folder.resolve()
            and (not prefix.startswith(JOB_NAME) or prefix == job_name(grid))
        ):
            yield (
                cells[wildcards],
                SchedulerJob(f"Slurm job {number}", rule, state, place.strip("()")),
            )


def _pods(grid: Grid, folder: Path) -> Iterator[tuple[str, SchedulerJob]]:
    """Cell and job, for each pod that runs or waits; a pod can score several cells."""
    cell_of = {
        str(path): cell
        for cell in grid.cells
        for job in cell_jobs(grid)
        for path in job.outputs(CellKey(cell))
    }
    listed = json.loads(_output("kubectl", "get", "pods", "-l", SELECTOR, "-o", "json") or "{}")
    for pod in listed.get("items", ()):
        metadata, phase = pod["metadata"], pod["status"]["phase"]
        submitted_from = Path(pod["spec"]["containers"][0].get("workingDir", "/"))
        if submitted_from.resolve() != folder.resolve() or phase not in ("Running", "Pending"):
            continue
        job = SchedulerJob(
            f"Kubernetes pod {metadata['name']}",
            metadata.get("labels", {}).get(RULE, "job"),
            phase.upper(),
            pod["spec"].get("nodeName", "") if phase == "Running" else _why_it_waits(pod["status"]),
        )
        outputs = json.loads(metadata.get("annotations", {}).get(OUTPUTS, "[]"))
        for cell in dict.fromkeys(cell_of[path] for path in outputs if path in cell_of):
            yield cell, job


def _why_it_waits(status: Json) -> str:
    reasons = [
        container["state"]["waiting"].get("reason", "")
        for container in status.get("containerStatuses", ())
        if container["state"].get("waiting")
    ]
    reasons += [
        condition.get("message", condition.get("reason", ""))
        for condition in status.get("conditions", ())
        if condition["status"] == "False"
    ]
    return next(filter(None, reasons), "not yet on a node")
