"""What `reassess run` would run, answered from the records, without Snakemake.

Snakemake takes milliseconds for each job of a grid to say what is due, finished or not. Here the
same rules are applied to `Planning` alone; where they do not decide, Snakemake is asked.
`tests/workflow/test_due.py` compares both in every state of a grid.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

from reassess.core.text import text_table
from reassess.workflow.jobs.draw import DrawJob
from reassess.workflow.planning import Planning, Standing, Task


def due(planning: Planning) -> Counter[str] | None:
    """Return by rule how many jobs Snakemake would run for everything; None if it must be asked.

    A finished job has no inputs in the rules. So what Snakemake looks at is what is drawn, what is
    stale, and what those that are not finished read, and so on; and of that it runs

    - what is stale: it is forced;
    - what is absent: something that runs reads it, or it is drawn;
    - what lacks a file that something reads, or reads what is made again.

    A job that lacks only files that nobody reads would be judged by the times of its inputs, and an
    input that nobody makes would be an error: those are left to Snakemake.
    """
    standings = _looked_at(planning)
    if standings is None:
        return None
    unfinished = {task: standing for task, standing in standings.items() if standing != "current"}
    runs = _running(planning, unfinished)
    return Counter(task.job.name for task in runs) if len(runs) == len(unfinished) else None


def _running(planning: Planning, unfinished: Mapping[Task, Standing]) -> set[Task]:
    """Of unfinished jobs, those that certainly run."""
    makers = {
        task: [(path, maker) for path in task.inputs if (maker := planning.makers.get(path))]
        for task in unfinished
    }
    readers: dict[Task, list[Task]] = {}
    for task, made in makers.items():
        for _, maker in made:
            readers.setdefault(maker, []).append(task)
    queue = deque(
        task
        for task, standing in unfinished.items()
        if standing == "stale" or isinstance(task.job, DrawJob)
    )
    runs: set[Task] = set()
    while queue:
        task = queue.popleft()
        if task not in runs:
            runs.add(task)
            queue.extend(maker for path, maker in makers[task] if not path.exists())
            queue.extend(readers.get(task, ()))
    return runs & unfinished.keys()


def _looked_at(planning: Planning) -> dict[Task, Standing] | None:
    """The jobs that Snakemake looks at; None if one of them reads what nobody makes or has made."""
    standings: dict[Task, Standing] = {}
    queue = deque(_roots(planning))
    while queue:
        task = queue.popleft()
        if task in standings:
            continue
        standings[task] = planning.standing(task)
        for path in task.inputs if standings[task] != "current" else ():
            if (maker := planning.makers.get(path)) is not None:
                queue.append(maker)
            elif not path.exists():
                return None
    return standings


def _roots(planning: Planning) -> Iterator[Task]:
    """What is drawn, and what is stale before the bundle: the inputs of the rule `all`."""
    for task in planning.tasks:
        stale = task.job.group is None and planning.standing(task) == "stale"
        if stale or isinstance(task.job, DrawJob):
            yield task


def as_text(counts: Counter[str], order: Sequence[str]) -> str:
    """Return what is due as text, in columns, rules in a given order."""
    if not counts:
        return "nothing to do: everything is up to date"
    rows = [(rule, str(counts[rule])) for rule in order if counts[rule]]
    return text_table(("rule", "jobs"), [*rows, ("total", str(counts.total()))])
