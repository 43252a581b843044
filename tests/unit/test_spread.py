"""The ratio of two spreads, against the test that it inverts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from reassess.analysis.spread import spread_ratio
from reassess.analysis.strata import Run
from reassess.core.errors import ReassessError

ITEMS = 10_000


def constant(values, items=ITEMS):
    return np.tile(np.asarray(values, dtype=float)[:, None], items)


def runs_of(count, models=1):
    return [Run(f"m{number % models}", number, 1) for number in range(count)]


@given(st.integers(0, 10_000), st.integers(4, 10))
@settings(max_examples=40, deadline=None)
def test_its_p_value_is_that_of_pitman_and_morgan(seed, count):
    """Two variances are equal if sum and difference are uncorrelated; to each the grain is added."""
    generator = np.random.default_rng(seed)
    first = generator.normal(0.5, 0.02, count)
    second = 0.5 * first + generator.normal(0.2, 0.03, count)
    estimate = spread_ratio(constant(first), constant(second), runs_of(count))
    (one, both), (_, other) = np.cov(first, second) + np.eye(2) / 12 / ITEMS**2
    assert estimate.value == pytest.approx((one / other) ** 0.5)
    related = (one - other) / ((one + other) ** 2 - 4 * both**2) ** 0.5
    ratio = related * ((count - 2) / (1 - related**2)) ** 0.5
    assert estimate.p_value(1.0) == pytest.approx(2 * t.sf(abs(ratio), count - 2), rel=1e-4)


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


def test_arms_that_spread_in_step_are_not_certain():
    """Means of few items often agree: that both arms moved alike proves no ratio."""
    steps = constant([0.5, 0.525, 0.55, 0.5], items=40)
    estimate = spread_ratio(steps, steps, runs_of(4))
    assert estimate.value == 1 and estimate.low < 0.99 and estimate.p_value(1.0) == 1.0


def test_means_of_few_items_are_rarely_taken_for_certain():
    generator, small = np.random.default_rng(0), 0
    for _ in range(1500):
        first, second = (generator.random((2, 4, 40)) < 0.5).astype(float)
        estimate = spread_ratio(first, second, runs_of(4, models=2))
        small += estimate is not None and estimate.p_value(1.0) < 0.0045
    assert small <= 1500 * 0.0045 + 4 * (1500 * 0.0045) ** 0.5


def test_models_that_share_their_rows_count_once_in_the_degrees_of_freedom():
    first, second = (np.random.default_rng(seed).normal(0.5, 0.02, 6) for seed in (1, 2))
    pair = constant(first), constant(second), runs_of(6, models=2)
    apart, together = spread_ratio(*pair), spread_ratio(*pair, shared=True)
    assert (apart.freedom, together.freedom) == (4, 3)
    assert together.value == apart.value and together.high > apart.high


def test_too_few_runs_or_no_spread_have_no_ratio():
    two = constant([0.1, 0.2])
    assert spread_ratio(two, two, runs_of(2)) is None
    four = constant([0.1, 0.2, 0.3, 0.4])
    assert spread_ratio(four, constant([0.1] * 4), runs_of(4)) is None
    with pytest.raises(ReassessError, match="shapes"):
        spread_ratio(two, four, runs_of(2))
