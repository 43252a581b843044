"""Shares of RL runs whose reward deceives, of those whose reward rose.

A run whose own interval decides nothing is counted neither way: the share has then a least and a
most that it can be, and its interval goes from the lower end of one to the upper end of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import DECEPTIVE, ROSE, RunChange, changes, counted, of_cells
from reassess.analysis.intervals import LEVEL, Estimate
from reassess.analysis.measurement import (
    LEAST_SEEDS,
    Measurement,
    OfModel,
    roles,
    unscored_items,
    with_starts,
)
from reassess.analysis.planned import NotPlanned
from reassess.analysis.shares import share, share_difference
from reassess.config.claims import Estimand, Side, Thresholds
from reassess.grid.cells import Cell


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


def deceptive_share(bundle: Bundle, estimand: Estimand) -> Measurement:
    """The share of runs that are deceptive or harmful, of those whose reward rose.

    Raises:
        NotPlanned: the config plans no such runs.
        ReassessError: a run and its start were not scored on the same items; names them.
    """
    roles(bundle, estimand)
    side = _rewarded(bundle, estimand, estimand.first)
    least, most, value = (
        share(*side.group(which, without_arm=False))
        for which in (side.surely, side.possibly, side.rather)
    )
    estimate = None
    if least is not None and most is not None and value is not None:
        estimate = Bounded(value.value, least, most)
    return _of_runs(bundle, [side], estimate)


def deceptive_difference(bundle: Bundle, estimand: Estimand) -> Measurement:
    """That share on one side minus that on the other, paired by model, traces and rows.

    Raises:
        NotPlanned: the config plans no such runs.
        ReassessError: a run and its start were not scored on the same items; names them.
    """
    roles(bundle, estimand)
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
    measured = with_starts(bundle, measured, planned, unscored)
    if measured.state == "not run":
        return measured
    names = bundle.benchmarks("main")
    if measured.items and (why := unscored_items(bundle, names, measured.items)):
        return replace(measured, state="not run", reason=why)
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
