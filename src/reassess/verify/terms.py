"""Whether `study.json` is what `collect` would write of its config and its cells today."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from math import inf

from reassess.bundles.collect import study_of
from reassess.bundles.merge import study_of_both
from reassess.core.files import Json
from reassess.grid.study import Grid
from reassess.verify.stored import Stored, differing, shown
from reassess.worlds.base import world_of

NOT_DERIVED = ("arm_order", "traces", "costs", "pool")  # checked by themselves
SHARES = (
    "prompts",
    "kept",
    "yield",
    "tokens",
    "undecided",
    "content_hash",
)  # of the report on traces: what sampling gave
HOURS = {"measured_jobs", "estimated_hours", "measured_hours"}
ROUNDING = 1e-4  # hours are stored with four decimals


Size = Callable[[Grid, str], int | None]  # of a split; None where it is not known


def check_terms(stored: Stored, size_of: Size) -> Iterator[str]:
    """Yield what differs from the study's terms as they follow from config and manifests.

    Args:
        stored: the bundle.
        size_of: the number of items of a split of a grid's pool.
    """
    study = stored.bundle.study
    derived = reduce(study_of_both, [study_of(grid, {}) for grid in stored.grids])
    if len(stored.grids) == 1:
        derived.pop("merged", None)
    own, ours = ({k: v for k, v in one.items() if k not in NOT_DERIVED} for one in (study, derived))
    yield from differing(own, ours, "study.json")
    if sorted(study["arm_order"]) != sorted(derived["arm_order"]):
        yield from differing(
            sorted(study["arm_order"]), sorted(derived["arm_order"]), "study.json.arm_order"
        )
    yield from _traces(stored, size_of)
    yield from _costs(stored)


# --- traces ---------------------------------------------------------------------------------------


def _traces(stored: Stored, size_of: Size) -> Iterator[str]:
    """Yield what differs in the reports on traces: their specs, prompts, and shares."""
    reports = stored.bundle.study["traces"]
    expected = {
        f"{family}/{name}": (grid, family, name)
        for grid in stored.grids
        for family in grid.config.teachers
        for name in grid.config.distributions
    }
    for key in sorted({*reports} - {*expected}):
        yield f"study.json.traces.{key}: no family and distribution of the config"
    used = {
        f"{row['family']}/{row['distribution']}": row["size"]
        for row in sorted(stored.rows.values(), key=lambda row: row["size"] or 0)
        if row["kind"] != "none" and row["status"] == "done"
    }
    for key in sorted({*used} - {*reports}):
        yield f"study.json.traces.{key}: missing, though cells trained on them"
    for key in sorted({*reports} & {*expected}):
        where, report = f"study.json.traces.{key}", dict(reports[key])
        parts = {name: report.pop(name, None) for name in SHARES}
        yield from differing(report, _report(stored, *expected[key]), where)
        yield from _shares(parts, expected[key], where)
        grid, _, distribution = expected[key]
        due = size_of(grid, grid.world.train_split(distribution))
        if due is not None and parts["prompts"] != due:
            yield f"{where}.prompts: stored as {parts['prompts']!r}, derived as {due}"
        if key in used and (parts["kept"] or 0) < used[key]:
            yield f"{where}.kept: {parts['kept']}, but a cell trained on {used[key]} rows"


def _report(stored: Stored, grid: Grid, family: str, distribution: str) -> Json:
    """What a report on traces states that follows from the config."""
    settings = grid.config.distributions[distribution]
    sampled = settings.source == "teacher"
    report: Json = {
        "samples_per_prompt": settings.samples if sampled else 1,
        "temperature": settings.temperature if sampled else None,
        "source": settings.source,
        "spec_hash": stored.specs(grid).traces_hash(family, distribution),
    }
    return report


def _shares(parts: Json, of: tuple[Grid, str, str], where: str) -> Iterator[str]:
    """Yield what does not fit together in a report: traces kept, their share, their tokens."""
    grid, _, distribution = of
    kept, prompts = parts["kept"], parts["prompts"]
    sampled = grid.config.distributions[distribution].source == "teacher"
    if not isinstance(kept, int) or not isinstance(prompts, int) or not 0 <= kept <= prompts:
        yield f"{where}.kept: {kept!r} of {prompts!r} prompts"
    elif parts["yield"] != kept / prompts:
        yield f"{where}.yield: stored as {parts['yield']!r}, derived as {kept / prompts!r}"
    if isinstance(parts["tokens"], int) is not sampled:
        yield f"{where}.tokens: {parts['tokens']!r}, of {'sampled' if sampled else 'given'} traces"
    for name in ("tokens", "undecided"):
        if parts[name] is not None and (type(parts[name]) is not int or parts[name] < 0):
            yield f"{where}.{name}: {shown(parts[name])} is no number of {name}"


def _is_amount(value: object) -> bool:
    """Whether a value is a number that something can have taken or cost."""
    return type(value) in (int, float) and 0 <= value < inf  # type: ignore[operator]


# --- costs ----------------------------------------------------------------------------------------


def _costs(stored: Stored) -> Iterator[str]:
    """Yield measured hours that the manifests do not give."""
    if len(stored.grids) > 1:
        if "costs" in stored.bundle.study:
            yield "study.json.costs: a merged bundle has none"
        return
    costs = stored.bundle.study["costs"]
    for rule in sorted({*costs} - {"sample_shard", "train", "evaluate"}):
        yield f"study.json.costs.{rule}: no rule whose hours are measured"
    for rule, hours in costs.items():
        if {*hours} != HOURS:
            yield f"study.json.costs.{rule}: has the entries {', '.join(sorted(hours))}"
        for name, value in hours.items():
            if not _is_amount(value) and not (value is None and name == "estimated_hours"):
                yield f"study.json.costs.{rule}.{name}: {shown(value)} is no number of {name}"
    for rule, jobs in (("train", _trained(stored)), ("evaluate", _evaluated(stored))):
        if jobs is None:
            continue
        measured = round(sum(part for _, part in jobs) / 3600, 4)
        held = costs.get(rule) or {}
        if abs((held.get("measured_hours") or 0) - measured) <= ROUNDING:
            measured = float(
                held.get("measured_hours") or 0
            )  # the order of a sum may move its last digit
        derived = {
            "measured_jobs": len(jobs),
            "estimated_hours": sum(estimate for estimate, _ in jobs) or None,
            "measured_hours": measured,
        }
        if jobs or held:
            yield from differing(held, derived, f"study.json.costs.{rule}")


def _trained(stored: Stored) -> list[tuple[float, float]] | None:
    """Estimated hours and measured seconds of each training; None if the bundle lacks some."""
    (grid,) = stored.grids
    jobs = []
    for cell_id, cell in grid.trained.items():
        train = stored.records.get(cell_id, {}).get("train")
        if not train:
            return None  # trained only to start from, or failed after it
        processes = train.get("layout", {}).get("processes", 1)
        estimate = world_of(grid).training_cost(grid, cell).gpu_hours
        jobs.append((estimate, train["seconds"] * processes))
    return jobs


def _evaluated(stored: Stored) -> list[tuple[float, float]] | None:
    (grid,) = stored.grids
    jobs = []
    for cell_id, cell in grid.cells.items():
        record = stored.records.get(cell_id)
        if not record:
            return None
        processes = grid.world.engine_layout(cell.model).processes
        estimate = world_of(grid).evaluation_cost(grid, cell).gpu_hours
        jobs.append((estimate, record["evaluate"]["seconds"] * processes))
    return jobs
