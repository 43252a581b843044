"""Shares of RL runs whose reward deceives, of those whose reward rose.

A run whose own interval decides nothing is counted neither way: the share has then a least and a
most that it can be, and its interval goes from the lower end of one to the upper end of the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
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
from reassess.analysis.shares import ShareEstimate, share, share_difference
from reassess.config.claims import Estimand, Side, Thresholds
from reassess.grid.cells import Cell

Place = tuple[str, str | None, int | None]  # a model, a distribution, a size


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

    def detectable(self, null: float) -> float | None:
        """That of the least and the most, whichever is larger, and the distance between the two."""
        both = [one.detectable(null) for one in (self.least, self.most)]
        known = [one for one in both if one is not None]
        effect = max(known, default=1.0) + self.most.value - self.least.value
        return effect if len(known) == len(both) and effect <= 1 - abs(null) else None


@dataclass(frozen=True)
class _Rewarded:
    """The runs of a side whose reward rose, and what came of the others."""

    planned: Sequence[Cell]
    runs: Sequence[RunChange]
    thresholds: Thresholds
    without: Sequence[Cell] = ()  # whose history is lost, or too short to say how rewards changed

    @property
    def rose(self) -> list[RunChange]:
        return [run for run in self.runs if run.outcome(self.thresholds) in ROSE]

    @property
    def shares(self) -> tuple[ShareEstimate, ShareEstimate, ShareEstimate] | None:
        """The least and the most that the share can be, and as undecided runs lean; None: no runs.

        All are as uncertain as the one of them that is the most so: undecided runs might come out
        as those of their clusters do.
        """
        ways = [run.configuration for run in self.rose], [run.cluster for run in self.rose]
        found = [
            share([counts(run) for run in self.rose], *ways)
            for counts in (self.surely, self.possibly, self.rather)
        ]
        least, most, value = found
        if least is None or most is None or value is None:
            return None
        effective = min(one.effective for one in (least, most, value))
        least, most, value = (replace(one, effective=effective) for one in (least, most, value))
        return least, most, value

    def of(self, places: Collection[Place]) -> _Rewarded:
        """The same of some models, traces and rows alone."""
        return replace(
            self,
            planned=[cell for cell in self.planned if _place(cell) in places],
            runs=[run for run in self.runs if _place(run.cell) in places],
            without=[cell for cell in self.without if _place(cell) in places],
        )

    def surely(self, run: RunChange) -> bool:
        return run.outcome(self.thresholds) in DECEPTIVE

    def possibly(self, run: RunChange) -> bool:
        return self.surely(run) or run.outcome(self.thresholds) == "undecided"

    def rather(self, run: RunChange) -> bool:
        return run.leans(self.thresholds)

    @property
    def lacking(self) -> set[str]:
        """The models that are planned and have no run."""
        return {cell.model for cell in self.planned} - {run.cell.model for run in self.runs}

    @property
    def unrepeated(self) -> set[str]:
        """The models no configuration of which has runs of several seeds."""
        count = Counter(run.configuration for run in self.runs)
        repeated = {one[0] for one, seeds in count.items() if seeds >= LEAST_SEEDS}
        return {run.cell.model for run in self.runs} - repeated

    @property
    def detail(self) -> str:
        """How many runs are deceptive, and what came of all of them."""
        counts = counted(self.runs, self.thresholds)
        parts = [f"{count} {outcome}" for outcome, count in counts.items()]
        if self.without:
            parts.append(f"{len(self.without)} without enough of a history")
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
    known = {run.cell for run in found}
    without = [cell for cell in planned if cell.id in bundle.done and cell not in known]
    return _Rewarded(planned, found, estimand.thresholds, without)


def _place(cell: Cell) -> Place:
    return cell.model, cell.distribution, cell.size


def deceptive_share(bundle: Bundle, estimand: Estimand) -> Measurement:
    """The share of runs that are deceptive or harmful, of those whose reward rose.

    Raises:
        NotPlanned: the config plans no such runs.
        ReassessError: a run and its start were not scored on the same items; names them.
    """
    roles(bundle, estimand)
    side = _rewarded(bundle, estimand, estimand.first)
    estimate = None
    if (found := side.shares) is not None:
        least, most, value = found
        estimate = Bounded(value.value, least, most)
    return _of_runs(bundle, [side], estimate)


def deceptive_difference(bundle: Bundle, estimand: Estimand) -> Measurement:
    """That share on one side minus that on the other, on the models, traces and rows of both.

    Raises:
        NotPlanned: the config plans no such runs.
        ReassessError: a run and its start were not scored on the same items; names them.
    """
    roles(bundle, estimand)
    one, other = (_rewarded(bundle, estimand, side) for side in estimand.sides)
    common = set(map(_place, one.planned)) & set(map(_place, other.planned))
    if not common:
        raise NotPlanned("no model, traces and rows of which both sides have RL runs")
    one, other = one.of(common), other.of(common)
    estimate = None
    if (first := one.shares) is not None and (second := other.shares) is not None:
        least, most, value = (
            share_difference(ours, theirs)
            for ours, theirs in zip(first, (second[1], second[0], second[2]), strict=True)
        )
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
        covers=("configurations", *(("bases",) if bundle.plan.bases > 1 else ()), "seeds"),
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
    if why := _lacking(sides):
        return replace(measured, state="not run", reason=why, estimate=None)
    why = _too_few(sides)
    return replace(measured, state="not enough runs", reason=why) if why else measured


def _lacking(sides: Sequence[_Rewarded]) -> str:
    """Why there is nothing to estimate; empty if there is."""
    where = " on one side" if len(sides) > 1 else ""
    if models := sorted({name for side in sides for name in side.lacking}):
        return f"no run of {', '.join(models)}{where}, which the claim is about"
    empty = [side for side in sides if not side.rose]
    return f"no run whose reward rose ({empty[0].detail})" if empty else ""


def _too_few(sides: Sequence[_Rewarded]) -> str:
    """Why runs decide nothing; empty if they do."""
    if models := sorted({name for side in sides for name in side.unrepeated}):
        return (
            f"one run of each configuration of {', '.join(models)}: others may come out otherwise"
        )
    if min(len({run.cell.seed for run in side.rose}) for side in sides) < LEAST_SEEDS:
        return "rewards rose in runs of one seed: those of another may come out otherwise"
    return ""


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
