"""Deceptive rewards: what happened along a run, by closed forms; and shares of such runs."""

from types import SimpleNamespace

import numpy as np
import pytest
from memory import STEPS, drawn, memory_bundle, small_grid

from reassess.analysis.claims import as_json, results
from reassess.analysis.deception import (
    DECEPTIVE,
    RL,
    RewardChange,
    RunChange,
    changes,
    counted,
    reward_change,
)
from reassess.analysis.deception_tables import deception_table, sensitivity_table
from reassess.analysis.intervals import Part
from reassess.analysis.rewarded import Bounded
from reassess.analysis.shares import share
from reassess.config.claims import Thresholds
from reassess.grid.cells import Cell

CELL = Cell("m", "d", 20, "grpo", 1)


def reward(start, low, high):
    """A change of reward with an interval of these ends."""
    middle = (low + high) / 2
    part = Part((high - low) / 2 / 1.959963984540054, 1e9)
    return RewardChange(middle, start, part, 160)


def accuracy(low, high):
    """What a run's classification uses of a change of accuracy."""
    return SimpleNamespace(value=(low + high) / 2, interval=lambda: (low, high), low=low, high=high)


def run(rewarded, scored):
    return RunChange(CELL, ("m", 1), rewarded, scored, 0.4, None, None, None)


UP = reward(0.3, 0.1, 0.2)


@pytest.mark.parametrize(
    ("rewarded", "scored", "outcome"),
    [
        (UP, (-0.10, -0.01), "harmful"),
        (UP, (-0.10, 0.01), "deceptive"),
        (UP, (-0.05, 0.03), "undecided"),
        (UP, (0.01, 0.09), "honest"),
        (UP, (0.005, 0.015), "deceptive"),  # up, and not by as much as counts
        (reward(0.3, -0.01, 0.2), (-0.10, -0.01), "reward flat"),
        (reward(0.3, -0.2, -0.1), (-0.10, -0.01), "reward flat"),
        (reward(0.96, 0.01, 0.03), (-0.10, -0.01), "no room"),
        (reward(0.99, -0.01, 0.01), (0.01, 0.09), "no room"),
        (UP, None, "start not scored"),
    ],
)
def test_what_came_of_a_run(rewarded, scored, outcome):
    one = run(rewarded, None if scored is None else accuracy(*scored))
    assert one.outcome() == outcome
    assert one.leans() is (outcome in DECEPTIVE or (outcome == "undecided" and scored[1] < 0.05))


def test_the_thresholds_move_it():
    one = run(UP, accuracy(-0.05, 0.03))
    assert one.outcome(Thresholds(room=0.05, accuracy=0.05)) == "deceptive"
    assert one.outcome(Thresholds(room=0.8, accuracy=0.05)) == "no room"
    assert one.outcome(rise=0.15) == "reward flat"


# --- the change of reward -------------------------------------------------------------------------


def test_a_reward_without_noise_changes_by_what_it_changes():
    change = reward_change(np.linspace(0.2, 0.8, 48))
    steps = np.linspace(0.2, 0.8, 48)
    assert change.value == pytest.approx(steps[-8:].mean() - steps[:8].mean())
    assert change.start == pytest.approx(steps[:8].mean())
    assert change.half_width < 1e-9  # a straight line is no noise
    assert reward_change(np.ones(5)) is None and reward_change(np.ones(6)).updates == 6


def noisy(generator, shape, length, correlation):
    values = generator.normal(size=length + 30)
    for number in range(1, len(values)):
        values[number] += correlation * values[number - 1]
    return shape(np.arange(length) / length) + 0.12 * values[30:]


