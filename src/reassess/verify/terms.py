"""Whether `study.json` is what `collect` would write of its config and its cells today."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, product
from math import inf, isclose
from typing import Any, TypeGuard

from reassess.bundles.collect import study_of
from reassess.bundles.merge import study_of_both
from reassess.config.load import validated
from reassess.config.schema import LOCAL, Distribution
from reassess.core.files import Json, canonical_json, sha256_text
from reassess.data.traces import traces_hash
from reassess.grid.study import Grid
from reassess.verify.fields import TYPES
from reassess.verify.stored import Stored, differing, shown
from reassess.worlds.base import world_of

NOT_DERIVED = (
    "arm_order",
    "traces",
    "costs",
    "pool",
    "claims",
    "claims_hash",
    "made",
)  # checked by themselves
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


Splits = Callable[[Grid], Mapping[str, Sequence[Any]] | None]  # of a pool; None: not known here


def check_terms(stored: Stored, splits_of: Splits) -> Iterator[str]:
    """Yield what differs from the study's terms as they follow from config and manifests.

    Args:
        stored: the bundle.
        splits_of: the items of a grid's pool, by split.
    """
    study = stored.bundle.study
    configs = [terms["config"] for terms in study.get("merged", [study])]
    derived = reduce(study_of_both, map(_study_of, stored.grids, configs))
    if len(stored.grids) == 1:
        derived.pop("merged", None)
    own, ours = ({k: v for k, v in one.items() if k not in NOT_DERIVED} for one in (study, derived))
    yield from differing(own, ours, "study.json")
    if sorted(study["arm_order"]) != sorted(derived["arm_order"]):
        yield from differing(
            sorted(study["arm_order"]), sorted(derived["arm_order"]), "study.json.arm_order"
        )
    yield from _traces(stored, splits_of)
    yield from _costs(stored)


def _study_of(grid: Grid, config: Json) -> Json:
    """The terms of a grid, with its config as whoever ran it stated it: with relative paths."""
    stated = validated(config, grid.source).model_dump(mode="json", exclude=LOCAL)
    config_hash = sha256_text(canonical_json(stated))
    return {**study_of(grid, {}), "config": stated, "config_hash": config_hash}


# --- traces ---------------------------------------------------------------------------------------


def _traces(stored: Stored, splits_of: Splits) -> Iterator[str]:
    """Yield what differs in the reports on traces: their specs, prompts, and shares.

    A report is that of every grid that trained on its traces; if none did, of any that names them.
    """
    reports = stored.bundle.study["traces"]
    naming: dict[str, list[Grid]] = {}
    for grid in stored.grids:
        for family, name in product(grid.config.teachers, grid.config.distributions):
            naming.setdefault(f"{family}/{name}", []).append(grid)
    for key in sorted({*reports} - {*naming}):
        yield f"study.json.traces.{key}: no family and distribution of the config"
    used = _used(stored)
    for key in sorted({key for _, key in used} - {*reports}):
        yield f"study.json.traces.{key}: missing, though cells trained on its questions"
    for key in sorted({*reports} & {*naming}):
        found = {
            grid: [*_trace(stored, grid, key, splits_of(grid), used.get((grid, key), 0))]
            for grid in naming[key]
        }
        of_users = [problems for grid, problems in found.items() if (grid, key) in used]
        yield from dict.fromkeys(chain(*(of_users or [min(found.values(), key=len)])))


def _trace(
    stored: Stored,
    grid: Grid,
    key: str,
    splits: Mapping[str, Sequence[Any]] | None,
    used: int,
) -> Iterator[str]:
    """Yield what differs in a report on traces from what a grid gives.

    Args:
        stored: the bundle.
        grid: the grid.
        key: the traces, as `family/distribution`.
        splits: the items of the grid's pool, by split; None: not known here.
        used: the most rows that a cell of the grid trained on.
    """
    family, _, distribution = key.partition("/")
    where, report = f"study.json.traces.{key}", dict(stored.bundle.study["traces"][key])
    parts = {name: report.pop(name, None) for name in SHARES}
    yield from differing(report, _report(stored, grid, family, distribution), where)
    split = grid.world.train_split(distribution)
    items = None if splits is None else splits[split]
    count = _items_of(stored, split) if items is None else len(items)
    if count is not None and parts["prompts"] != count:
        yield f"{where}.prompts: stored as {shown(parts['prompts'])}, derived as {count}"
    if grid.config.distributions[distribution].source == "teacher":
        yield from _sampled(parts, grid.config.distributions[distribution], where)
    else:
        yield from _given(parts, grid, items, distribution, where)
    if parts["content_hash"] is not None and not TYPES["SHA-256"](parts["content_hash"]):
        yield f"{where}.content_hash is {shown(parts['content_hash'])}, no SHA-256"
    if (parts["kept"] or 0) < used:
        yield f"{where}.kept: {parts['kept']}, but a cell trained on {used} rows"


def _items_of(stored: Stored, split: str) -> int | None:
    """The number of items of a split, as the bundle states it; None if it does not."""
    items = stored.bundle.study.get("pool", {}).get(split, {}).get("items")
    return items if isinstance(items, int) else None


def _used(stored: Stored) -> dict[tuple[Grid, str], int]:
    """The most rows that a cell trained on, by grid and traces (`family/distribution`).

    The rows of a cell have a trace in every distribution with the same questions.
    """
    used: dict[tuple[Grid, str], int] = {}
    for grid, cell in stored.scored():
        if cell.distribution is None or grid.kind(cell) == "none":
            continue
        for name in grid.specs.sharing_questions(cell.distribution):
            key = grid, f"{grid.family(cell.model)}/{name}"
            used[key] = max(used.get(key, 0), cell.size or 0)
    return used


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


def _sampled(parts: Json, settings: Distribution, where: str) -> Iterator[str]:
    """Yield what does not fit together in a report on traces that a teacher has written."""
    yield from _kept(parts, where)
    prompts, kept = (parts[n] if type(parts[n]) is int else 0 for n in ("prompts", "kept"))
    samples = prompts * settings.samples
    bounds = {"tokens": (kept, samples * settings.max_new_tokens), "undecided": (1, samples)}
    for name, (least, most) in bounds.items():
        value = parts[name]
        if name == "undecided" and value is None:
            continue  # recorded only where there are any
        if type(value) is not int or not least <= value <= most:
            yield f"{where}.{name}: {shown(value)} is no number of {name}, {least} to {most}"


def _given(
    parts: Json, grid: Grid, items: Sequence[Any] | None, distribution: str, where: str
) -> Iterator[str]:
    """Yield what the world would give otherwise in a report on traces that it wrote itself."""
    yield from _kept(parts, where)
    for name in ("tokens", "undecided"):
        if parts[name] is not None:
            yield f"{where}.{name}: {shown(parts[name])}, of given traces"
    if items is None:
        return
    traces = world_of(grid).given_traces(grid, items, distribution)
    if parts["kept"] != len(traces):
        yield f"{where}.kept: stored as {shown(parts['kept'])}, derived as {len(traces)}"
    content = traces_hash({item.id: traces[item.id] for item in items if item.id in traces})
    if parts["content_hash"] not in (None, content):  # earlier versions wrote none
        held = shown(parts["content_hash"])
        yield f"{where}.content_hash: stored as {held}, derived as {content}"


def _kept(parts: Json, where: str) -> Iterator[str]:
    kept, prompts = parts["kept"], parts["prompts"]
    whole = type(kept) is int and type(prompts) is int
    if not whole or not 0 <= kept <= prompts or not prompts:
        yield f"{where}.kept: {shown(kept)} of {shown(prompts)} prompts"
    elif parts["yield"] != kept / prompts:
        yield f"{where}.yield: stored as {shown(parts['yield'])}, derived as {kept / prompts!r}"


def _is_amount(value: object) -> TypeGuard[float]:
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
    for rule, jobs in _jobs(stored).items():
        held, where = costs.get(rule) or {}, f"study.json.costs.{rule}"
        if jobs.known and not held:
            yield f"{where}: missing, though its jobs have run"
        elif held and jobs.others:
            yield from _bounded(held, jobs, where)
        elif held:
            yield from differing(held, _exact(held, jobs), where)


@dataclass(frozen=True)
class Jobs:
    """The jobs of a rule.

    Attributes:
        known: of those with a manifest or report, the estimated hours and the measured seconds.
        others: of those without, which may have run or not, the estimated hours.
        timed: whether the seconds are known: reports on traces are stored without them.
    """

    known: list[tuple[float, float]]
    others: list[float]
    timed: bool = True

    @property
    def measured(self) -> float:
        """The hours of those that are known to have run."""
        return round(sum(seconds for _, seconds in self.known) / 3600, 4)

    @property
    def estimated(self) -> float:
        """The hours that those were estimated to take."""
        return sum(estimate for estimate, _ in self.known)


def _exact(held: Json, jobs: Jobs) -> Json:
    """The costs of jobs that are all known to have run.

    The order of a sum moves its last digits: a number that differs by no more stands as stored.
    """
    hours, estimate = held.get("measured_hours"), held.get("estimated_hours")
    measured, estimated = jobs.measured, jobs.estimated or None
    if _is_amount(hours) and (not jobs.timed or abs(hours - measured) <= ROUNDING):
        measured = float(hours)
    if estimated and _is_amount(estimate) and isclose(estimate, estimated):
        estimated = float(estimate)
    return {
        "measured_jobs": len(jobs.known),
        "estimated_hours": estimated,
        "measured_hours": measured,
    }


def _bounded(held: Json, jobs: Jobs, where: str) -> Iterator[str]:
    """Yield costs that the jobs cannot have, of which some may have run or not."""
    known = len(jobs.known)
    least, most = max(1, known), known + len(jobs.others)  # without any, nothing is recorded
    count, hours = held.get("measured_jobs"), held.get("measured_hours")
    if type(count) is not int or not least <= count <= most:
        yield f"{where}.measured_jobs: stored as {shown(count)}, derived as {least} to {most}"
        return
    further = sorted(jobs.others)
    low = jobs.estimated + sum(further[: count - known])
    high = jobs.estimated + sum(further[len(further) - (count - known) :])
    estimated = held.get("estimated_hours")
    if estimated == 0 or not low - ROUNDING <= (estimated or 0) <= high + ROUNDING:
        yield f"{where}.estimated_hours: stored as {shown(estimated)}, derived as {low} to {high}"
    if not jobs.timed or not _is_amount(hours):  # what is no amount has been named
        return
    if hours < jobs.measured - ROUNDING or (count == known and hours > jobs.measured + ROUNDING):
        bound = "" if count == known else " or more"
        yield f"{where}.measured_hours: stored as {shown(hours)}, derived as {jobs.measured}{bound}"


def _jobs(stored: Stored) -> dict[str, Jobs]:
    """The jobs of the rules whose hours are measured."""
    (grid,) = stored.grids
    world = world_of(grid)
    rules = {rule: Jobs([], []) for rule in ("train", "evaluate")}
    for rule, cells, cost in (
        ("train", grid.trained, world.training_cost),
        ("evaluate", grid.cells, world.evaluation_cost),
    ):
        for name, cell in cells.items():
            manifest = stored.records.get(name, {}).get(rule)
            estimate = cost(grid, cell).gpu_hours
            if not manifest:  # trained only to start from, or failed
                rules[rule].others.append(estimate)
                continue
            if rule == "train":
                processes = manifest.get("layout", {}).get("processes", 1)
            else:
                processes = grid.world.engine_layout(cell.model).processes
            rules[rule].known.append((estimate, manifest["seconds"] * processes))
    rules["sample_shard"] = _sampling(stored, grid)
    return rules


def _sampling(stored: Stored, grid: Grid) -> Jobs:
    """The jobs that sampled traces, those of a family and distribution as one.

    Those without a report here may have run: a partial bundle leaves out reports of another spec.
    """
    jobs = Jobs([], [], timed=False)
    for family, name in product(grid.config.teachers, grid.config.distributions):
        settings = grid.config.distributions[name]
        if settings.source != "teacher":
            continue
        estimate = settings.shards * world_of(grid).shard_cost(grid, family, name).gpu_hours
        if f"{family}/{name}" in stored.bundle.study["traces"]:
            jobs.known.append((estimate, 0.0))
        else:
            jobs.others.append(estimate)
    return jobs
