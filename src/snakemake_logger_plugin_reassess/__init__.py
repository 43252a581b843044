"""Progress of a grid: cells done, running and failed, time elapsed and time left.

A logger plugin of Snakemake, which finds it by its name (`--logger reassess`). On a terminal one
line is kept up to date; elsewhere one plain line is printed at the end of each job.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import ERROR, LogRecord
from pathlib import Path
from typing import TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from reassess.core.secrets import redact
from reassess.core.text import printable

LAST_LINES = 5
LONGEST = 200  # characters of the line on a terminal
CELL_RULES = ("train", "evaluate")


@dataclass
class Progress:
    """The jobs of a run.

    Attributes:
        total: number of jobs.
        done: jobs that have ended well.
        failed: jobs that have failed.
        started: when the run began.
        names: by job, its rule and its name.
        running: by job, when it started.
        waiting: by rule, jobs that have not ended.
        took: by rule, seconds of its jobs that ended well.
        cells: cells to score in this run.
        cell_of: by job, the cell it trains or scores.
        cells_done: cells that are scored.
        cells_failed: cells with a failed job.
        workers: jobs at once.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    running: dict[int, float] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)
    cells: int = 0
    cell_of: dict[int, str] = field(default_factory=dict)
    cells_done: set[str] = field(default_factory=set)
    cells_failed: set[str] = field(default_factory=set)
    workers: int = 1

    def begin(self, stats: Mapping[str, int]) -> None:
        """Set the number of jobs of each rule."""
        self.waiting = {str(rule): int(count) for rule, count in stats.items() if rule != "total"}
        self.total = sum(self.waiting.values())
        self.cells = self.waiting.get("evaluate", 0)

    def end(self, job: int, failed: bool) -> str:
        """Record the end of a job; return its name."""
        rule, name = self.names.get(job, ("job", str(job)))
        started = self.running.pop(job, None)
        self.waiting[rule] = max(0, self.waiting.get(rule, 1) - 1)
        cell = self.cell_of.get(job)
        if failed:
            self.failed += 1
            self.cells_failed |= {cell} if cell else set()
        else:
            self.done += 1
            self.cells_done |= {cell} if cell and rule == "evaluate" else set()
            if started is not None:
                self.took.setdefault(rule, []).append(time.monotonic() - started)
        return name

    def name(self, job: int) -> str:
        """The name of a job: its rule and wildcards, or its number where they are unknown."""
        return self.names.get(job, ("", str(job)))[1]

    def seconds_left(self) -> float | None:
        """An estimate of the time left, from the mean time of each rule's jobs; None at first."""
        if not self.took:
            return None
        means = {rule: sum(times) / len(times) for rule, times in self.took.items()}
        overall = sum(means.values()) / len(means)
        work = sum(count * means.get(rule, overall) for rule, count in self.waiting.items())
        now = time.monotonic()
        elapsed = sum(
            min(now - start, means.get(self.names.get(job, ("", ""))[0], overall))
            for job, start in self.running.items()
        )
        return max(0.0, work - elapsed) / max(1, self.workers)

    def line(self) -> str:
        """The state of the run in one line."""
        left = self.seconds_left()
        estimate = "estimating" if left is None else f"about {clock(left)} left"
        running = len({self.cell_of[job] for job in self.running if job in self.cell_of})
        cells = (
            f"cells: {len(self.cells_done)} of {self.cells} done, {running} running, "
            f"{len(self.cells_failed)} failed"
        )
        failed = f", {self.failed} failed" if self.failed else ""
        elapsed = clock(time.monotonic() - self.started)
        return f"{cells} | jobs: {self.done} of {self.total}{failed} | {elapsed} gone, {estimate}"


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Prints the progress of a run."""

    def __post_init__(self) -> None:
        """Start with an empty run."""
        self.progress = Progress()
        self.stream: TextIO = sys.stderr
        self.live = self.stream.isatty()

    @property
    def writes_to_stream(self) -> bool:
        """Yes, to standard error."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """No."""
        return False

    @property
    def has_filter(self) -> bool:
        """Yes: `emit` selects records."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Yes: lines are formatted here."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """No."""
        return False

    def emit(self, record: LogRecord) -> None:
        """Show one of Snakemake's events."""
        event = getattr(record, "event", None)
        act = {
            LogEvent.RUN_INFO: self._run,
            LogEvent.RESOURCES_INFO: self._resources,
            LogEvent.JOB_INFO: self._job,
            LogEvent.JOB_STARTED: self._start,
            LogEvent.JOB_FINISHED: self._finish,
            LogEvent.JOB_ERROR: self._fail,
        }.get(event)  # type: ignore[arg-type]
        try:
            if act is not None:
                act(record)
            elif record.levelno >= ERROR and record.getMessage() not in ("None", ""):
                self._say(record.getMessage())
        except Exception:
            self.handleError(record)

    def _run(self, record: LogRecord) -> None:
        self.progress.begin(dict(getattr(record, "stats", {})))

    def _resources(self, record: LogRecord) -> None:
        self.progress.workers = int(getattr(record, "cores", None) or self.progress.workers)

    def _job(self, record: LogRecord) -> None:
        rule, job = str(getattr(record, "rule_name", "job")), int(getattr(record, "jobid", 0))
        wildcards = getattr(record, "wildcards", None) or {}
        name = " ".join([rule, *(str(value) for value in dict(wildcards).values())])
        self.progress.names[job] = (rule, name)
        if rule in CELL_RULES:
            self.progress.cell_of[job] = str(dict(wildcards).get("cell", ""))
        self.progress.running[job] = time.monotonic()
        self._refresh()

    def _start(self, record: LogRecord) -> None:
        jobs = getattr(record, "jobs", None) or getattr(record, "job_ids", [])
        for job in jobs if isinstance(jobs, list) else [jobs]:
            self.progress.running[int(job)] = time.monotonic()

    def _finish(self, record: LogRecord) -> None:
        name = self.progress.end(int(getattr(record, "job_id", 0)), failed=False)
        if self.live:
            self._refresh()
        else:
            self._say(f"{self.progress.line()} | ended: {name}")

    def _fail(self, record: LogRecord) -> None:
        name = self.progress.end(int(getattr(record, "jobid", 0)), failed=True)
        self._say(f"FAILED: {name}")
        for log in getattr(record, "log", None) or []:
            path = Path(str(log))
            if path.is_file():
                self._say(f"  the end of {path}:")
                for line in path.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]:
                    self._say(f"  | {line}")
        self._refresh()

    def _say(self, text: str) -> None:
        if self.live:
            self.stream.write("\r\033[K")
        self.stream.write(printable(redact(text)) + "\n")  # it may be the end of a job's log
        self._refresh()

    def _refresh(self) -> None:
        if self.live:
            current = ", ".join(map(self.progress.name, sorted(self.progress.running)))
            line = printable(f"{self.progress.line()} | now: {current}", lines=False)
            self.stream.write(f"\r\033[K{line}"[:LONGEST])
        self.stream.flush()
