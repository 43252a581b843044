"""Trends are no evidence; deviations that runs share are."""

import itertools

import numpy as np
import pytest
from scipy.stats import linregress, pearsonr

from reassess.analysis.association import Curves, across_runs, along_runs, detrended

STEPS = np.arange(8) / 8


def curves(configurations=6, runs=3, shared=0.0, seed=0):
    """Rising curves with noise, of which a share is the same in both series of a run."""
    generator = np.random.default_rng(seed)
    made = []
    for name in range(configurations):
        for _ in range(runs):
            noise, first, second = generator.normal(size=(3, len(STEPS)))
            rise = 5 * np.sqrt(STEPS) * (1 + name)
            made.append(
                Curves(
                    name,
                    rise + shared * noise + (1 - shared) * first,
                    rise + shared * noise + (1 - shared) * second,
                )
            )
    return made


def test_a_series_without_its_trend_is_the_residual_of_a_regression():
    series = np.random.default_rng(0).normal(size=9)
    line = linregress(np.arange(9), series)
    assert detrended(series) == pytest.approx(series - line.intercept - line.slope * np.arange(9))
    assert detrended(3 * STEPS + 1) == pytest.approx(np.zeros(8))


def test_two_rising_curves_are_no_evidence():
    found = along_runs(curves())
    assert found.with_trends > 0.8
    assert found.low < 0 < found.high and found.permutation_p > 0.1
    assert (found.runs, found.configurations) == (18, 6)


def test_what_a_run_shares_is_evidence():
    found = along_runs(curves(shared=0.7))
    assert found.low > 0.5 and found.permutation_p < 0.01
    assert found.value == pytest.approx(0.49 / (0.49 + 0.09), abs=0.1)  # the correlation made


def residuals(runs):
    """What is left of both series of runs without their mean curve and a trend."""
    pairs = np.array([(run.first, run.second) for run in runs])
    return [[detrended(series) for series in pair] for pair in pairs - pairs.mean(axis=0)]


def test_few_runs_have_the_exact_permutation_p():
    runs = curves(configurations=2, shared=0.4, seed=3)
    groups = [residuals(runs[:3]), residuals(runs[3:])]
    sums = []
    for orders in itertools.product(itertools.permutations(range(3)), repeat=2):
        sums.append(
            sum(
                pearsonr(group[a][0], group[b][1]).statistic
                for group, order in zip(groups, orders, strict=True)
                for a, b in enumerate(order)
            )
        )
    above = np.mean(np.array(sums) >= sums[0] - 1e-12)
    below = np.mean(np.array(sums) <= sums[0] + 1e-12)
    assert along_runs(runs).permutation_p == pytest.approx(min(1, 2 * min(above, below)))


def test_runs_without_anything_to_compare_are_left_out():
    flat = Curves("a", np.ones(8), STEPS)
    assert along_runs([flat, flat]) is None
    assert along_runs(curves(runs=1)) is None
    assert along_runs([Curves("a", STEPS[:3], STEPS[:3])] * 2) is None
    one = along_runs(curves(configurations=1))
    assert one.interval() == (-1, 1)  # one configuration says nothing of others


def test_configurations_count_once_across_runs():
    generator = np.random.default_rng(1)
    first = generator.normal(size=8)
    second = first + generator.normal(size=8)
    found = across_runs(np.repeat(first, 3), np.repeat(second, 3), np.repeat(range(8), 3))
    expected = pearsonr(first, second)
    interval = expected.confidence_interval(0.95)
    assert found.value == pytest.approx(expected.statistic)
    assert found.interval() == pytest.approx((interval.low, interval.high))
    assert found.permutation_p == pytest.approx(expected.pvalue, abs=0.02)
    assert (found.runs, found.configurations) == (24, 8)
    assert across_runs([1, 2, 3], [1, 2, 3], "abc") is None
    assert across_runs([1, 1, 1, 1], [1, 2, 3, 4], "abcd") is None
