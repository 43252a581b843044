"""Shares of runs: exact intervals without clusters, and what clusters change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t

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
    assert share_difference(([], []), ([True], ["a"])) is None
    with pytest.raises(ReassessError, match="2 runs have 1"):
        share([True, False], ["a"])


def test_a_difference_is_newcombes():
    one, other = group(*[1] * 56, *[0] * 14, of=1), group(*[1] * 48, *[0] * 32, of=1)
    names = [f"other {name}" for name in other[1]]
    estimate = share_difference(one, (other[0], names))
    first, second = share(*one), share(other[0], names)
    below = ((first.value - first.low) ** 2 + (second.high - second.value) ** 2) ** 0.5
    assert (estimate.value, estimate.low) == pytest.approx((0.2, 0.2 - below))
    assert estimate.pairs == 0 and estimate.p_value() < 0.02


def test_pairs_that_agree_narrow_a_difference():
    left, right = group(3, 3, 2, 1, 0, 0, 3, 1), group(2, 3, 1, 1, 0, 0, 2, 0)
    paired = share_difference(left, right)
    apart = share_difference(left, (right[0], [f"other {name}" for name in right[1]]))
    assert paired.pairs == 8 and paired.correlation > 0.8
    assert paired.value == apart.value and paired.half_width < 0.7 * apart.half_width


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_swapping_the_groups_flips_the_sign(counts):
    left, right = (group(*column) for column in zip(*counts, strict=True))
    there, back = share_difference(left, right), share_difference(right, left)
    assert there.interval() == pytest.approx([-end for end in reversed(back.interval())])


def test_the_effective_number_of_runs_by_hand():
    """Totals of the residuals are 1, 0 and -1 in three configurations of three runs."""
    estimate = share(*group(2, 1, 0))
    variance = (1 + 0 + 1) * 3 / 2 / 9**2
    few = (t.ppf(0.975, 8) / t.ppf(0.975, 2)) ** 2
    assert estimate.effective == pytest.approx(1 / 3 * 2 / 3 / variance * few)
