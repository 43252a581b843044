"""Shares of runs: exact intervals without clusters, and what clusters change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, t

from reassess.analysis.shares import share, share_difference
from reassess.core.errors import ReassessError


def group(*counts, of=3):
    """Runs of configurations, `of` each, by how many have the property."""
    having = [number < count for count in counts for number in range(of)]
    return having, [name for name in range(len(counts)) for _ in range(of)]


def test_all_configurations_of_one_run_have_the_exact_interval():
    """Where clusters are single runs, up to the estimate of their variance."""
    having, names = group(*[1] * 10, *[0] * 30, of=1)
    estimate = share(having, names)
    exact = binomtest(10, 40).proportion_ci(0.95, "exact")
    assert estimate.value == 0.25
    assert estimate.interval() == pytest.approx((exact.low, exact.high), abs=0.005)


def test_runs_that_follow_their_configuration_count_once():
    alike, mixed = share(*group(3, 3, 3, 0, 0, 0)), share(*group(2, 1, 2, 1, 2, 1))
    assert alike.value == mixed.value == 0.5
    assert alike.effective < 6 < mixed.effective
    assert alike.half_width > mixed.half_width


@pytest.mark.parametrize("count", [0, 3])
def test_where_all_runs_agree_each_configuration_counts_once(count):
    estimate = share(*group(*[count] * 8))
    exact = binomtest(8 * count // 3, 8).proportion_ci(0.95, "exact")
    assert estimate.interval() == pytest.approx((exact.low, exact.high))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
@settings(max_examples=80, deadline=None)
def test_an_interval_contains_its_share_and_turns_with_it(counts):
    estimate, turned = share(*group(*counts)), share(*group(*[3 - count for count in counts]))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert turned.interval() == pytest.approx((1 - estimate.high, 1 - estimate.low), abs=1e-9)
    assert 1 - 1e-9 <= estimate.effective * 3 <= 9 * len(counts) + 1e-9 or len(counts) < 3


def test_shares_without_runs_or_with_other_labels():
    assert share([], []) is None
    for ways in ((["a"],), (["a", "b"], ["a"])):
        with pytest.raises(ReassessError, match="2 runs have 1"):
            share([True, False], *ways)


def test_a_difference_is_newcombes():
    one, other = group(*[1] * 56, *[0] * 14, of=1), group(*[1] * 48, *[0] * 32, of=1)
    first, second = share(*one), share(*other)
    estimate = share_difference(first, second)
    below = ((first.value - first.low) ** 2 + (second.high - second.value) ** 2) ** 0.5
    assert (estimate.value, estimate.low) == pytest.approx((0.2, 0.2 - below))
    assert estimate.p_value() < 0.02


def test_a_few_configurations_that_agree_decide_nothing():
    """Ten of twelve runs against six, in four configurations: a sign test cannot be below .125."""
    left, right = share(*group(3, 3, 2, 2)), share(*group(2, 2, 1, 1))
    assert share_difference(left, right).p_value() > 0.125
    alike = share(*group(1, 1, 0, 0, of=1))
    assert share_difference(alike, alike).low < -0.3


def test_runs_that_follow_their_start_are_no_more_than_starts():
    """Six configurations that all have the property where their start has: three starts."""
    having = [start == 0 for _ in range(6) for start in range(3)]
    configurations = [number for number in range(6) for _ in range(3)]
    starts = [start for _ in range(6) for start in range(3)]
    one, two = share(having, configurations), share(having, configurations, starts)
    assert two.clusters == 3 and two.effective < 3.1 and one.effective >= 6
    assert two == share(having, starts, configurations)


def test_two_ways_that_say_the_same_are_one():
    having, names = group(3, 2, 1, 0, 0, 3)
    assert share(having, names, names) == share(having, names)


def test_the_detectable_share_is_found_with_the_stated_power():
    """By the binomial distribution, where each run is a cluster."""
    estimate = share(*group(*[1] * 10, *[0] * 30, of=1))
    effect, runs = estimate.detectable(0.25), int(estimate.effective)
    least = next(
        yes
        for yes in range(runs + 1)
        if binomtest(yes, runs).proportion_ci(0.95, "exact").low > 0.25
    )
    assert binom.sf(least - 1, runs, 0.25 + effect) == pytest.approx(0.8, abs=1e-6)
    assert share(*group(3, 3)).detectable(0.25) is None
    assert share_difference(share(*group(1, 2)), share(*group(1, 0))).detectable(0.0) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_swapping_the_groups_flips_the_sign(counts):
    left, right = (share(*group(*column)) for column in zip(*counts, strict=True))
    there, back = share_difference(left, right), share_difference(right, left)
    assert there.interval() == pytest.approx([-end for end in reversed(back.interval())])


def test_the_effective_number_of_runs_by_hand():
    """Totals of the residuals are 1, 0 and -1 in three configurations of three runs."""
    estimate = share(*group(2, 1, 0))
    variance = (1 + 0 + 1) * 3 / 2 / 9**2
    few = (t.ppf(0.975, 8) / t.ppf(0.975, 2)) ** 2
    assert estimate.effective == pytest.approx(1 / 3 * 2 / 3 / variance * few)
