"""The LLM judge: a second score beside the rule-based one and never in its place."""

import pandas as pd
import pytest
import steps
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_config, tiny_grid

from reassess.analysis.bundle import Bundle
from reassess.analysis.tables import main_table
from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.evaluation.judge import judge_questions, judged_scores, read_reply
from reassess.grid.study import Grid


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("yes", True),
        ("Yes.", True),
        ("**No**", False),
        ("no, since", False),
        ("", None),
        ("Perhaps yes", None),
        ("yesterday", None),
    ],
)
def test_a_judge_is_read_by_its_first_word(reply, read):
    assert read_reply(reply) is read


@given(st.text())
def test_no_reply_breaks_the_reading(reply):
    assert read_reply(reply) in (True, False, None)


def test_a_judge_sees_the_answer_without_the_thought_and_unclear_replies_are_wrong():
    rows = pd.DataFrame(
        {
            "benchmark": ["b"] * 3,
            "id": ["1", "2", "3"],
            "answer": ["4"] * 3,
            "completion": ["<think>x</think> 4", "5", "{reference}"],
        }
    )
    first, _, third = judge_questions(rows, {("b", number): "2 + 2?" for number in "123"})
    assert "x</think>" not in first.question
    assert "Answer to be judged:\n4\n" in first.question
    assert "{reference}" in third.question  # a model's text fills in nothing
    judged = pd.DataFrame(
        {
            "benchmark": ["b"] * 3,
            "correct": [True, True, False],
            "judged": pd.Series([True, None, False], dtype=object),
        }
    )
    assert judged_scores(judged) == {
        "b": {"n": 3, "accuracy": 1 / 3, "unclear": 1 / 3, "agreement": 2 / 3}
    }


def test_a_judge_must_be_a_model_of_the_grid(tmp_path):
    with pytest.raises(ReassessError, match=r"evaluation.judge: .*llava-w32"):
        Grid.load(tiny_config(tmp_path, evaluation={"judge": "lava-w32"}))


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    protocol = {"benchmarks": ["iid", "text"], "max_new_tokens": 8, "judge": "llava-w32"}
    folder = tmp_path_factory.mktemp("judge")
    grid = tiny_grid(folder, methods=["random-choice"], evaluation=protocol)
    steps.build_before_cells(grid)
    (cell,) = grid.cells.values()
    steps.evaluate(grid, cell)
    steps.judge(grid, cell)
    return grid


def test_judged_scores_are_stored_with_judge_version_and_prompt(grid):
    (cell,) = grid.cells.values()
    judged = read_json(grid.paths.judged_scores(cell.id))
    assert (judged["judge"], judged["version"]) == ("llava-w32", 1)
    assert len(judged["prompt_hash"]) == 64
    assert set(judged["benchmarks"]) == {"iid", "text"}


def test_judged_scores_are_columns_of_bundle_and_table(grid):
    steps.collect(grid)
    bundle = Bundle.load(grid.paths.bundle)
    assert "judged" in bundle.scores.columns
    assert "judged right, %" in main_table(bundle).columns
