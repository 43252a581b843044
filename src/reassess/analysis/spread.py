"""Reliability: how far the runs of one arm spread, beside those of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from reassess.analysis.intervals import LEVEL, Estimate
from reassess.analysis.statistics import Matrix, Run, clusters_by_model
from reassess.core.errors import ReassessError


@dataclass(frozen=True)
class SpreadRatio(Estimate):
    """The standard deviation between the runs of one arm over that of another, on these items.

    Attributes:
        value: the ratio; below 1 the first arm is the more reliable.
        first: the standard deviation of the run means of the first arm, pooled over models.
        second: the same of the other.
        correlation: of the two arms' run means within a model, which pairing brings.
        freedom: clusters less models.
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


def spread_ratio(first: Matrix, second: Matrix, runs: Sequence[Run]) -> SpreadRatio | None:
    """How far the run means of one arm spread within a model, over how far those of another do.

    Args:
        first: outcomes of one arm, of shape (runs, items).
        second: outcomes of the other, of the same runs and items in the same order.
        runs: what each row is; runs from one base replicate are averaged where there are several
            replicates.

    Returns:
        None if there are fewer than two degrees of freedom (clusters less models), or if one arm
        has no spread at all.

    Raises:
        ReassessError: the shapes differ, or an outcome is missing.
    """
    if first.shape != second.shape:
        raise ReassessError(f"paired outcomes have the shapes {first.shape} and {second.shape}")
    deviations = []
    for outcomes in (first, second):
        means = [stratum.mean(axis=1) for stratum in clusters_by_model(outcomes, runs).values()]
        deviations.append(np.concatenate([one - one.mean() for one in means]))
    models = len({run.model for run in runs})
    one, other = deviations
    freedom = len(one) - models
    squares = float(one @ one), float(other @ other)
    if freedom < 2 or min(squares) < 1e-18:
        return None
    left, right = (math.sqrt(square / freedom) for square in squares)
    related = float(one @ other) / math.sqrt(squares[0] * squares[1])
    return SpreadRatio(left / right, left, right, max(-1.0, min(1.0, related)), freedom, len(runs))
