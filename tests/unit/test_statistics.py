"""Formulas against closed forms and brute force; intervals that behave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reassess.analysis.statistics import (
    correlation,
    correlation_interval,
    mean_interval,
    paired_difference,
)

matrices = st.tuples(st.integers(1, 4), st.integers(2, 30), st.integers(0, 2**31)).map(
    lambda shape: (np.random.default_rng(shape[2]).random((shape[0], shape[1])) < 0.6).astype(float)
)


def test_the_interval_of_one_seed_is_that_of_a_proportion():
    outcomes = np.array([[1.0] * 60 + [0.0] * 40])
    interval = mean_interval(outcomes, 4000)
    assert interval.value == pytest.approx(0.6)
    assert interval.half_width == pytest.approx(1.96 * (0.6 * 0.4 / 100) ** 0.5, rel=0.1)


def test_seeds_that_differ_widen_the_interval():
    alike = np.array([[1.0, 0.0] * 50] * 3)
    apart = np.array([[1.0] * 100, [0.0] * 100, [1.0, 0.0] * 50])
    assert mean_interval(apart).half_width > 2 * mean_interval(alike).half_width


def test_the_bootstrap_is_the_hierarchical_one_by_brute_force():
    outcomes = np.random.default_rng(0).random((3, 7))
    generator = np.random.default_rng(1)
    draws = []
    for _ in range(6000):
        seeds, items = generator.integers(3, size=3), generator.integers(7, size=7)
        draws.append(outcomes[np.ix_(seeds, items)].mean())
    interval = mean_interval(outcomes, 6000)
    assert interval.low == pytest.approx(np.quantile(draws, 0.025), abs=0.02)
    assert interval.high == pytest.approx(np.quantile(draws, 0.975), abs=0.02)


@given(matrices)
@settings(max_examples=30, deadline=None)
def test_intervals_contain_their_estimate_and_are_repeatable(outcomes):
    interval = mean_interval(outcomes, 200)
    assert interval.low <= interval.value <= interval.high
    assert interval == mean_interval(outcomes, 200)


@given(matrices)
@settings(max_examples=30, deadline=None)
def test_swapping_the_arms_flips_the_sign(outcomes):
    other = np.roll(outcomes, 1, axis=1)
    there, back = paired_difference(outcomes, other, 200), paired_difference(other, outcomes, 200)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high, abs=1e-9)


def test_an_arm_against_itself_differs_by_nothing():
    outcomes = np.random.default_rng(0).random((2, 20))
    interval = paired_difference(outcomes, outcomes)
    assert (interval.value, interval.low, interval.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="shapes"):
        paired_difference(outcomes, outcomes[:, :5])


def test_correlation():
    first = np.array([1.0, 2.0, 3.0, 4.0])
    assert correlation(first, 2 * first + 1) == pytest.approx(1)
    assert correlation(first, -first) == pytest.approx(-1)
    assert np.isnan(correlation(first, np.ones(4)))


def test_the_interval_of_a_correlation_is_the_hierarchical_bootstrap_by_brute_force():
    generator = np.random.default_rng(3)
    runs = [(x, 0.5 * x + generator.normal(size=12)) for x in generator.normal(size=(4, 12))]
    drawn = generator.integers(4, size=(4000, 4, 1)), generator.integers(12, size=(4000, 4, 12))
    first, second = (np.array(values)[drawn] for values in zip(*runs))
    first, second = (values - values.mean(axis=-1, keepdims=True) for values in (first, second))
    products = [
        (one * other).sum(axis=-1)
        for one, other in ((first, second), (first, first), (second, second))
    ]
    draws = np.nanmean(products[0] / np.sqrt(products[1] * products[2]), axis=-1)
    interval = correlation_interval(runs, 4000)
    assert interval.value == pytest.approx(np.mean([correlation(*run) for run in runs]))
    assert interval.low == pytest.approx(np.quantile(draws, 0.025), abs=0.03)
    assert interval.high == pytest.approx(np.quantile(draws, 0.975), abs=0.03)
    assert (interval.seeds, interval.items) == (4, 12)


def test_a_flat_run_has_no_correlation():
    flat, rising = np.ones(6), np.arange(6.0)
    assert correlation_interval([(flat, rising)]) is None
    interval = correlation_interval([(flat, rising), (rising, rising)])
    assert interval.value == pytest.approx(1)
    assert interval.seeds == 1
