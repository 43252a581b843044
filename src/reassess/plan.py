"""What a grid will cost before anything is submitted, and afterwards what it did cost: rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reassess.files import read_json

if TYPE_CHECKING:
    from reassess.grid import Grid

HEADER = ("rule", "jobs", "GPU-hours", "money", "disk, GB", "download, GB")


@dataclass(frozen=True)
class Estimate:
    """What one job costs.

    Attributes:
        gpus: GPUs it asks for.
        gpu_hours: GPUs times hours.
        disk_gb: what it leaves.
        scratch_gb: what it needs while it runs.
        download_gb: what it downloads.
    """

    gpus: int = 0
    gpu_hours: float = 0.0
    disk_gb: float = 0.0
    scratch_gb: float = 0.0
    download_gb: float = 0.0

    @property
    def hours(self) -> float:
        """Hours by the clock."""
        return self.gpu_hours / max(1, self.gpus)


@dataclass
class Line:
    """The jobs of one rule."""

    rule: str
    jobs: int = 0
    gpu_hours: float = 0.0
    disk_gb: float = 0.0
    download_gb: float = 0.0
    largest_scratch_gb: float = 0.0
    longest_hours: float = 0.0

    def add(self, one: Estimate) -> None:
        """Count a job."""
        self.jobs += 1
        self.gpu_hours += one.gpu_hours
        self.disk_gb += one.disk_gb
        self.download_gb += one.download_gb
        self.largest_scratch_gb = max(self.largest_scratch_gb, one.scratch_gb)
        self.longest_hours = max(self.longest_hours, one.hours)

    def plus(self, other: Line) -> None:
        """Add another rule's jobs."""
        self.jobs += other.jobs
        for name in ("gpu_hours", "disk_gb", "download_gb"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.largest_scratch_gb = max(self.largest_scratch_gb, other.largest_scratch_gb)
        self.longest_hours = max(self.longest_hours, other.longest_hours)


def plan(grid: Grid) -> list[Line]:
    """Return a line for each rule that costs something, and the total last."""
    lines: dict[str, Line] = {}
    for rule, estimate in _jobs(grid):
        lines.setdefault(rule, Line(rule)).add(estimate)
    total = Line("total")
    for line in lines.values():
        total.plus(line)
    return [*lines.values(), total]


def _jobs(grid: Grid) -> Iterator[tuple[str, Estimate]]:
    world = grid.world
    yield from (("fetch", estimate) for estimate in world.download_costs(grid))
    for family in sorted(grid.config.teachers):
        for name, distribution in grid.config.distributions.items():
            if distribution.source == "teacher":
                yield from (("sample_shard", world.shard_cost(grid, family, name)) for _ in range(distribution.shards))
    yield from (("train", world.training_cost(grid, cell)) for cell in grid.trained.values())
    yield from (("evaluate", world.evaluation_cost(grid, cell)) for cell in grid.cells.values())


def as_table(lines: list[Line], price: float, currency: str) -> str:
    """Return a plan as text, in columns; money at a price a GPU-hour."""
    rows = [HEADER]
    for line in lines:
        money = f"{line.gpu_hours * price:,.0f} {currency}"
        rows.append(
            (line.rule, str(line.jobs), f"{line.gpu_hours:,.1f}", money, f"{line.disk_gb:,.1f}", f"{line.download_gb:,.1f}")
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    text = [f"{row[0]:<{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:])) for row in rows]
    total = lines[-1]
    text.append(
        f"longest job {total.longest_hours:.1f} h; largest trainer checkpoints of one job {total.largest_scratch_gb:,.0f} GB"
    )
    return "\n".join(text)


def compared(grid: Grid) -> dict[str, dict[str, float | int | None]]:
    """Return by rule the hours of processors that were estimated and that finished jobs took, counting those jobs alone.

    A processor is a GPU, or a process on a CPU. The estimate is None where the world makes none.
    """
    world = grid.world
    found: dict[str, list[tuple[float, float]]] = {}  # estimated hours and measured seconds of each job
    for family in sorted(grid.config.teachers):
        for name, distribution in grid.config.distributions.items():
            report = grid.traces_file(family, name).with_suffix(".json")
            if distribution.source == "teacher" and report.is_file():
                gpus = world.engine_layout(world.teacher_model(family, name)).processes
                hours = distribution.shards * world.shard_cost(grid, family, name).gpu_hours
                found.setdefault("sample_shard", []).append((hours, read_json(report)["seconds"] * gpus))
    for cell in grid.trained.values():
        if (manifest := grid.cell_dir(cell) / "train.json").is_file():
            run = read_json(manifest)
            seconds = run["seconds"] * run.get("layout", {}).get("processes", 1)  # early manifests have none
            found.setdefault("train", []).append((world.training_cost(grid, cell).gpu_hours, seconds))
    for cell in grid.cells.values():
        folder = grid.cell_dir(cell)
        if (folder / "scores.json").is_file():
            run = read_json(folder / "scores.json")["manifest"]
            seconds = run["seconds"] * world.engine_layout(cell.model).processes
            found.setdefault("evaluate", []).append((world.evaluation_cost(grid, cell).gpu_hours, seconds))
    return {
        rule: {
            "measured_jobs": len(jobs),
            "estimated_hours": sum(hours for hours, _ in jobs) or None,
            "measured_hours": round(sum(seconds for _, seconds in jobs) / 3600, 4),
        }
        for rule, jobs in found.items()
    }
