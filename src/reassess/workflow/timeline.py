"""When each job of a grid ran, by its record, beside the least time that all could have taken."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from math import isfinite
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.text import text_table
from reassess.figures import Bar, draw_timeline
from reassess.grid.study import Grid
from reassess.workflow.planning import Planning, Task
from reassess.workflow.records import Record

SAME_MOMENT = 0.5  # seconds by which two jobs of one core may seem to overlap: times are not exact


@dataclass(frozen=True)
class Span:
    """When a job ran, in seconds since 1970."""

    task: Task
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True)
class Timeline:
    """The finished jobs of a grid in the order of their start, and the longest chain of them.

    Attributes:
        spans: the jobs.
        lanes: the core of each, as if jobs kept to the first one that is free.
        chain: jobs of which each reads what the one before has made, and which take longest.
        cores: jobs that may run at once.
        missing: jobs whose times are not known.
    """

    spans: Sequence[Span]
    lanes: Sequence[int]
    chain: Sequence[Span]
    cores: int
    missing: int

    @property
    def real(self) -> float:
        """Seconds from the first start to the last end, without those in which nothing ran."""
        return max(span.end for span in self.spans) - self.spans[0].start - self.idle

    @property
    def idle(self) -> float:
        """Seconds between runs: where no job ran for a minute or longer."""
        idle, end = 0.0, self.spans[0].start
        for span in self.spans:
            idle += span.start - end if span.start - end >= 60 else 0
            end = max(end, span.end)
        return idle

    @property
    def work(self) -> float:
        """Seconds of all jobs."""
        return sum(span.seconds for span in self.spans)

    @property
    def longest(self) -> float:
        """Seconds of the longest chain."""
        return sum(span.seconds for span in self.chain)

    @property
    def bound(self) -> float:
        """The least time in which these jobs could run on these cores."""
        return max(self.longest, self.work / self.cores)


def timeline(grid: Grid, cores: int | None = None) -> Timeline:
    """Return when the finished jobs of a grid ran.

    Args:
        grid: the grid.
        cores: jobs that may run at once; None: as many as were seen to.

    Raises:
        ReassessError: no job has left its times.
    """
    planning = Planning(grid)
    found = {task: _span(grid, task) for task in planning.tasks}
    by_task = {task: span for task, span in found.items() if span is not None}
    if not by_task:
        raise ReassessError(f"{grid.source}: no job of grid {grid.config.grid!r} has finished yet")
    spans = sorted(by_task.values(), key=lambda span: (span.start, span.end, str(span.task)))
    lanes = _lanes(spans)
    chain = _longest_chain(planning, by_task)
    return Timeline(spans, lanes, chain, cores or max(lanes) + 1, len(found) - len(by_task))


def _span(grid: Grid, task: Task) -> Span | None:
    path = task.job.record(task.key)
    record = None if path is None else Record.read(path)
    if path is None or record is None or not record.complete:
        return None
    if record.started is not None and record.ended is not None:
        return Span(task, record.started, max(record.started, record.ended))
    return _span_of_earlier_version(grid, task, path, record)


def _span_of_earlier_version(grid: Grid, task: Task, path: Path, record: Record) -> Span | None:
    """By Snakemake's record of the job's seconds, which end when its last file was written."""
    parts = [str(getattr(task.key, name)) for name in task.job.wildcards() if _is_part(task, name)]
    seconds = _seconds(grid.paths.benchmark(task.job.name, *parts))
    written = [one.get("modified") for one in record.outputs.values()]
    times = [time / 1e9 for time in written if isinstance(time, int)]
    end = max(times) if times else path.stat().st_mtime
    return None if seconds is None else Span(task, end - seconds, end)


def _is_part(task: Task, name: str) -> bool:
    return not isinstance(getattr(task.key, name), bool)


def _seconds(benchmark: Path) -> float | None:
    try:
        with benchmark.open(encoding="utf-8", newline="") as lines:
            seconds = [float(row["s"]) for row in csv.DictReader(lines, delimiter="\t")]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seconds[-1] if seconds and isfinite(seconds[-1]) and seconds[-1] >= 0 else None


def _lanes(spans: Sequence[Span]) -> list[int]:
    ends: list[float] = []  # of the last job of each lane
    lanes = []
    for span in spans:
        free = [lane for lane, end in enumerate(ends) if end <= span.start + SAME_MOMENT]
        lane = free[0] if free else len(ends)
        ends[lane:] = [span.end] if lane == len(ends) else [span.end, *ends[lane + 1 :]]
        lanes.append(lane)
    return lanes


def _longest_chain(planning: Planning, spans: Mapping[Task, Span]) -> list[Span]:
    found = {task: [planning.makers.get(path) for path in task.inputs] for task in spans}
    makers = {
        task: {maker for maker in made if maker is not None and maker in spans}
        for task, made in found.items()
    }
    seconds: dict[Task, float] = {}
    before: dict[Task, Task | None] = {}
    for task in TopologicalSorter(makers).static_order():
        last = max(makers[task], key=lambda maker: (seconds[maker], str(maker)), default=None)
        before[task] = last
        seconds[task] = spans[task].seconds + (0.0 if last is None else seconds[last])
    link: Task | None = max(seconds, key=lambda task: (seconds[task], str(task)))
    chain = []
    while link is not None:
        chain.append(spans[link])
        link = before[link]
    return chain[::-1]


def as_text(found: Timeline) -> str:
    """Return a timeline as text: seconds of each rule, the longest chain, and the bound."""
    rules = dict.fromkeys(span.task.job.name for span in found.spans)
    rows = []
    for rule in rules:
        seconds = [span.seconds for span in found.spans if span.task.job.name == rule]
        share = sum(seconds) / found.work if found.work else 0.0
        total, longest = f"{sum(seconds):.1f}", f"{max(seconds):.1f}"
        rows.append((rule, str(len(seconds)), total, longest, f"{share:.0%}"))
    chain = [f"  {span.seconds:8.1f} s  {span.task}" for span in found.chain]
    lines = [
        text_table(("rule", "jobs", "seconds", "longest", "share"), rows),
        f"longest chain: {found.longest:.1f} s",
        *chain,
        f"total work:    {found.work:.1f} s, by {found.cores} cores: "
        f"{found.work / found.cores:.1f} s",
        f"real time:     {summary(found)}",
    ]
    if found.idle:
        lines.append(f"left out:      {found.idle:.0f} s in which nothing ran for a minute or more")
    if found.missing:
        lines.append(f"without times: {found.missing} jobs, not finished or of an earlier version")
    return "\n".join(lines)


def summary(found: Timeline) -> str:
    """Return the real time, the bound and their ratio in one line."""
    ratio = f"{found.real / found.bound:.2f}" if found.bound else "-"
    return f"{found.real:.1f} s = {ratio} x the bound of {found.bound:.1f} s"


def draw(found: Timeline, path: Path) -> None:
    """Draw a timeline to a file, by core, jobs of the longest chain framed."""
    chain = {span.task for span in found.chain}
    begin = found.spans[0].start
    bars = [
        Bar(span.task.job.name, lane, span.start - begin, span.seconds, span.task in chain)
        for span, lane in zip(found.spans, found.lanes, strict=True)
    ]
    draw_timeline(bars, found.bound, summary(found), path)
