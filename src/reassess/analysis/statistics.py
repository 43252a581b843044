"""Means over runs and items with intervals that say which sources of variation they cover.

The model is linear: an outcome is the sum of a mean and of effects of the base replicate, of the
run (its rows and seed), of the item, and of the run on the item. All runs answer the same items,
so that items are a crossed factor; runs that share a base replicate are one cluster. The variance
of the mean has two parts: between clusters, whose number is small, so that a t quantile is due,
and between items, beyond what varies between clusters anyway. The interval combines the two parts
by MOVER (Zou and Donner, Statistics in Medicine 27, 2008): its half-width is the root of the sum of
their squared half-widths. Nothing is resampled. docs/statistics.md has the formulas and measured
coverage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import fdtrc

from reassess.analysis.intervals import LEVEL, Estimate, Part, power_factor
from reassess.analysis.strata import Matrix, Run, Stratum, strata_of
from reassess.core.errors import ReassessError

VERSION = 4  # raised when the same bundle would give other numbers; recorded with what is drawn
POPULATION_MODELS = 5  # as many models at least as a claim about models in general needs

Source = Literal["models", "bases", "rows", "seeds", "items"]
VARIED: tuple[Source, ...] = ("seeds",)
ACCURACY, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)  # the range of an outcome


@dataclass(frozen=True)
class Heterogeneity:
    """A test that all models have the same mean: F, its degrees of freedom, and p."""

    statistic: float
    between: float
    within: float
    p: float


@dataclass(frozen=True)
class MeanEstimate(Estimate):
    """A mean, or a mean paired difference, with its interval and what this rests on.

    Attributes:
        value: the mean; every model has the same weight, in it every base, and in this every run.
        by_runs: the part of clusters (runs, or bases with their runs); None where a model has one
            cluster, so that nothing tells how clusters differ.
        by_rows: where models share their draws of rows, the part of these draws: of the means over
            models of clusters that have a base replicate or seed in common; at least this wide.
        by_items: the part of items, without what `by_runs` has of it.
        items_alone: the part of items for these very runs; no interval is shorter than this part's.
        bounds: the range of an outcome, to which intervals are cut.
        covers: the sources of variation that the interval covers.
        runs: how many (model, seed) there are.
        clusters: into how many independent groups they fall.
        bases: how many replicates of its base a model has at least.
        items: how many items each run answered.
        models: the estimate of each model, by name; empty in these estimates themselves.
        heterogeneity: whether the models differ; None for one model, or where `by_runs` is None.
    """

    by_runs: Part | None
    by_rows: Part | None
    by_items: Part
    items_alone: Part
    bounds: tuple[float, float]
    covers: tuple[Source, ...]
    runs: int
    clusters: int
    bases: int
    items: int
    models: tuple[tuple[str, MeanEstimate], ...] = ()
    heterogeneity: Heterogeneity | None = None

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Value plus and minus the distance, cut to the range of an outcome."""
        half = self.distance(level)
        return (
            min(self.value, max(self.bounds[0], self.value - half)),
            max(self.value, min(self.bounds[1], self.value + half)),
        )

    def distance(self, level: float = LEVEL) -> float:
        """How far the ends of the interval are from the value, before it is cut."""
        alone = self.items_alone.half_width(level)
        if self.between is None:
            return alone
        beyond = self.by_items.half_width(level)
        return max(alone, math.hypot(self.between.half_width(level), beyond))

    @property
    def between(self) -> Part | None:
        """The part of clusters that decides: that of runs or, if it is wider, that of rows."""
        parts = [part for part in (self.by_runs, self.by_rows) if part is not None]
        return max(parts, key=Part.half_width) if self.by_runs is not None else None

    def detectable(self, null: float) -> float:
        """As of any estimate, by the interval before it is cut."""
        return power_factor() * self.distance()

    def in_percent(self) -> str:
        """As of any estimate; the distance is in brackets if the interval covers items only."""
        text = super().in_percent()
        if self.covers_runs:
            return text
        value, _, half = text.partition(" ")
        return f"{value} ({half})"

    @property
    def covers_runs(self) -> bool:
        """Whether the interval covers more than items; without that it decides nothing."""
        return self.by_runs is not None

    @property
    def coverage(self) -> str:
        """What the interval covers, in words."""
        if self.covers_runs:
            *most, last = self.covers
            return f"{', '.join(most)} and {last}" if most else last
        one_each = self.runs == max(1, len(self.models))
        return f"items only, {'one run' if one_each else 'one cluster of runs'}"


