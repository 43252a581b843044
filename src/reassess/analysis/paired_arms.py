"""Two arms on the same models: differences of accuracy, spread, and the share that improves.

Runs are paired by their seeds. Where one side of a pair has no scores, the pair does not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from reassess.analysis.budgets import budgets_of, unmatched
from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import accuracy_change
from reassess.analysis.intervals import Estimate
from reassess.analysis.measurement import (
    LEAST_SEEDS,
    Measurement,
    OfModel,
    roles,
    unscored_items,
    with_starts,
)
from reassess.analysis.planned import Pairs
from reassess.analysis.select import pairs, varied
from reassess.analysis.shares import share, share_difference
from reassess.analysis.spread import is_constant, spread_ratio
from reassess.analysis.statistics import POPULATION_MODELS, Source, population_estimate
from reassess.config.claims import Estimand
from reassess.grid.cells import Cell

STEP = "the runs of an arm all score the same: how far they spread has no ratio"


class Compared:
    """Two arms: what is planned, and what is there."""

    def __init__(self, bundle: Bundle, estimand: Estimand) -> None:
        """Find the cells of a claim.

        Raises:
            NotPlanned: the config plans none.
        """
        self.bundle, self.estimand = bundle, estimand
        self.planned: Pairs = bundle.plan.pairs(estimand)
        self._done = bundle.done
        self.cells = tuple(cell.id for cell in self.planned.cells)
        self.seeds = {
            model: [seed for seed in seeds if self._is_done(model, seed)]
            for model, seeds in self.planned.seeds.items()
        }

    @property
    def varied(self) -> tuple[Source, ...]:
        """What differs between the runs of every model, on both sides."""
        base_of = self.bundle.plan.base_of
        bases = all(len({base_of(seed) for seed in seeds}) > 1 for seeds in self.seeds.values())
        both = [set(varied(self.bundle, side)) for side in self.sides]
        others: tuple[Source, ...] = ("rows", "seeds")
        return (
            *(("bases",) if bases else ()),
            *(one for one in others if all(one in side for side in both)),
        )

    @property
    def shared(self) -> bool:
        """Whether several models draw their rows together: a seed draws the same for all."""
        return "rows" in self.varied and len(self.planned.models) > 1

    @property
    def runs(self) -> list[tuple[str, str]]:
        """The cells of each pair that is there."""
        one, other = (self.side(number) for number in (0, 1))
        return [(left.id, right.id) for left, right in zip(one, other, strict=True)]

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
        one_sided = ", ".join(self.planned.one_sided)
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
                    one_sided and f"planned on one side only: {one_sided}",
                )
                if part
            ),
            budgets=sides,
        )
        if lacking := [model for model in self.planned.models if not self.seeds[model]]:
            why = f"no pair of runs of {', '.join(lacking)}, which the claim is about"
            return replace(measured, state="not run", reason=why, estimate=None, heterogeneity=None)
        names = self.bundle.benchmarks(self.estimand.benchmark)
        if measured.items and (why := unscored_items(self.bundle, names, measured.items)):
            return replace(measured, state="not run", reason=why)
        if why := unmatched(self.bundle, self.estimand.budget, self.runs):
            return replace(measured, state="not run", reason=why)
        few = [model for model, seeds in self.seeds.items() if len(seeds) < LEAST_SEEDS]
        if few and measured.state != "not run":
            why = f"one run of {', '.join(few)}: another one may come out otherwise"
            return replace(measured, state="not enough runs", reason=why)
        return measured


def accuracy_difference(bundle: Bundle, estimand: Estimand) -> Measurement:
    """Accuracy on one side minus accuracy on the other, paired by model, seed and item.

    Raises:
        NotPlanned: the config plans no such cells.
        ReassessError: cells were not scored on the same items; names them.
    """
    compared, benchmarks = Compared(bundle, estimand), roles(bundle, estimand)
    both = pairs(bundle, *compared.sides, benchmark=benchmarks)
    estimate = both.estimate
    if estimate is None:
        return compared.result(Measurement("not run", models=compared.models({})))
    general = None
    if estimand.cells is not None and estimand.cells.scope == "population":
        first, second = both.matrices
        general = population_estimate(first - second, both.runs, varied=both.varied)
        if general is None:
            why = f"{POPULATION_MODELS} models at least stand for models in general"
            few = Measurement("not enough runs", why, models=compared.models(dict(estimate.models)))
            return compared.result(few)
    return compared.result(
        Measurement(
            "measured" if estimate.covers_runs else "not enough runs",
            reason="" if estimate.covers_runs else "all runs of a model start from one base",
            estimate=general or estimate,
            covers=(general or estimate).covers,
            models=compared.models(dict(estimate.models)),
            heterogeneity=estimate.heterogeneity,
            items=estimate.items,
        )
    )


def ratio_of_spreads(bundle: Bundle, estimand: Estimand) -> Measurement:
    """How far run means spread on one side, over how far they do on the other.

    Raises:
        NotPlanned: the config plans no such cells.
        ReassessError: cells were not scored on the same items; names them.
    """
    compared, benchmarks = Compared(bundle, estimand), roles(bundle, estimand)
    both = pairs(bundle, *compared.sides, benchmark=benchmarks)
    if not both.runs:
        return compared.result(Measurement("not run", models=compared.models({})))
    first, second = both.matrices
    own = {}
    for model in compared.planned.models:
        rows = [row for row, run in enumerate(both.runs) if run.model == model]
        labels = [both.runs[row] for row in rows]
        own[model] = spread_ratio(first[rows], second[rows], labels) if rows else None
    estimate = spread_ratio(first, second, both.runs, shared=compared.shared)
    detail, reason = "", "too few runs to say how far they spread"
    if estimate is None and any(is_constant(one, both.runs) for one in (first, second)):
        reason = STEP
    if estimate is not None:
        detail = (
            f"standard deviations between runs {100 * estimate.first:.1f} and "
            f"{100 * estimate.second:.1f} points"
        )
    return compared.result(
        Measurement(
            "not enough runs" if estimate is None else "measured",
            reason=reason if estimate is None else "",
            estimate=estimate,
            covers=compared.varied,
            models=compared.models(own),
            items=first.shape[1],
            detail=detail,
        )
    )


def improving_difference(bundle: Bundle, estimand: Estimand) -> Measurement:
    """The share of runs that improve on their start, on one side minus on the other.

    A run improves where the interval of its change, over items, lies above 0.

    Raises:
        NotPlanned: the config plans no such cells.
        ReassessError: a run and its start were not scored on the same items; names them.
    """
    compared = Compared(bundle, estimand)
    roles(bundle, estimand)
    plan, groups, counts, items = bundle.plan, [], defaultdict[str, list[str]](list), 0
    lost: list[str] = []
    improving: list[str] = []
    for number in (0, 1):
        cells = compared.side(number)
        found = {cell: accuracy_change(bundle, cell)[0] for cell in cells}
        lost += [cell.id for cell, change in found.items() if change is None]
        improved = [change is not None and change.low > 0 for change in found.values()]
        items = max([items, *(change.items for change in found.values() if change is not None)])
        clusters = [plan.cluster(cell) for cell in cells]
        # Runs that a seed gives the same rows in all models may improve together.
        draws = [number for _, number in clusters] if compared.shared else None
        groups.append(share(improved, clusters, draws))
        improving.append(f"{sum(improved)} of {len(improved)}")
        for model in compared.planned.models:
            own = [yes for yes, cell in zip(improved, cells, strict=True) if cell.model == model]
            counts[model].append(f"{sum(own)} of {len(own)}")
    details = {model: " against ".join(one) for model, one in counts.items()}
    first, second = groups
    measured = compared.result(
        Measurement(
            "measured",
            estimate=share_difference(first, second) if first and second else None,
            covers=compared.varied,
            models=compared.models({}, details),
            items=items,
            detail=f"{' against '.join(improving)} improve",
        )
    )
    return with_starts(bundle, measured, compared.planned.cells, lost)
