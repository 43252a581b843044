"""Shares of runs with a property: runs that have a configuration or a start in common are clusters.

An interval is Korn and Graubard's (Survey Methodology 24, 1998): Clopper and Pearson's exact one
at the effective number of runs, which clustering makes smaller, with a correction for the few
clusters from which that number is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from reassess.analysis.intervals import LEVEL, POWER, Estimate, power_factor
from reassess.core.errors import ReassessError

TAIL = 0.975  # at which t quantiles correct for the number of clusters


@dataclass(frozen=True)
class ShareEstimate(Estimate):
    """The share of runs that have a property.

    Attributes:
        value: the share.
        count: how many runs have it.
        runs: how many runs there are.
        clusters: into how many clusters they fall.
        effective: the number of independent runs that would be as informative.
    """

    count: int
    runs: int
    clusters: int
    effective: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Clopper and Pearson's interval at the effective number of runs."""
        tail = (1 - level) / 2
        yes = self.value * self.effective
        no = self.effective - yes
        low = float(betaincinv(yes, no + 1, tail)) if yes > 0 else 0.0
        high = float(betaincinv(yes + 1, no, 1 - tail)) if no > 0 else 1.0
        return low, high

    def detectable(self, null: float) -> float | None:
        """The smallest share above a null value that is found with a chance of 80 %, less it.

        By the binomial distribution at the effective number of runs.
        """
        runs = int(self.effective)
        for yes in range(1, runs + 1):
            if float(betaincinv(yes, runs - yes + 1, (1 - LEVEL) / 2)) > null:
                return float(betaincinv(yes, runs - yes + 1, POWER)) - null
        return None


@dataclass(frozen=True)
class ShareDifference(Estimate):
    """The share in one group minus that in another.

    Attributes:
        value: the difference.
        first: the share in one group.
        second: the share in the other.
    """

    first: ShareEstimate
    second: ShareEstimate

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Newcombe's interval from those of the shares (Statistics in Medicine 17, 1998).

        Groups whose runs have a start or rows in common are taken as independent: from a handful of
        clusters their correlation cannot be estimated, and leaving out a positive one makes the
        interval longer. At other levels than 95 % both distances are scaled by the quantiles of the
        normal distribution: combining the intervals of each level anew gives intervals that are not
        nested, because those of shares are not symmetric and end at 0 and 1.
        """
        (low, high), (under, over) = self.first.interval(), self.second.interval()
        below = math.hypot(self.first.value - low, over - self.second.value)
        above = math.hypot(high - self.first.value, self.second.value - under)
        scale = float(ndtri((1 + level) / 2) / ndtri((1 + LEVEL) / 2))
        return max(-1.0, self.value - scale * below), min(1.0, self.value + scale * above)

    def detectable(self, null: float) -> float | None:
        """As of any estimate, by the interval of equal shares, of which each has the mean."""
        mean = (self.first.value + self.second.value) / 2
        equal = ShareDifference(
            0.0, replace(self.first, value=mean), replace(self.second, value=mean)
        )
        effect = power_factor() * equal.half_width
        return effect if effect <= 1 - abs(null) else None


Clusters = Sequence[Hashable]  # of each run


def share(
    having: Sequence[bool], clusters: Clusters, others: Clusters | None = None
) -> ShareEstimate | None:
    """The share of runs that have a property; None without runs.

    Runs may be alike in two ways: as those of one configuration, and as those from one start. The
    variance is then that of both clusterings less that of runs that share both (Cameron, Gelbach
    and Miller, Journal of Business and Economic Statistics 29, 2011), and never below that of one.

    Args:
        having: whether each run has it.
        clusters: the cluster of each run.
        others: its cluster in the other way.

    Raises:
        ReassessError: the lengths differ.
    """
    ways = [clusters] if others is None else [clusters, others]
    for names in ways:
        if len(having) != len(names):
            raise ReassessError(f"{len(having)} runs have {len(names)} clusters")
    if not having:
        return None
    yes = np.asarray(having, dtype=np.float64)
    value, count = float(yes.mean()), min(len(set(names)) for names in ways)
    effective = _effective(yes - value, value, ways, count)
    return ShareEstimate(value, int(yes.sum()), len(yes), count, effective)


def _effective(
    residuals: NDArray[np.float64], value: float, ways: Sequence[Clusters], least: int
) -> float:
    """The effective number of runs.

    Where all runs agree nothing tells how much those of one cluster have in common: each cluster
    then counts as one run.
    """
    if value in (0.0, 1.0) or least == 1:
        return float(least)
    runs = len(residuals)
    parts = [_variance(residuals, names) for names in ways]
    variance = max(parts)
    if len(ways) > 1:
        both = _variance(residuals, list(zip(*ways, strict=True)))
        variance = max(variance, sum(parts) - both)
    correction = float(stdtrit(runs - 1, TAIL) / stdtrit(least - 1, TAIL)) ** 2
    effective = value * (1 - value) / variance if variance > 0 else float(runs)
    return min(float(runs), effective) * correction


def _variance(residuals: NDArray[np.float64], names: Clusters) -> float:
    """The variance of a mean of which the runs of a cluster are alike."""
    totals = np.bincount(_numbered(names), weights=residuals)
    return float((totals**2).sum()) * len(totals) / (len(totals) - 1) / len(residuals) ** 2


def share_difference(first: ShareEstimate, second: ShareEstimate) -> ShareDifference:
    """The share of one group of runs minus that of another."""
    return ShareDifference(first.value - second.value, first, second)


def _numbered(clusters: Clusters) -> NDArray[np.int64]:
    names: dict[Hashable, int] = {}
    return np.asarray([names.setdefault(name, len(names)) for name in clusters], dtype=np.int64)
