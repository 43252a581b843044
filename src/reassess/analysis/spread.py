"""Reliability: how far the runs of one arm spread, beside those of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from reassess.analysis.intervals import LEVEL, Estimate, power_factor
from reassess.analysis.strata import Matrix, Run, clusters_by_model
from reassess.core.errors import ReassessError

NONE = 1e-18  # a sum of squares that is rounding alone


@dataclass(frozen=True)
class SpreadRatio(Estimate):
    """The standard deviation between the runs of one arm over that of another, on these items.

    Attributes:
        value: the ratio; below 1 the first arm is the more reliable.
        first: the standard deviation of the run means of the first arm, pooled over models.
        second: the same of the other.
        correlation: of the two arms' run means within a model, which pairing brings.
        freedom: clusters less models; where models share their draws, no more than draws.
        runs: how many (model, seed) there are.
    """

    first: float
    second: float
    correlation: float
    freedom: int
    runs: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Pitman and Morgan's interval of the ratio of two correlated variances (1939), its root.

        It supposes that run means are normal.
        """
        quantile = float(stdtrit(self.freedom - 1, (1 + level) / 2))
        wide = 1 + 2 * (1 - self.correlation**2) * quantile**2 / (self.freedom - 1)
        factor = wide + math.sqrt(wide**2 - 1)
        return self.value / math.sqrt(factor), self.value * math.sqrt(factor)

    def detectable(self, null: float) -> float:
        """As of any estimate, on the scale of the logarithm: a factor, above 1."""
        low, high = self.interval()
        return math.exp(power_factor() * math.log(high / low) / 2)


def is_constant(outcomes: Matrix, runs: Sequence[Run]) -> bool:
    """Whether all runs of each model have the same mean."""
    means = [one.mean(axis=1) for one in clusters_by_model(outcomes, runs).values()]
    return sum(float(((one - one.mean()) ** 2).sum()) for one in means) < NONE


def spread_ratio(
    first: Matrix, second: Matrix, runs: Sequence[Run], *, shared: bool = False
) -> SpreadRatio | None:
    """How far the run means of one arm spread within a model, over how far those of another do.

    A mean of n items is known to half an item: the variance of this grain, 1 / (12 n²), is added to
    that between runs, so that means that happen to agree do not make both spreads or their
    correlation certain.

    Args:
        first: outcomes of one arm, of shape (runs, items).
        second: outcomes of the other, of the same runs and items in the same order.
        runs: what each row is; runs from one base replicate are averaged where there are several
            replicates.
        shared: whether the models have their draws of rows in common, by seed: several models then
            tell hardly more of how far runs spread than one does.

    Returns:
        None if there are fewer than two degrees of freedom, or if no run of an arm differs from
        another.

    Raises:
        ReassessError: the shapes differ, or an outcome is missing.
    """
    if first.shape != second.shape:
        raise ReassessError(f"paired outcomes have the shapes {first.shape} and {second.shape}")
    means = [
        [one.mean(axis=1) for one in clusters_by_model(outcomes, runs).values()]
        for outcomes in (first, second)
    ]
    deviations = [np.concatenate([model - model.mean() for model in arm]) for arm in means]
    clusters = [len(model) for model in means[0]]
    one, other = deviations
    pooled = sum(clusters) - len(clusters)
    freedom = min(pooled, max(clusters)) if shared else pooled
    found = float(one @ one), float(other @ other)
    if freedom < 2 or min(found) < NONE:
        return None
    squares = [square + pooled / 12 / first.shape[1] ** 2 for square in found]
    left, right = (math.sqrt(square / pooled) for square in squares)
    related = float(one @ other) / math.sqrt(squares[0] * squares[1])
    return SpreadRatio(left / right, left, right, related, freedom, len(runs))
