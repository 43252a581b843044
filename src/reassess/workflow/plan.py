"""What a grid will cost and request before anything is submitted, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reassess.core.text import text_table
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.workflow.jobs import jobs_of
from reassess.workflow.resources import Resources, with_profile

HEADER = ("rule", "jobs", "GPU-hours", "money", "disk, GB", "download, GB")


@dataclass
class RuleCost:
    """What the jobs of one rule cost together."""

    rule: str
    jobs: int = 0
    gpu_hours: float = 0.0
    disk_gb: float = 0.0
    download_gb: float = 0.0
    largest_scratch_gb: float = 0.0
    longest_hours: float = 0.0

    def add(self, job: Estimate) -> None:
        """Count a job."""
        self.plus(
            RuleCost(
                self.rule,
                1,
                job.gpu_hours,
                job.disk_gb,
                job.download_gb,
                job.scratch_gb,
                job.hours,
            )
        )

    def plus(self, other: RuleCost) -> None:
        """Add another rule's jobs."""
        self.jobs += other.jobs
        self.gpu_hours += other.gpu_hours
        self.disk_gb += other.disk_gb
        self.download_gb += other.download_gb
        self.largest_scratch_gb = max(self.largest_scratch_gb, other.largest_scratch_gb)
        self.longest_hours = max(self.longest_hours, other.longest_hours)


def plan(grid: Grid) -> list[RuleCost]:
    """Return the cost of each rule that costs something, and the total last."""
    costs: dict[str, RuleCost] = {}
    for job in jobs_of(grid):
        for key in job.needed():
            if (estimate := job.cost(key)) is not None:
                costs.setdefault(job.name, RuleCost(job.name)).add(estimate)
    total = RuleCost("total")
    for cost in costs.values():
        total.plus(cost)
    return [*costs.values(), total]


def as_table(costs: list[RuleCost], price: float, currency: str) -> str:
    """Return a plan as text, in columns; money at a price a GPU-hour."""
    rows = [
        (
            cost.rule,
            str(cost.jobs),
            f"{cost.gpu_hours:,.1f}",
            f"{cost.gpu_hours * price:,.0f} {currency}",
            f"{cost.disk_gb:,.1f}",
            f"{cost.download_gb:,.1f}",
        )
        for cost in costs
    ]
    total = costs[-1]
    return (
        f"{text_table(HEADER, rows)}\n"
        f"longest job {total.longest_hours:.1f} h; "
        f"largest trainer checkpoints of one job {total.largest_scratch_gb:,.0f} GB"
    )


def requests(grid: Grid, profile: Mapping[str, object]) -> dict[str, Resources]:
    """Return by rule the most that a job of the grid requests of a cluster, and the same of groups.

    Args:
        grid: the grid.
        profile: settings of a profile, whose `set-resources` count instead where they are numbers.
    """
    largest: dict[str, Resources] = {}
    groups: dict[str, Resources] = {}
    for job in jobs_of(grid):
        for key in job.needed():
            request = job.resources(key)
            largest[job.name] = request.at_least(largest.get(job.name, request))
            if job.group is not None:  # its jobs run one after another
                sum_of = groups.get(job.group, Resources(0, 1, 0, 0))
                both = request.at_least(sum_of)
                groups[job.group] = replace(both, minutes=request.minutes + sum_of.minutes)
    with_settings = {rule: with_profile(rule, one, profile) for rule, one in largest.items()}
    return {**with_settings, **groups}
