"""Whether two quantities of a run move together, beyond what all runs have in common.

Two curves that both rise correlate along any run, whatever one has to do with the other: that
correlation is no evidence. Two comparisons are. Along runs, the mean curve of a configuration's
runs and a linear trend are taken out of both series, and what is left of one is compared with what
is left of the other. Across runs, the changes of configurations are compared. Runs of one
configuration (all but the seed) are one cluster, and the null distribution is that of permuted
runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from reassess.analysis.intervals import LEVEL, Estimate, Part
from reassess.analysis.strata import Matrix

PERMUTATIONS = 4999
SEED = 20251214  # of the permutations: the same bundle gives the same p
LEAST_POINTS = 4  # of a series: two are used up by the trend
LEAST_CONFIGURATIONS = 4  # so that Fisher's transformation has a variance


@dataclass(frozen=True)
class Curves:
    """Two series along a run, of equal length, and the configuration of the run."""

    configuration: Hashable
    first: Matrix
    second: Matrix


@dataclass(frozen=True)
class AlongRuns(Estimate):
    """The correlation of how two series of a run deviate from their curves.

    Attributes:
        value: the correlation of the deviations, a mean over configurations.
        part: the part between configurations; None if there is only one.
        with_trends: the mean correlation of the two series themselves, which is no evidence.
        permutation_p: the two-sided p-value, from permuting the second series among the runs of
            each configuration.
        runs: how many runs enter.
        configurations: of how many configurations.
    """

    part: Part | None
    with_trends: float
    permutation_p: float
    runs: int
    configurations: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The t interval over configurations; the whole range, -1 to 1, if there is only one."""
        half = 2.0 if self.part is None else self.part.half_width(level)
        return min(self.value, max(-1.0, self.value - half)), max(
            self.value, min(1.0, self.value + half)
        )


@dataclass(frozen=True)
class AcrossRuns(Estimate):
    """Pearson's correlation of two changes over configurations, each the mean of its runs.

    Attributes:
        value: the correlation.
        permutation_p: the two-sided p-value, from permuting configurations.
        runs: how many runs enter.
        configurations: of how many configurations.
    """

    permutation_p: float
    runs: int
    configurations: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Fisher's interval, in which each configuration counts once."""
        centre = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, self.value)))
        half = float(ndtri((1 + level) / 2)) / math.sqrt(self.configurations - 3)
        return min(self.value, math.tanh(centre - half)), max(self.value, math.tanh(centre + half))


def along_runs(runs: Sequence[Curves]) -> AlongRuns | None:
    """Whether two series of a run deviate together from the curves of its configuration.

    In `R` runs a deviation from their mean correlates with that of another run by -1 / (R - 1);
    the difference between a run's own pair and pairs of different runs is scaled by (R - 1) / R.
    Series of fewer than four points, and runs whose series does not deviate, are left out, and so
    are configurations that then have fewer than two runs; None if nothing is left.
    """
    groups: dict[Hashable, list[tuple[Matrix, Matrix]]] = {}
    for run in runs:
        groups.setdefault(run.configuration, []).append((run.first, run.second))
    found = [(group, table) for group in groups.values() if len(table := _correlations(group)) > 1]
    if not found:
        return None
    tables = [table for _, table in found]
    values = np.asarray([_own_beyond_others(table) for table in tables])
    plain = [correlation(first, second) for group, _ in found for first, second in group]
    count = len(tables)
    part = Part(float(values.std(ddof=1)) / math.sqrt(count), count - 1) if count > 1 else None
    return AlongRuns(
        float(values.mean()),
        part,
        float(np.nanmean(plain)),
        _permuted_pairs(tables),
        sum(len(table) for table in tables),
        count,
    )


def _own_beyond_others(table: Matrix) -> float:
    count = len(table)
    own = float(np.trace(table))
    others = float(table.sum()) - own
    return (own / count - others / (count * (count - 1))) * (count - 1) / count


