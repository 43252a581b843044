"""Shares of runs with a property: runs of one configuration are a cluster.

An interval is Korn and Graubard's (Survey Methodology 24, 1998): Clopper and Pearson's exact one
at the effective number of runs, which clustering makes smaller, with a correction for the few
clusters from which that number is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from reassess.analysis.intervals import LEVEL, Estimate
from reassess.core.errors import ReassessError

TAIL = 0.975  # at which t quantiles correct for the number of clusters


@dataclass(frozen=True)
class ShareEstimate(Estimate):
    """The share of runs that have a property.

    Attributes:
        value: the share.
        count: how many runs have it.
        runs: how many runs there are.
        clusters: of how many configurations.
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


@dataclass(frozen=True)
class ShareDifference(Estimate):
    """The share in one group minus that in another.

    Attributes:
        value: the difference.
        first: the share in one group.
        second: the share in the other.
        pairs: how many configurations have runs in both groups.
        correlation: of the two shares over these pairs; 0 where there are fewer than three.
    """

    first: ShareEstimate
    second: ShareEstimate
    pairs: int
    correlation: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Newcombe's interval from those of the shares (Statistics in Medicine 17, 1998), with the
        correlation of the two estimates (Zou and Donner, 2008).

        At other levels than 95 % both distances are scaled by the quantiles of the normal
        distribution: combining the intervals of each level anew gives intervals that are not
        nested, because those of shares are not symmetric and end at 0 and 1.
        """
        (low, high), (under, over) = self.first.interval(), self.second.interval()
        below = self._combined(self.first.value - low, over - self.second.value)
        above = self._combined(high - self.first.value, self.second.value - under)
        scale = float(ndtri((1 + level) / 2) / ndtri((1 + LEVEL) / 2))
        return max(-1.0, self.value - scale * below), min(1.0, self.value + scale * above)

    def _combined(self, one: float, other: float) -> float:
        return math.sqrt(max(0.0, one**2 + other**2 - 2 * self.correlation * one * other))


def share(having: Sequence[bool], clusters: Sequence[Hashable]) -> ShareEstimate | None:
    """The share of runs that have a property; None without runs.

    Args:
        having: whether each run has it.
        clusters: the configuration of each run, which is everything but its seed.

    Raises:
        ReassessError: the two have other lengths.
    """
    if len(having) != len(clusters):
        raise ReassessError(f"{len(having)} runs have {len(clusters)} configurations")
    if not having:
        return None
    yes = np.asarray(having, dtype=np.float64)
    numbers = _numbered(clusters)
    value, count = float(yes.mean()), int(numbers.max()) + 1
    return ShareEstimate(
        value, int(yes.sum()), len(yes), count, _effective(yes - value, value, numbers, count)
    )


def _effective(
    residuals: NDArray[np.float64], value: float, numbers: NDArray[np.int64], clusters: int
) -> float:
    """The effective number of runs.

    Where all runs agree nothing tells how much those of one configuration have in common: each
    configuration then counts as one run.
    """
    runs = len(residuals)
    if value in (0.0, 1.0) or clusters == 1:
        return float(clusters)
    totals = np.bincount(numbers, weights=residuals)
    variance = float((totals**2).sum()) * clusters / (clusters - 1) / runs**2
    correction = float(stdtrit(runs - 1, TAIL) / stdtrit(clusters - 1, TAIL)) ** 2
    effective = value * (1 - value) / variance if variance > 0 else float(runs)
    return min(float(runs), effective) * correction


def share_difference(
    first: tuple[Sequence[bool], Sequence[Hashable]],
    second: tuple[Sequence[bool], Sequence[Hashable]],
) -> ShareDifference | None:
    """The share of one group of runs minus that of another; None if one group is empty.

    Args:
        first: whether each run of a group has the property, and the run's configuration, written
            without what tells the groups apart: equal ones in both groups are pairs.
        second: the same of the other group.
    """
    one, other = share(*first), share(*second)
    if one is None or other is None:
        return None
    left, right = _by_cluster(*first), _by_cluster(*second)
    common = [name for name in left if name in right]
    pairs = [(left[name], right[name]) for name in common]
    return ShareDifference(
        one.value - other.value, one, other, len(pairs), _correlation(pairs, left, right)
    )


def _by_cluster(having: Sequence[bool], clusters: Sequence[Hashable]) -> dict[Hashable, float]:
    values: dict[Hashable, list[bool]] = {}
    for yes, name in zip(having, clusters, strict=True):
        values.setdefault(name, []).append(bool(yes))
    return {name: sum(held) / len(held) for name, held in values.items()}


def _correlation(
    pairs: Sequence[tuple[float, float]],
    left: dict[Hashable, float],
    right: dict[Hashable, float],
) -> float:
    """The correlation of the two estimated shares; 0, the cautious choice, if it is negative."""
    if len(pairs) < 3:
        return 0.0
    one, other = np.asarray(pairs, dtype=np.float64).T
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    paired = len(pairs) / math.sqrt(len(left) * len(right))  # clusters of one group only are not
    return max(0.0, float(np.corrcoef(one, other)[0, 1])) * paired


def _numbered(clusters: Sequence[Hashable]) -> NDArray[np.int64]:
    names: dict[Hashable, int] = {}
    return np.asarray([names.setdefault(name, len(names)) for name in clusters], dtype=np.int64)