# --- estimates ------------------------------------------------------------------------------------


def mean_estimate(
    outcomes: Matrix,
    runs: Sequence[Run] | None = None,
    *,
    bounds: tuple[float, float] = ACCURACY,
    varied: Sequence[Source] = VARIED,
) -> MeanEstimate:
    """The mean of outcomes for these models, each with the same weight.

    Args:
        outcomes: of shape (runs, items), all finite, the same items in every row.
        runs: what each row is; None: runs of one model from one base.
        bounds: the least and greatest possible outcome.
        varied: what differs between the runs of a model ("rows", "seeds"), which the interval
            covers where there is more than one.

    Raises:
        ReassessError: there is no outcome, one is missing, or the labels do not fit.
    """
    strata = strata_of(outcomes, runs)
    estimate = _combined(list(strata.values()), bounds, varied)
    alone = tuple((name, _combined([one], bounds, varied)) for name, one in strata.items())
    return replace(estimate, models=alone, heterogeneity=_heterogeneity(list(strata.values())))


def paired_difference(
    first: Matrix,
    second: Matrix,
    runs: Sequence[Run] | None = None,
    *,
    varied: Sequence[Source] = VARIED,
) -> MeanEstimate:
    """The mean of `first - second`, outcomes of the same runs and items in the same order.

    Raises:
        ReassessError: the shapes differ, or as `mean_estimate` does.
    """
    return mean_estimate(_difference(first, second), runs, bounds=DIFFERENCE, varied=varied)


def population_estimate(
    outcomes: Matrix,
    runs: Sequence[Run],
    *,
    bounds: tuple[float, float] = DIFFERENCE,
    varied: Sequence[Source] = VARIED,
) -> MeanEstimate | None:
    """The mean over models of which these are a sample: the model is a random effect.

    The t interval of the model means has one degree of freedom less than there are models. None if
    there are fewer than `POPULATION_MODELS`.

    Args:
        outcomes: of shape (runs, items), all finite; for differences, of one arm minus another's.
        runs: what each row is.
        bounds: the least and greatest possible outcome.
        varied: as in `mean_estimate`.

    Raises:
        ReassessError: as `mean_estimate` does.
    """
    these = mean_estimate(outcomes, runs, bounds=bounds, varied=varied)
    if len(these.models) < POPULATION_MODELS:
        return None
    strata = strata_of(outcomes, runs).values()
    sample = Stratum(np.stack([one.items for one in strata]), (), (), 1)
    estimate = _combined([sample], bounds, varied)
    return replace(
        estimate,
        # Each model brings its own base and runs, but not its own draws of rows.
        covers=("models", "bases", *(one for one in varied if one != "rows"), "items"),
        runs=these.runs,
        bases=these.bases,
        models=these.models,
        heterogeneity=these.heterogeneity,
    )


# --- variance components --------------------------------------------------------------------------


