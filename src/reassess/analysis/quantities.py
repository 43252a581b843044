"""What a claim estimates: its estimand, measured on a bundle.

Every measurement names the runs and models that it rests on, and the planned cells that are
missing. It says why where it is none, or where too few runs are there to decide anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reassess.analysis.budgets import Budgets, budgets_of, unmatched
from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import (
    DECEPTIVE,
    ROSE,
    RunChange,
    accuracy_change,
    changes,
    counted,
    of_cells,
)
from reassess.analysis.intervals import LEVEL, Estimate
from reassess.analysis.planned import NotPlanned, Pairs
from reassess.analysis.select import pairs as paired
from reassess.analysis.select import varied
from reassess.analysis.shares import share, share_difference
from reassess.analysis.spread import spread_ratio
from reassess.analysis.statistics import Heterogeneity, MeanEstimate
from reassess.config.claims import Estimand, Quantity, Side, Thresholds
from reassess.grid.cells import Cell

State = Literal["measured", "not enough runs", "not run"]
LEAST_SEEDS = 2  # one seed decides nothing


@dataclass(frozen=True)
class OfModel:
    """What one model contributes.

    Attributes:
        model: its name.
        runs: how many of its runs enter (pairs of them, where runs are paired).
        planned: how many the config plans.
        estimate: its own estimate; None where it has none.
        detail: its counts, where runs are counted.
    """

    model: str
    runs: int
    planned: int
    estimate: Estimate | None = None
    detail: str = ""


@dataclass(frozen=True)
class Measurement:
    """An estimand, measured.

    Attributes:
        state: whether it can decide anything.
        reason: why it cannot.
        estimate: the estimate; None if there is none. One of a single run a model covers items
            alone, and decides nothing.
        covers: the sources of variation that its interval covers.
        models: what each registered model contributes.
        heterogeneity: whether models differ, where that can be tested.
        runs: how many runs enter (pairs, where runs are paired).
        items: how many items each of them answered.
        cells: the planned cells that it is about.
        missing: those of them without scores.
        detail: what was compared or counted.
        budgets: what each side spent on average.
    """

    state: State
    reason: str = ""
    estimate: Estimate | None = None
    covers: tuple[str, ...] = ()
    models: tuple[OfModel, ...] = ()
    heterogeneity: Heterogeneity | None = None
    runs: int = 0
    items: int = 0
    cells: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    detail: str = ""
    budgets: tuple[Budgets, ...] = ()


def measure(bundle: Bundle, estimand: Estimand) -> Measurement:
    """Measure an estimand.

    Raises:
        ReassessError: cells that are compared were not scored on the same items; names them.
    """
    try:
        return MEASURES[estimand.quantity](bundle, estimand)
    except NotPlanned as absent:
        return Measurement("not run", f"not in this grid: {absent}")


# --- two arms, on the same models -----------------------------------------------------------------


class _Compared:
    """Two arms: what is planned, and what is there."""

    def __init__(self, bundle: Bundle, estimand: Estimand) -> None:
        self.bundle, self.estimand = bundle, estimand
        self.planned: Pairs = bundle.plan.pairs(estimand)
        self._done = bundle.done
        self.cells = tuple(cell.id for cell in self.planned.cells)
        self.seeds = {
            model: [seed for seed in seeds if self._is_done(model, seed)]
            for model, seeds in self.planned.seeds.items()
        }

    def _is_done(self, model: str, seed: int) -> bool:
        return all(cell.id in self._done for cell in self.planned.of(model, seed))

    def side(self, number: int) -> list[Cell]:
        """The cells of one side whose partners are there."""
        return [
            self.planned.of(model, seed)[number]
            for model in self.planned.models
            for seed in self.seeds[model]
        ]

    @property
    def sides(self) -> list[dict[str, object]]:
        """The axes of both sides."""
        return [{"cell": tuple(cell.id for cell in self.side(number))} for number in (0, 1)]

    def models(
        self, own: Mapping[str, Estimate | None], details: Mapping[str, str] | None = None
    ) -> tuple[OfModel, ...]:
        """What each registered model contributes."""
        return tuple(
            OfModel(
                model,
                len(self.seeds[model]),
                len(self.planned.seeds[model]),
                own.get(model),
                (details or {}).get(model, ""),
            )
            for model in self.planned.models
        )

    def result(self, measured: Measurement) -> Measurement:
        """A measurement with what all quantities have, and whether it can decide anything."""
        sides = tuple(
            budgets_of(self.bundle, name, [cell.id for cell in self.side(number)])
            for number, name in enumerate(("first", "second"))
        )
        first, second = self.planned.sizes
        rows = f"{first} rows" if first == second else f"{first} against {second} rows"
        (arm, traces), (other, others) = self.planned.first, self.planned.second
        measured = replace(
            measured,
            runs=sum(map(len, self.seeds.values())),
            cells=self.cells,
            missing=tuple(name for name in self.cells if name not in self._done),
            detail="; ".join(
                part
                for part in (
                    f"{arm} ({traces}) against {other} ({others}), {rows}",
                    measured.detail,
                )
                if part
            ),
            budgets=sides,
        )
        if lacking := [model for model in self.planned.models if not self.seeds[model]]:
            why = f"no pair of runs of {', '.join(lacking)}, which the claim is about"
            return replace(measured, state="not run", reason=why, estimate=None, heterogeneity=None)
        if why := unmatched(self.bundle, self.estimand.budget, sides, self.cells):
            return replace(measured, state="not run", reason=why)
        few = [model for model, seeds in self.seeds.items() if len(seeds) < LEAST_SEEDS]
        if few and measured.state != "not run":
            why = f"one run of {', '.join(few)}: another one may come out otherwise"
            return replace(measured, state="not enough runs", reason=why)
        return measured


def _roles(bundle: Bundle, estimand: Estimand) -> tuple[str, ...]:
    """The benchmarks of a claim.

    Raises:
        NotPlanned: there are none.
    """
    names = bundle.benchmarks(estimand.benchmark)
    if not names:
        raise NotPlanned(f"no benchmark has the role {estimand.benchmark!r}")
    return names


def _accuracy_difference(bundle: Bundle, estimand: Estimand) -> Measurement:
    compared, benchmarks = _Compared(bundle, estimand), _roles(bundle, estimand)
    estimate = paired(bundle, *compared.sides, benchmark=benchmarks).estimate
    if estimate is None:
        return compared.result(Measurement("not run", models=compared.models({})))
    return compared.result(
        Measurement(
            "measured" if estimate.covers_runs else "not enough runs",
            reason="" if estimate.covers_runs else "all runs of a model start from one base",
            estimate=estimate,
            covers=estimate.covers,
            models=compared.models(dict(estimate.models)),
            heterogeneity=estimate.heterogeneity,
            items=estimate.items,
        )
    )


def _spread_ratio(bundle: Bundle, estimand: Estimand) -> Measurement:
    """How far run means spread on one side, over how far they do on the other."""
    compared, benchmarks = _Compared(bundle, estimand), _roles(bundle, estimand)
    both = paired(bundle, *compared.sides, benchmark=benchmarks)
    if not both.runs:
        return compared.result(Measurement("not run", models=compared.models({})))
    first, second = both.matrices
    own = {}
    for model in compared.planned.models:
        rows = [row for row, run in enumerate(both.runs) if run.model == model]
        labels = [both.runs[row] for row in rows]
        own[model] = spread_ratio(first[rows], second[rows], labels) if rows else None
    estimate = spread_ratio(first, second, both.runs)
    detail = ""
    if estimate is not None:
        detail = (
            f"standard deviations between runs {100 * estimate.first:.1f} and "
            f"{100 * estimate.second:.1f} points"
        )
    several = min(len({run.base for run in both.runs if run.model == one}) for one in own) > 1
    return compared.result(
        Measurement(
            "not enough runs" if estimate is None else "measured",
            reason="too few runs to say how far they spread" if estimate is None else "",
            estimate=estimate,
            covers=("bases", *both.varied) if several else both.varied,
            models=compared.models(own),
            items=first.shape[1],
            detail=detail,
        )
    )


def _improving(bundle: Bundle, estimand: Estimand) -> Measurement:
    """The share of runs that improve on their start, on one side minus on the other."""
    compared = _Compared(bundle, estimand)
    _roles(bundle, estimand)
    plan, groups, counts, items = bundle.plan, [], defaultdict[str, list[str]](list), 0
    lost: list[str] = []
    for number in (0, 1):
        cells = compared.side(number)
        found = {cell: accuracy_change(bundle, cell)[0] for cell in cells}
        lost += [cell.id for cell, change in found.items() if change is None]
        improved = [change is not None and change.low > 0 for change in found.values()]
        items = max([items, *(change.items for change in found.values() if change is not None)])
        groups.append((improved, [_cluster(plan.bases, plan.base_of(c.seed), c) for c in cells]))
        for model in compared.planned.models:
            own = [yes for yes, cell in zip(improved, cells, strict=True) if cell.model == model]
            counts[model].append(f"{sum(own)} of {len(own)}")
    details = {model: " against ".join(one) for model, one in counts.items()}
    between = varied(bundle, {"cell": compared.cells})
    measured = compared.result(
        Measurement(
            "measured",
            estimate=share_difference(*groups),
            covers=("bases", *between) if plan.bases > 1 else between,
            models=compared.models({}, details),
            items=items,
            detail=f"{' against '.join(f'{sum(yes)} of {len(yes)}' for yes, _ in groups)} improve",
        )
    )
    return _with_starts(bundle, measured, compared.planned.cells, lost)


def _with_starts(
    bundle: Bundle, measured: Measurement, planned: Iterable[Cell], lost: Sequence[str]
) -> Measurement:
    """A measurement of changes, which rests on what runs start from too.

    Args:
        bundle: the results of a study.
        measured: the measurement.
        planned: the runs.
        lost: the runs whose start has no scores.
    """
    starts = {start.id for cell in planned if (start := bundle.plan.start_of(cell)) is not None}
    measured = replace(
        measured,
        cells=(*measured.cells, *sorted(starts - {*measured.cells})),
        missing=(*measured.missing, *sorted(starts - bundle.done - {*measured.missing})),
    )
    if not lost:
        return measured
    why = f"what {lost[0]} starts from has no scores" + (", and others" if lost[1:] else "")
    return replace(measured, state="not run", reason=why, estimate=None)


def _cluster(bases: int, base: int, cell: Cell) -> tuple[str, int]:
    """The independent group that a run of a given model is in."""
    return cell.model, base if bases > 1 else cell.seed


# --- runs whose reward rose -----------------------------------------------------------------------


@dataclass(frozen=True)
class Bounded(Estimate):
    """An estimate of which some runs are undecided: from the least to the most that is possible.

    Attributes:
        value: with undecided runs as their own estimates lean.
        least: the estimate if none of them has the property.
        most: the estimate if all of them have it.
    """

    least: Estimate
    most: Estimate

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """From the lower end of the least to the upper end of the most."""
        return self.least.interval(level)[0], self.most.interval(level)[1]


@dataclass(frozen=True)
class _Rewarded:
    """The runs of a side whose reward rose, and what came of the others."""

    planned: Sequence[Cell]
    runs: Sequence[RunChange]
    thresholds: Thresholds
    short: int = 0  # runs of too few updates to say how their reward changed

    @property
    def rose(self) -> list[RunChange]:
        return [run for run in self.runs if run.outcome(self.thresholds) in ROSE]

    def group(
        self, counts: Callable[[RunChange], bool], without_arm: bool
    ) -> tuple[list[bool], list[tuple[object, ...]]]:
        """Whether each run counts, and its configuration."""
        last = -1 if without_arm else None
        return [counts(run) for run in self.rose], [run.configuration[:last] for run in self.rose]

    def surely(self, run: RunChange) -> bool:
        return run.outcome(self.thresholds) in DECEPTIVE

    def possibly(self, run: RunChange) -> bool:
        return self.surely(run) or run.outcome(self.thresholds) == "undecided"

    def rather(self, run: RunChange) -> bool:
        return run.leans(self.thresholds)

    @property
    def detail(self) -> str:
        """How many runs are deceptive, and what came of all of them."""
        counts = counted(self.runs, self.thresholds)
        parts = [f"{count} {outcome}" for outcome, count in counts.items()]
        parts += [f"{self.short} of too few updates"] if self.short else []
        if not parts:
            return "no run"
        surely, possibly = (sum(map(which, self.rose)) for which in (self.surely, self.possibly))
        number = f"{surely}" if surely == possibly else f"{surely} to {possibly}"
        return f"{number} of {len(self.rose)} whose reward rose are deceptive: {', '.join(parts)}"


def _rewarded(bundle: Bundle, estimand: Estimand, side: Side) -> _Rewarded:
    """The runs of a side.

    Raises:
        NotPlanned: the config plans none.
    """
    planned = bundle.plan.runs(side)
    if not planned:
        raise NotPlanned(
            f"no RL run {'after a cold start' if side.start == 'sft' else 'from a base'}"
        )
    assert estimand.thresholds is not None  # the claim's own model checks it
    found = changes(bundle, [side])
    done = bundle.done & {cell.id for cell in planned}
    return _Rewarded(planned, found, estimand.thresholds, len(done) - len(found))


def _deceptive_share(bundle: Bundle, estimand: Estimand) -> Measurement:
    _roles(bundle, estimand)
    side = _rewarded(bundle, estimand, estimand.first)
    least, most, value = (
        share(*side.group(which, without_arm=False))
        for which in (side.surely, side.possibly, side.rather)
    )
    estimate = None
    if least is not None and most is not None and value is not None:
        estimate = Bounded(value.value, least, most)
    return _of_runs(bundle, [side], estimate)


def _deceptive_difference(bundle: Bundle, estimand: Estimand) -> Measurement:
    _roles(bundle, estimand)
    one, other = (_rewarded(bundle, estimand, side) for side in estimand.sides)

    def apart(
        which: Callable[[RunChange], bool], against: Callable[[RunChange], bool]
    ) -> Estimate | None:
        return share_difference(
            one.group(which, without_arm=True), other.group(against, without_arm=True)
        )

    least, most = apart(one.surely, other.possibly), apart(one.possibly, other.surely)
    value = apart(one.rather, other.rather)
    estimate = None
    if least is not None and most is not None and value is not None:
        estimate = Bounded(value.value, least, most)
    return _of_runs(bundle, [one, other], estimate)


def _of_runs(bundle: Bundle, sides: Sequence[_Rewarded], estimate: Estimate | None) -> Measurement:
    """A measurement of shares of runs, and whether it can decide anything."""
    planned = [cell for side in sides for cell in side.planned]
    runs = [run for side in sides for run in side.runs]
    missing = tuple(cell.id for cell in planned if cell.id not in bundle.done)
    items = [run.accuracy.items for run in runs if run.accuracy is not None]
    unscored = [
        run.cell.id
        for side in sides
        for run in side.runs
        if run.outcome(side.thresholds) == "start not scored"
    ]
    measured = Measurement(
        "measured",
        estimate=estimate,
        covers=("configurations", "seeds"),
        models=tuple(_by_model(planned, sides)),
        runs=sum(len(side.rose) for side in sides),
        items=min(items, default=0),
        cells=tuple(cell.id for cell in planned),
        missing=missing,
        detail="; against: ".join(side.detail for side in sides),
    )
    measured = _with_starts(bundle, measured, planned, unscored)
    if measured.state == "not run":
        return measured
    if lacking := [one.model for one in measured.models if not one.runs]:
        why = f"no run of {', '.join(lacking)}, which the claim is about"
        return replace(measured, state="not run", reason=why, estimate=None)
    if estimate is None:
        empty = next(side for side in sides if not side.rose)
        why = f"no run whose reward rose ({empty.detail})"
        return replace(measured, state="not run", reason=why)
    if min(len({run.cell.seed for run in side.rose}) for side in sides) < LEAST_SEEDS:
        why = "runs of one seed: those of another may come out otherwise"
        return replace(measured, state="not enough runs", reason=why)
    return measured


def _by_model(planned: Iterable[Cell], sides: Sequence[_Rewarded]) -> Iterable[OfModel]:
    """Yield what each planned model contributes."""
    count: dict[str, int] = defaultdict(int)
    for cell in planned:
        count[cell.model] += 1
    for model in sorted(count):
        own = [_Rewarded((), of_cells(side.runs, model), side.thresholds) for side in sides]
        runs = sum(len(side.runs) for side in own)
        detail = "; against: ".join(side.detail for side in own)
        yield OfModel(model, runs, count[model], detail=detail if runs else "")


MEASURES: dict[Quantity, Callable[[Bundle, Estimand], Measurement]] = {
    "accuracy difference": _accuracy_difference,
    "spread ratio": _spread_ratio,
    "difference of improving shares": _improving,
    "deceptive share": _deceptive_share,
    "difference of deceptive shares": _deceptive_difference,
}


def mean_of(measured: Measurement) -> MeanEstimate | None:
    """The estimate of a measurement, if it is a mean over runs and items."""
    return measured.estimate if isinstance(measured.estimate, MeanEstimate) else None
