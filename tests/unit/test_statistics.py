"""Means and their intervals: formulas against closed forms and scipy; what they cover."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway, t, ttest_1samp

from reassess.analysis.statistics import (
    DIFFERENCE,
    POPULATION_MODELS,
    mean_estimate,
    paired_difference,
    population_estimate,
)
from reassess.analysis.strata import Run
from reassess.core.errors import ReassessError

matrices = st.tuples(st.integers(1, 4), st.integers(2, 30), st.integers(0, 2**31)).map(
    lambda shape: (np.random.default_rng(shape[2]).random((shape[0], shape[1])) < 0.6).astype(float)
)


def runs_of(models=1, seeds=3, bases=1):
    """Labels of runs, model by model."""
    return [
        Run(f"m{model}", seed + 1, seed % bases + 1)
        for model in range(models)
        for seed in range(seeds)
    ]


def constant(*rows, items=100):
    """Outcomes that are the same at every item."""
    return np.tile(np.array(rows, dtype=float)[:, None], items)


def test_one_run_has_the_interval_of_a_proportion_with_two_added_items():
    outcomes = np.array([[1.0] * 60 + [0.0] * 40])
    estimate = mean_estimate(outcomes)
    share = 61 / 102
    assert estimate.value == pytest.approx(0.6)
    assert estimate.half_width == pytest.approx(
        t.ppf(0.975, 99) * (share * (1 - share) / 102) ** 0.5
    )
    assert estimate.covers == ("items",) and not estimate.covers_runs
    assert estimate.coverage == "items only, one run"


def test_items_that_all_agree_leave_an_interval_cut_to_the_range():
    estimate = mean_estimate(np.ones((1, 300)))
    assert estimate.high == 1 and 0.98 < estimate.low < 0.995  # 3 / 300 by the rule of three
    zero = paired_difference(np.ones((1, 300)), np.ones((1, 300)))
    assert zero.low == pytest.approx(-zero.high) and 0.005 < zero.high < 0.012


def test_runs_that_differ_have_the_t_interval_of_their_means():
    means = np.array([0.1, 0.25, 0.4, 0.2])
    estimate = mean_estimate(constant(*means, items=1000), bounds=DIFFERENCE)
    low, high = ttest_1samp(means, 0).confidence_interval(0.95)
    assert (estimate.by_runs.half_width(), estimate.by_runs.freedom) == (
        pytest.approx((high - low) / 2),
        3,
    )
    assert estimate.low <= low and high <= estimate.high
    assert estimate.half_width == pytest.approx((high - low) / 2, rel=0.01)
    assert estimate.covers == ("seeds", "items")


def test_the_two_parts_add_up_as_squares():
    generator = np.random.default_rng(0)
    outcomes = (
        generator.normal(0.1, 0.02, (3, 1))
        + generator.normal(0, 0.3, 200)
        + generator.normal(0, 0.1, (3, 200))
    )
    estimate = mean_estimate(outcomes, bounds=DIFFERENCE)
    # Expected mean squares of the two-way layout without replication.
    rows, columns = outcomes.mean(axis=1), outcomes.mean(axis=0)
    residuals = outcomes - rows[:, None] - columns + outcomes.mean()
    of_residuals = (residuals**2).sum() / (2 * 199)
    padded = np.append(columns, DIFFERENCE)
    items = padded.var() / 202 - of_residuals / 3 / 200
    runs = rows.var(ddof=1) / 3
    expected = (t.ppf(0.975, 2) ** 2 * runs + t.ppf(0.975, 199) ** 2 * items) ** 0.5
    assert estimate.half_width == pytest.approx(expected)


@given(matrices)
@settings(max_examples=40, deadline=None)
def test_no_interval_is_narrower_than_that_of_run_means_or_of_items(outcomes):
    estimate = mean_estimate(outcomes)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    free = replace(estimate, bounds=(-np.inf, np.inf))
    if len(outcomes) > 1 and np.ptp(outcomes.mean(axis=1)):
        low, high = ttest_1samp(outcomes.mean(axis=1), 0).confidence_interval(0.95)
        assert free.low <= low + 1e-9 and high - 1e-9 <= free.high
    assert free.half_width >= free.items_alone.half_width() - 1e-12


@given(matrices, st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_and_names_decide_nothing(outcomes, random):
    runs = [Run("ab"[row % 2], row, 1) for row in range(len(outcomes))]
    order = random.sample(range(len(runs)), len(runs))
    shuffled = mean_estimate(outcomes[order][:, ::-1], [runs[row] for row in order])
    estimate = mean_estimate(outcomes, runs)
    assert shuffled.interval() == pytest.approx(estimate.interval())
    for name, one in estimate.models:
        assert dict(shuffled.models)[name].interval() == pytest.approx(one.interval())


@given(matrices)
@settings(max_examples=30, deadline=None)
def test_swapping_the_arms_flips_the_sign(outcomes):
    other = np.roll(outcomes, 1, axis=1)
    there, back = paired_difference(outcomes, other), paired_difference(other, outcomes)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high)


def test_what_does_not_fit_is_refused():
    outcomes = np.zeros((2, 20))
    with pytest.raises(ReassessError, match=r"\(2, 20\) and \(2, 5\)"):
        paired_difference(outcomes, outcomes[:, :5])
    with pytest.raises(ReassessError, match="3 labels"):
        mean_estimate(outcomes, runs_of(seeds=3))
    outcomes[1, 7] = np.nan
    with pytest.raises(ReassessError, match="seed=2.* item 7"):
        mean_estimate(outcomes, runs_of(seeds=2))
    with pytest.raises(ReassessError, match="shape"):
        mean_estimate(np.zeros((0, 3)))


# --- clusters -------------------------------------------------------------------------------------


def test_runs_from_one_base_replicate_are_one_cluster():
    means = (0.1, 0.3, 0.2, 0.14, 0.34, 0.24)  # seeds 1 and 4 start from base 1, and so on
    estimate = mean_estimate(constant(*means), runs_of(seeds=6, bases=3))
    of_bases = mean_estimate(constant(0.12, 0.32, 0.22))
    assert estimate.interval() == pytest.approx(of_bases.interval())
    assert (estimate.runs, estimate.clusters, estimate.bases) == (6, 3, 3)
    assert estimate.covers == ("bases", "seeds", "items")
    assert mean_estimate(constant(*means)).half_width < estimate.half_width


def test_every_base_has_the_same_weight():
    runs = [Run("m", 1, 1), Run("m", 4, 1), Run("m", 2, 2)]
    assert mean_estimate(constant(0.1, 0.3, 0.6), runs).value == pytest.approx(0.4)


def test_one_base_is_not_covered():
    estimate = mean_estimate(constant(0.1, 0.3, 0.2), runs_of(), varied=("rows", "seeds"))
    assert estimate.covers == ("rows", "seeds", "items") and estimate.bases == 1
    assert estimate.coverage == "rows, seeds and items"


def test_several_runs_in_one_cluster_decide_as_little_as_one():
    """Both runs of a model start from one of the two bases of the others."""
    runs = [*runs_of(seeds=2, bases=2), Run("other", 1, 1)]
    estimate = mean_estimate(constant(0.1, 0.3, 0.2), runs)
    assert estimate.covers == ("items",) and estimate.by_runs is None


def test_models_that_share_their_rows_are_no_further_draws_of_rows():
    effect = np.array([-0.05, 0.0, 0.08])
    outcomes = constant(*(0.3 + effect), *(0.5 + effect))
    shared = mean_estimate(outcomes, runs_of(models=2), varied=("rows", "seeds"))
    assert shared.by_rows.half_width() == pytest.approx(
        t.ppf(0.975, 2) * effect.std(ddof=1) / 3**0.5
    )
    assert shared.half_width >= shared.by_rows.half_width() > shared.by_runs.half_width()
    apart = mean_estimate(outcomes, runs_of(models=2))
    assert apart.by_rows is None and apart.half_width < shared.half_width
    assert all(one.by_rows is None for _, one in shared.models)
    other_seeds = [Run(run.model, run.seed + 3 * (run.model == "m1"), 1) for run in runs_of(2)]
    assert mean_estimate(outcomes, other_seeds, varied=("rows", "seeds")).by_rows is None


# --- models ---------------------------------------------------------------------------------------


def test_these_models_have_the_same_weight_and_their_own_estimates():
    means = (0.1, 0.2, 0.3, 0.7, 0.8)
    runs = [*runs_of(seeds=3), Run("other", 1), Run("other", 2)]
    estimate = mean_estimate(constant(*means), runs)
    assert estimate.value == pytest.approx((0.2 + 0.75) / 2)
    assert [name for name, _ in estimate.models] == ["m0", "other"]
    assert [one.value for _, one in estimate.models] == pytest.approx([0.2, 0.75])
    assert [one.runs for _, one in estimate.models] == [3, 2]
    assert estimate.runs == 5


def test_the_distance_of_models_does_not_widen_the_interval_for_these_models():
    spread = np.array([0.0, 0.01, 0.02])
    near = mean_estimate(constant(*spread, *spread), runs_of(models=2))
    apart = mean_estimate(constant(*spread, *(0.9 + spread)), runs_of(models=2))
    assert apart.by_runs.half_width() == pytest.approx(near.by_runs.half_width())


def test_equal_variances_add_up_their_degrees_of_freedom():
    spread = np.array([0.0, 0.1, 0.2])
    estimate = mean_estimate(constant(*spread, *spread), runs_of(models=2))
    assert estimate.by_runs.freedom == pytest.approx(4)
    assert estimate.by_runs.error == pytest.approx(0.1 / 6**0.5)


def test_heterogeneity_is_the_analysis_of_variance():
    generator = np.random.default_rng(0)
    means = generator.normal(0.5, 0.1, 12)
    found = mean_estimate(constant(*means), runs_of(models=3, seeds=4)).heterogeneity
    expected = f_oneway(*means.reshape(3, 4))
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.between == 2 and 3 <= found.within <= 9
    alike = mean_estimate(constant(0.1, 0.2, 0.1, 0.2), runs_of(models=2, seeds=2)).heterogeneity
    assert alike.p == 1
    assert mean_estimate(constant(0.1, 0.2), runs_of(seeds=2)).heterogeneity is None


def test_a_population_of_models_has_the_t_interval_of_model_means():
    means = np.array([0.1, -0.2, 0.3, 0.05, 0.2])
    rows = np.repeat(means, 2) + np.tile([-0.01, 0.01], 5)
    estimate = population_estimate(constant(*rows), runs_of(models=5, seeds=2))
    low, high = ttest_1samp(means, 0).confidence_interval(0.95)
    assert estimate.by_runs.half_width() == pytest.approx((high - low) / 2)
    assert estimate.covers[0] == "models" and (estimate.runs, estimate.clusters) == (10, 5)
    assert len(estimate.models) == POPULATION_MODELS


def test_a_population_needs_enough_models():
    assert population_estimate(constant(*range(8)), runs_of(models=4, seeds=2)) is None