def _combined(
    strata: Sequence[Stratum], bounds: tuple[float, float], varied: Sequence[Source]
) -> MeanEstimate:
    """The estimate of strata of equal weight whose items are the same."""
    items = np.asarray(np.mean([one.items for one in strata], axis=0), dtype=np.float64)
    freedom = float(max(1, len(items) - 1))
    of_items = _variance_of_items(items, bounds)
    runs = sum(len(one.runs) for one in strata)
    least = min(one.bases for one in strata)
    by_runs, beyond = None, of_items
    covers: tuple[Source, ...] = ("items",)
    if all(one.clusters > 1 for one in strata):
        parts = [(one.between / len(strata) ** 2, one.clusters - 1) for one in strata]
        by_runs = Part(math.sqrt(sum(part for part, _ in parts)), _satterthwaite(parts))
        shared = sum(one.interaction for one in strata) / len(strata) ** 2
        beyond = max(0.0, of_items - shared)
        covers = (*(("bases",) if least > 1 else ()), *varied, "items")
    return MeanEstimate(
        value=float(items.mean()),
        by_runs=by_runs,
        by_rows=_shared_rows(strata) if "rows" in covers else None,
        by_items=Part(math.sqrt(beyond), freedom),
        items_alone=Part(math.sqrt(of_items), freedom),
        bounds=bounds,
        covers=covers,
        runs=runs,
        clusters=sum(one.clusters for one in strata),
        bases=least,
        items=len(items),
    )


def _shared_rows(strata: Sequence[Stratum]) -> Part | None:
    """The part of clusters that models have in common: a seed draws the same rows for all models.

    None for one model, and where fewer than two clusters are common to all models.
    """
    # Clusters of bases and of seeds, which lost cells can leave side by side, share none: runs do.
    if len(strata) < 2:
        return None
    alike = len({one.bases > 1 for one in strata}) == 1
    draws = [one.by_name if alike else dict(one.runs) for one in strata]
    common = sorted(set[int]().union(*draws).intersection(*draws))
    if len(common) < 2:
        return None
    means = np.mean([[of[name] for name in common] for of in draws], axis=0)
    independent = min(len(common), *(one.clusters for one in strata))
    deviation = float(np.std(means, ddof=1))
    return Part(deviation / math.sqrt(independent), independent - 1)


def _variance_of_items(items: Matrix, bounds: tuple[float, float]) -> float:
    """The variance of the mean of items drawn from a population.

    Two items are added, one at each bound, as Agresti and Coull (1998) and Agresti and Min (2005)
    do for proportions and their paired differences: items that all agree prove little.
    """
    padded = np.concatenate([items, bounds])
    return float(padded.var()) / len(padded)


def _satterthwaite(parts: Sequence[tuple[float, int]]) -> float:
    """The degrees of freedom of a sum of variances, each with its own (Satterthwaite, 1946)."""
    total = sum(part for part, _ in parts)
    if total == 0:
        return float(sum(freedom for _, freedom in parts))
    return float(total**2 / sum(part**2 / freedom for part, freedom in parts))


def _heterogeneity(strata: Sequence[Stratum]) -> Heterogeneity | None:
    """Analysis of variance over models; the items that all models answer cancel.

    The variance within a model is that between its clusters, and that of the model × item effect,
    because another sample of items would favour other models.
    """
    models = len(strata)
    if models < 2 or any(one.clusters < 2 or len(one.items) < 2 for one in strata):
        return None
    common = np.mean([one.items for one in strata], axis=0)
    parts = []
    for one in strata:
        own = (one.items - common).var(ddof=1) * models / (models - 1) / len(common)
        parts.append((one.between + max(0.0, float(own) - one.interaction), one.clusters - 1))
    within = sum(part for part, _ in parts) / models
    between = float(np.var([one.mean for one in strata], ddof=1))
    freedom = _satterthwaite(parts)
    if within == 0:  # nothing differs within a model: what another sample would give is not known
        return None
    ratio = between / within
    return Heterogeneity(ratio, models - 1, freedom, float(fdtrc(models - 1, freedom, ratio)))


# --- shapes ---------------------------------------------------------------------------------------


def _difference(first: Matrix, second: Matrix) -> Matrix:
    if first.shape != second.shape:
        raise ReassessError(f"paired outcomes have the shapes {first.shape} and {second.shape}")
    return first - second