def across_runs(
    first: Sequence[float], second: Sequence[float], configurations: Sequence[Hashable]
) -> AcrossRuns | None:
    """Whether configurations in which one quantity changes more are those in which another does.

    Args:
        first: the change of one quantity, by run.
        second: the change of the other.
        configurations: of each run.

    Returns:
        None with fewer than four configurations, or if one of the two is the same in all.
    """
    groups: dict[Hashable, list[tuple[float, float]]] = {}
    for one, other, name in zip(first, second, configurations, strict=True):
        groups.setdefault(name, []).append((one, other))
    means = np.asarray([np.mean(group, axis=0) for group in groups.values()]).reshape(-1, 2)
    if len(means) < LEAST_CONFIGURATIONS or (np.ptp(means, axis=0) == 0).any():
        return None
    scaled = means - means.mean(axis=0)
    scaled /= np.sqrt((scaled**2).sum(axis=0))
    value = float(scaled[:, 0] @ scaled[:, 1])
    generator = np.random.default_rng(SEED)
    count = len(means)
    orders = generator.permuted(np.tile(np.arange(count), (PERMUTATIONS, 1)), axis=1)
    drawn = scaled[:, 1][orders] @ scaled[:, 0]
    extreme = int((np.abs(drawn) >= abs(value) - 1e-12).sum())
    return AcrossRuns(value, (extreme + 1) / (PERMUTATIONS + 1), len(first), count)


def detrended(series: Matrix) -> Matrix:
    """A series without its linear trend, by least squares."""
    steps = np.arange(len(series)) - (len(series) - 1) / 2
    centred = series - series.mean()
    return np.asarray(centred - steps * (steps @ centred) / (steps @ steps), dtype=np.float64)


def _correlations(group: Sequence[tuple[Matrix, Matrix]]) -> Matrix:
    """The correlation of each run's first series with each run's second, both without the mean
    curve of the runs and a trend; of shape (runs, runs), without runs that do not deviate.
    """
    length = min(len(series) for pair in group for series in pair)
    if length < LEAST_POINTS:
        return np.empty((0, 0))
    curves = np.asarray([[series[:length] for series in pair] for pair in group], dtype=np.float64)
    units = [[_unit(detrended(series)) for series in pair] for pair in curves - curves.mean(axis=0)]
    varying = [(one, other) for one, other in units if one is not None and other is not None]
    if not varying:
        return np.empty((0, 0))
    first, second = (np.stack(column) for column in zip(*varying, strict=True))
    return np.asarray(first @ second.T, dtype=np.float64)


def _unit(series: Matrix) -> Matrix | None:
    norm = float(np.linalg.norm(series))
    return series / norm if norm > 1e-9 else None


def _permuted_pairs(tables: Sequence[Matrix]) -> float:
    """The two-sided p-value of the mean trace over permutations of the columns of each table.

    All permutations are counted where there are at most `PERMUTATIONS`.
    """
    orders = [np.asarray(list(_orders(len(table)))) for table in tables]
    means = [
        table[np.arange(len(table)), order].mean(axis=1)
        for table, order in zip(tables, orders, strict=True)
    ]
    observed = sum(float(one[0]) for one in means)  # the first order is the identity
    if math.prod(len(one) for one in means) <= PERMUTATIONS:
        sums = np.asarray([sum(one) for one in itertools.product(*means)])
        added = 0
    else:
        generator = np.random.default_rng(SEED)
        sums = np.zeros(PERMUTATIONS)
        for one in means:
            sums += one[generator.integers(len(one), size=PERMUTATIONS)]
        added = 1
    total = len(sums) + added
    above = (int((sums >= observed - 1e-12).sum()) + added) / total
    below = (int((sums <= observed + 1e-12).sum()) + added) / total
    return min(1.0, 2 * min(above, below))


def _orders(count: int) -> Iterator[tuple[int, ...]]:
    """Permutations, the identity first: all of up to six runs, else some drawn ones."""
    if count <= 6:
        yield from itertools.permutations(range(count))
        return
    generator = np.random.default_rng(SEED)
    yield tuple(range(count))
    for _ in range(PERMUTATIONS):
        yield tuple(generator.permutation(count).tolist())


def correlation(first: Matrix, second: Matrix) -> float:
    """Pearson's correlation of two series; nan if they have fewer than 3 points or one is flat."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    one, other = (series - series.mean() for series in (first, second))
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
