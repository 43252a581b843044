"""Tests by inverting an interval, against the closed form; Holm against its definition."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from reassess.analysis.intervals import Estimate, Part, holm


class Student(Estimate):
    """A t interval with standard error 1 and 4 degrees of freedom."""

    def interval(self, level=0.95):
        half = Part(1.0, 4).half_width(level)
        return self.value - half, self.value + half


@given(st.floats(-8, 8), st.floats(-8, 8))
@settings(max_examples=60, deadline=None)
def test_the_p_value_of_a_t_interval_is_that_of_the_t_test(value, null):
    estimate, statistic = Student(value), value - null
    assert estimate.p_value(null) == pytest.approx(2 * t.sf(abs(statistic), 4), rel=1e-6)
    assert estimate.p_value(null, "greater") == pytest.approx(t.sf(statistic, 4), rel=1e-6)
    assert estimate.p_value(null, "less") == pytest.approx(t.cdf(statistic, 4), rel=1e-6)


@given(st.floats(-20, 20))
@settings(max_examples=60, deadline=None)
def test_the_test_rejects_what_the_interval_excludes(null):
    estimate = Student(0.7)
    outside = not estimate.low <= null <= estimate.high
    assert (estimate.p_value(null) < 0.05) == outside


def test_no_p_value_is_zero():
    assert Student(1e9).p_value() == 1e-12


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.floats(0.01, 0.5))
@settings(max_examples=100, deadline=None)
def test_holm_rejects_what_the_closed_test_rejects(p_values, alpha):
    """A hypothesis falls if Bonferroni rejects every family that contains it."""
    numbers = range(len(p_values))
    families = [
        family
        for size in range(1, len(p_values) + 1)
        for family in itertools.combinations(numbers, size)
    ]
    for number, adjusted in enumerate(holm(p_values)):
        worst = max(
            min(1.0, len(family) * min(p_values[one] for one in family))
            for family in families
            if number in family
        )
        assert adjusted == pytest.approx(worst)
        assert adjusted >= p_values[number]
