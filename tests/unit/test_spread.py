"""The ratio of two spreads, against the test that it inverts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from reassess.analysis.spread import spread_ratio
from reassess.analysis.statistics import Run
from reassess.core.errors import ReassessError


def constant(values, items=10):
    return np.tile(np.asarray(values, dtype=float)[:, None], items)


def runs_of(count, models=1):
    return [Run(f"m{number % models}", number, 1) for number in range(count)]


@given(st.integers(0, 10_000), st.integers(4, 10))
@settings(max_examples=40, deadline=None)
def test_its_p_value_is_that_of_pitman_and_morgan(seed, count):
    """Two variances are equal if sum and difference are uncorrelated."""
    generator = np.random.default_rng(seed)
    first = generator.normal(0.5, 0.02, count)
    second = 0.5 * first + generator.normal(0.2, 0.03, count)
    estimate = spread_ratio(constant(first), constant(second), runs_of(count))
    assert estimate.value == pytest.approx(first.std(ddof=1) / second.std(ddof=1))
    expected = pearsonr(first + second, first - second).pvalue
    assert estimate.p_value(1.0) == pytest.approx(expected, rel=1e-4)


def test_models_are_centred_on_their_own_means():
    first, second = np.array([0.1, 0.2, 0.3, 0.2]), np.array([0.1, 0.12, 0.14, 0.1])
    runs = runs_of(4, models=2)
    estimate = spread_ratio(constant(first), constant(second), runs)
    shift = np.array([0, 0.5, 0, 0.5])
    moved = spread_ratio(constant(first + shift), constant(second), runs)
    assert estimate.freedom == 2
    assert moved.interval() == pytest.approx(estimate.interval())


def test_exchanging_the_arms_inverts_the_ratio():
    first, second = np.array([0.1, 0.2, 0.3, 0.15]), np.array([0.1, 0.12, 0.14, 0.1])
    there = spread_ratio(constant(first), constant(second), runs_of(4))
    back = spread_ratio(constant(second), constant(first), runs_of(4))
    assert there.low == pytest.approx(1 / back.high)


def test_too_few_runs_or_no_spread_have_no_ratio():
    two = constant([0.1, 0.2])
    assert spread_ratio(two, two, runs_of(2)) is None
    four = constant([0.1, 0.2, 0.3, 0.4])
    assert spread_ratio(four, constant([0.1] * 4), runs_of(4)) is None
    with pytest.raises(ReassessError, match="shapes"):
        spread_ratio(two, four, runs_of(2))
