"""Further samples: scores beside the greedy one, never in its place."""

import json
from itertools import combinations
from statistics import mean

import pandas as pd
import pytest
import steps
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_grid

from reassess.analysis.bundle import Bundle
from reassess.analysis.tables import main_table
from reassess.core.files import read_json, read_parquet
from reassess.evaluation.sampling import budgets, pass_at_k, sampled_scores
from reassess.verifier import grade


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_pass_at_k_is_the_mean_over_all_choices_of_k(right, data):
    k = data.draw(st.integers(1, len(right)))
    expected = mean(any(chosen) for chosen in combinations(right, k))
    assert pass_at_k(len(right), sum(right), k) == pytest.approx(expected)


def test_pass_at_k_refuses_what_has_no_meaning():
    for samples, correct, k in ((4, 2, 5), (4, 5, 1), (4, 1, 0)):
        with pytest.raises(ValueError, match="pass@"):
            pass_at_k(samples, correct, k)
    assert (budgets(1), budgets(4), budgets(6)) == ([1], [1, 2, 4], [1, 2, 4, 6])


def test_scores_of_samples_by_hand():
    scores = sampled_scores(pd.DataFrame({"samples": [2, 2, 2], "sampled_correct": [0, 1, 2]}))
    assert scores == {
        "samples": 2,
        "sampled_accuracy": 0.5,
        "pass@1": 0.5,
        "pass@2": pytest.approx(2 / 3),
    }


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    protocol = {
        "benchmarks": ["iid", "text"],
        "max_new_tokens": 8,
        "samples": 3,
        "batch_size": 4,
    }
    grid = tiny_grid(
        tmp_path_factory.mktemp("sampling"), methods=["base", "random-choice"], evaluation=protocol
    )
    steps.build_before_cells(grid)
    for cell in grid.cells.values():
        steps.evaluate(grid, cell)
    return grid


def test_samples_are_kept_and_scored_apart(grid):
    for cell in grid.cells.values():
        predictions = read_parquet(grid.paths.predictions(cell.id))
        assert len(predictions) == 12
        for row in predictions.to_dict("records"):
            texts = json.loads(row["sampled"])
            kind = "word" if row["answer"].isalpha() else "integer"
            assert len(texts) == row["samples"] == 3
            assert row["sampled_correct"] == sum(
                grade(text, row["answer"], kind).correct for text in texts
            )
        scores = read_json(grid.paths.scores(cell.id))["benchmarks"]["iid"]
        assert scores["accuracy"] == predictions.query("benchmark == 'iid'")["correct"].mean()
        assert scores["pass@1"] == pytest.approx(scores["sampled_accuracy"])
        assert scores["pass@1"] <= scores["pass@2"] <= scores["pass@3"]


def test_samples_differ_and_are_drawn_again_the_same(grid):
    cell = next(cell for cell in grid.cells.values() if cell.arm == "base")
    path = grid.paths.predictions(cell.id)
    before = read_parquet(path)
    assert any(len(set(json.loads(texts))) > 1 for texts in before["sampled"])
    steps.evaluate(grid, cell)
    pd.testing.assert_frame_equal(read_parquet(path), before)


def test_sampled_scores_are_columns_of_bundle_and_table(grid):
    steps.collect(grid)
    bundle = Bundle.load(grid.paths.bundle)
    assert {"samples", "sampled_correct"} <= set(bundle.scores.columns)
    assert {"mean of 3 samples, %", "pass@3, %"} <= set(main_table(bundle).columns)
