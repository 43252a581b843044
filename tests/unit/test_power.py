"""What claims can see: formulas against the estimates themselves, and the command."""

import math
from dataclasses import replace

import numpy as np
import pytest
from memory import drawn, memory_bundle, small_grid
from synthetic import ROOT

from reassess.analysis.intervals import Part, power_factor
from reassess.analysis.planned import Plan
from reassess.analysis.power import ASSUMED, as_table, components, prospects
from reassess.analysis.spread import SpreadRatio
from reassess.analysis.statistics import DIFFERENCE, mean_estimate
from reassess.analysis.strata import Run
from reassess.cli import main


def simulated(generator, models, runs, items, deviation=0.05):
    """Differences of outcomes with effects of runs, of items, and of runs on items."""
    labels = [Run(f"m{model}", seed) for model in range(models) for seed in range(1, runs + 1)]
    of_runs = generator.normal(scale=deviation, size=(len(labels), 1))
    of_items = generator.normal(scale=0.3, size=(1, items))
    both = generator.normal(scale=0.25, size=(len(labels), items))
    return mean_estimate(of_runs + of_items + both, labels, bounds=DIFFERENCE)


@pytest.mark.parametrize("models", [1, 2])
def test_components_give_the_half_width_that_they_came_from(models):
    """Up to the two added items and, of several models, how their variances are pooled."""
    for seed in range(5):
        estimate = simulated(np.random.default_rng(seed), models, 5, 800)
        found = components(estimate)
        again = found.half_width(models, 5, 800)
        assert again == pytest.approx(estimate.half_width, rel=0.01 if models == 1 else 0.2)


def test_components_foresee_other_designs():
    generator = np.random.default_rng(3)
    small = [components(simulated(generator, 2, 4, 400)) for _ in range(40)]
    foreseen = np.median([one.half_width(2, 8, 1600) for one in small])
    there = np.median([simulated(generator, 2, 8, 1600).half_width for _ in range(40)])
    assert foreseen == pytest.approx(there, rel=0.15)


def test_what_items_alone_bring_is_that_of_these_runs():
    one = simulated(np.random.default_rng(8), 2, 5, 800)
    found = components(one).of_items(2, 5, 800)
    assert found == pytest.approx(one.items_alone.half_width(), rel=0.01)
    assert found < components(one).half_width(2, 5, 800)


def test_more_runs_and_items_see_more_and_one_run_nothing():
    assert math.isinf(ASSUMED.half_width(2, 1, 300))
    widths = [ASSUMED.half_width(2, runs, items) for runs, items in ((2, 300), (3, 300), (3, 2000))]
    assert widths == sorted(widths, reverse=True)
    assert components(mean_estimate(np.ones((1, 9)))) is None


def test_the_smallest_detectable_effect_is_found_with_the_stated_power():
    """Of a normal estimate with a known error, by counting how often its interval excludes 0."""
    generator = np.random.default_rng(0)
    error, count = 1.0, 4000
    half = Part(error, 1e9).half_width()
    effect = power_factor() * half
    found = np.abs(generator.normal(effect, error, size=count)) > half
    assert found.mean() == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / count) ** 0.5)


def test_of_a_ratio_it_is_a_factor():
    one = SpreadRatio(2.0, 0.04, 0.02, 0.0, 20, 22)
    low, high = one.interval()
    assert one.detectable(1.0) == pytest.approx(math.sqrt(high / low) ** power_factor())
    other = SpreadRatio(0.5, 0.01, 0.02, 0.0, 20, 22)
    assert other.detectable(1.0) == pytest.approx(one.detectable(1.0))


def test_of_a_mean_near_its_bound_it_is_that_of_the_whole_interval():
    """What the range of an outcome cuts off was no precision."""
    near = mean_estimate(np.eye(3, 40) * 0 + 1, bounds=DIFFERENCE)
    assert near.half_width < near.distance()
    assert near.detectable(0.0) == pytest.approx(power_factor() * near.distance())


def test_with_a_run_its_own_width_is_foreseen():
    """Draws that models share are wider than their runs, and count once in the degrees of freedom."""
    generator = np.random.default_rng(5)
    labels = [Run(f"m{model}", seed) for model in range(2) for seed in range(1, 4)]
    rows = np.tile(generator.normal(scale=0.05, size=3), 2)[:, None]
    outcomes = rows + generator.normal(scale=0.3, size=(6, 900))
    one = mean_estimate(outcomes, labels, bounds=DIFFERENCE, varied=("rows", "seeds"))
    assert components(one).freedom == 1
    assert components(one).half_width(2, 3, 900) == pytest.approx(one.half_width, rel=0.01)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return small_grid(tmp_path_factory.mktemp("power"))


def test_a_claim_that_nothing_is_planned_for_says_so(grid):
    bundle = memory_bundle(grid, lambda cell, name: drawn(cell, 0.5))
    items = {"main": 2000, "shifted": 300}  # no text
    came = {one.claim.id: one for one in prospects(bundle.plan, grid.claims, items)}
    assert set(came) == set(grid.claims)
    assert "not in this grid" in came["transfer"].settled and not came["transfer"].models
    drawn_rows = replace(ASSUMED, freedom=1.0)
    assert came["capacity-weak"].half_width == drawn_rows.half_width(2, 3, 2000)
    table = as_table(iter(came.values()))
    assert "assumed" in table and all(name in table for name in came)


def test_with_a_run_its_own_variances_count(grid):
    levels = {"sft": 0.7, "grpo": 0.6}
    bundle = memory_bundle(grid, lambda cell, name: drawn(cell, levels.get(cell.arm, 0.5)))
    items = dict.fromkeys(("main", "shifted", "text"), 40)
    came = {one.claim.id: one for one in prospects(bundle.plan, grid.claims, items, bundle)}
    assert came["capacity-weak"].source == "this bundle"
    assert "10.0 points" in came["capacity-weak"].settled
    assert came["deception"].half_width is not None


def test_bases_are_the_independent_runs(tmp_path):
    plan = Plan(memory_bundle(small_grid(tmp_path, (1, 2, 3, 4), bases=2),
                              lambda cell, name: drawn(cell, 0.5)).study, {})  # fmt: skip
    assert plan.clusters((1, 2, 3, 4)) == 2


def test_the_command_shows_every_claim(grid, capsys, tmp_path):
    assert main.act(["plan", "--power", "--config", str(ROOT / "config/full-micro.yaml")]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in grid.claims)
    assert main.act(["plan", "--bundle", str(tmp_path)]) == 1
    assert "--power" in capsys.readouterr().err