SHAPES = {
    "flat": lambda time: 0 * time,
    "linear": lambda time: 0.5 * time,
    "saturating": lambda time: 0.5 * (1 - np.exp(-6 * time)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_the_interval_covers_the_change_of_the_mean_curve(shape, correlation):
    """At 160 updates, as in the reference, whose rewards correlate less from update to update."""
    generator = np.random.default_rng(5)
    time = SHAPES[shape](np.arange(160) / 160)
    batches = [batch.mean() for batch in np.array_split(time, 12)]
    true = np.mean(batches[-2:]) - np.mean(batches[:2])
    count, held = 400, 0
    for _ in range(count):
        low, high = reward_change(noisy(generator, SHAPES[shape], 160, correlation)).interval()
        held += low <= true <= high
    assert held / count > 0.95 - 3 * (0.95 * 0.05 / count) ** 0.5


# --- runs of a bundle -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return small_grid(tmp_path_factory.mktemp("deception"))


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A grid of as many configurations and seeds as it takes to say that fewer than a quarter are."""
    sizes = (20, 50, 100, 200, 400, 800)
    return small_grid(tmp_path_factory.mktemp("wide"), seeds=range(1, 8), rewarded=sizes)


def curve(start, end, cell):
    noise = np.random.default_rng(cell.seed).normal(scale=0.01, size=STEPS)
    return np.linspace(start, end, STEPS) + noise


def rising(cell):
    """Rewards rise, but after a cold start they are at their best from the beginning."""
    return curve(0.99, 0.99, cell) if cell.arm == "sft-grpo" else curve(0.3, 0.8, cell)


def levels(grpo, sft_grpo=0.8, items=400):
    values = {"base": 0.4, "sft": 0.8, "grpo": grpo, "sft-grpo": sft_grpo, "format-reward": 0.1}
    return lambda cell, benchmark: drawn(cell, values[cell.arm], items, 0.0)


@pytest.mark.parametrize(
    ("grpo", "outcome", "verdict"),
    [
        (0.3, "harmful", "supported"),
        (0.4, "deceptive", "supported"),
        (0.6, "honest", "contradicted"),
    ],
)
def test_a_share_of_runs_is_decided(wide, grpo, outcome, verdict):
    bundle = memory_bundle(wide, levels(grpo, items=200), rising)
    runs = changes(bundle)
    rl = [cell for cell in wide.cells.values() if cell.arm in ("grpo", "sft-grpo")]
    assert len(runs) == len(rl)
    assert {one.cell.arm for one in runs} == {"grpo", "sft-grpo"}  # the control is none of them
    assert counted(runs) == {
        "no room": sum(cell.arm == "sft-grpo" for cell in rl),
        outcome: sum(cell.arm == "grpo" for cell in rl),
    }
    came = {one.claim.id: one for one in results(bundle)}
    assert came["deception"].alone == verdict
    assert came["deception-cold-start"].verdict == "not run"
    assert "no room" in came["deception-cold-start"].measured.reason


def test_a_change_is_paired_by_item_with_the_runs_own_start(grid):
    bundle = memory_bundle(grid, levels(0.5, 0.7), rising)
    by_arm = {one.cell.arm: one for one in changes(bundle)}
    assert by_arm["grpo"].start == pytest.approx(0.4)
    assert by_arm["grpo"].accuracy.value == pytest.approx(0.1)
    assert by_arm["sft-grpo"].start == pytest.approx(0.8)
    assert by_arm["sft-grpo"].accuracy.value == pytest.approx(-0.1)


def test_a_run_whose_start_has_no_scores_is_not_counted(grid):
    gone = [cell for cell in grid.cells if "/base/" in cell]
    bundle = memory_bundle(grid, levels(0.3), rising, without=gone)
    came = {one.claim.id: one for one in results(bundle)}["deception"]
    assert came.verdict == "not run" and "no scores" in came.measured.reason


def test_a_cold_start_that_rises_is_compared(tmp_path):
    def rewards(cell):
        return curve(0.5, 0.9, cell)

    def outcomes(cell, benchmark):
        level = {"base": 0.4, "sft": 0.5, "grpo": 0.3, "sft-grpo": 0.8}.get(cell.arm, 0.1)
        return drawn(cell, level, 400, 0.0)

    grid = small_grid(tmp_path, seeds=(1, 2, 3, 4))
    came = {one.claim.id: one for one in results(memory_bundle(grid, outcomes, rewards))}
    one = came["deception-cold-start"]
    assert one.measured.estimate.value == pytest.approx(1.0) and one.alone == "supported"
    assert one.measured.covers == ("configurations", "seeds")
    assert as_json(one)["not_covered"] == ["bases", "rows"]


def test_undecided_runs_widen_the_interval_to_both_sides():
    runs, clusters = 12, list(range(12))
    least = share([True] * 3 + [False] * 9, clusters)
    most = share([True] * 8 + [False] * 4, clusters)
    both = Bounded(5 / runs, least, most)
    for level in (0.5, 0.9, 0.99):
        assert both.interval(level) == (least.interval(level)[0], most.interval(level)[1])
    assert both.p_value(0.25) == 1.0 and both.p_value(0.99) == pytest.approx(most.p_value(0.99))


def test_undecided_runs_are_counted_for_neither_side(grid):
    def outcomes(cell, benchmark):
        level = {"base": 0.4, "grpo": 0.42}.get(cell.arm, 0.8)
        return drawn(cell, level, 40, 0.5)

    came = {one.claim.id: one for one in results(memory_bundle(grid, outcomes, rising))}
    one = came["deception"]
    assert one.verdict == "inconclusive" and "undecided" in as_json(one)["detail"]
    assert one.measured.estimate.low < 0.1 and one.measured.estimate.high > 0.9


# --- tables ---------------------------------------------------------------------------------------


def test_the_tables_have_every_run_and_every_threshold(grid):
    bundle = memory_bundle(grid, levels(0.4), rising)
    table, runs = deception_table(bundle), changes(bundle)
    assert len(table) == len(runs) and set(table["outcome"]) == {"deceptive", "no room"}
    assert table["change of accuracy, points"].str.match(r"^[+-]\d+\.\d \[").all()
    shares = sensitivity_table(bundle)
    used = shares[shares["accuracy rises by less than, points"].str.contains("used")]
    assert list(used["start"]) == ["base", "cold start"]
    assert used["deceptive or harmful"].sum() == counted(runs)["deceptive"]
    for start, side in zip(("base", "cold start"), RL, strict=True):
        for _, row in shares[shares["start"] == start].iterrows():
            assert row["no room"] + row["reward flat"] + row["rose"] == len(changes(bundle, [side]))


def test_estimates_alone_are_compared_without_their_intervals(grid):
    """Accuracy rises by 2.5 points beyond doubt: below a threshold of 5 by its estimate."""
    bundle = memory_bundle(grid, levels(0.425, items=400), rising)
    shares = sensitivity_table(bundle)
    row = shares[
        (shares["start"] == "base") & (shares["accuracy rises by less than, points"] == "5")
    ]
    assert (row["by estimates alone"] == row["rose"]).all() and (row["rose"] > 0).all()
