"""What is said of an estimand that was measured: the estimate, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reassess.analysis.budgets import Budgets
from reassess.analysis.bundle import Bundle
from reassess.analysis.intervals import Estimate
from reassess.analysis.planned import NotPlanned
from reassess.analysis.statistics import Heterogeneity, MeanEstimate
from reassess.config.claims import Estimand
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


def mean_of(measured: Measurement) -> MeanEstimate | None:
    """The estimate of a measurement, if it is a mean over runs and items."""
    return measured.estimate if isinstance(measured.estimate, MeanEstimate) else None


def roles(bundle: Bundle, estimand: Estimand) -> tuple[str, ...]:
    """The benchmarks of a claim.

    Raises:
        NotPlanned: there are none.
    """
    names = bundle.benchmarks(estimand.benchmark)
    if not names:
        raise NotPlanned(f"no benchmark has the role {estimand.benchmark!r}")
    return names


def unscored_items(bundle: Bundle, benchmarks: Sequence[str], items: int) -> str:
    """Why fewer items were scored than the pool has; empty if all were, or if it is not recorded.

    Items that all cells lack are no item that one of them lacks.
    """
    splits = [bundle.study.get("pool", {}).get(name, {}).get("items") for name in benchmarks]
    if not all(isinstance(count, int) for count in splits) or items == sum(splits):
        return ""
    return f"{items} items were scored, and {', '.join(benchmarks)} have {sum(splits)}"


def with_starts(
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
