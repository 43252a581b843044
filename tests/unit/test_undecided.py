"""A verdict that is not reached within the limits: neither reward nor score, and counted in both."""

from collections import Counter
from types import SimpleNamespace

import pytest
import steps
from tiny import tiny_grid

from reassess.analysis.bundle import Bundle
from reassess.analysis.tables import main_table
from reassess.core.files import read_json, read_parquet, write_json
from reassess.training.rejection_sampling import shortest_correct_of
from reassess.verifier import Verdict, grade, grade_all, grading
from reassess.verifier.math_worker import Undecided
from reassess.verifier.rewards import accuracy_reward, format_reward

WELL_FORMED = "<think>So it is.</think> \\boxed{%s}"
compare = grading.verify


@pytest.fixture(scope="module")
def asked():
    """How often each answer was compared; comparisons with these answers stay undecided."""
    counts, hard = Counter(), {"7", "green"}

    def verify(extracted, answer, kind):
        counts[extracted, answer, kind] += 1
        if answer in hard:
            raise Undecided("it takes long")
        return compare(extracted, answer, kind)

    with pytest.MonkeyPatch.context() as patch:
        grading.is_right.cache_clear()
        patch.setattr(grading, "verify", verify)
        yield counts
    grading.is_right.cache_clear()


def test_it_is_not_correct_and_says_why(asked):
    text = WELL_FORMED % 7
    assert grade(text, "7") == Verdict("7", correct=False, format_ok=True, undecided=True)
    assert grade(text, "8") == Verdict("7", correct=False, format_ok=True, undecided=False)


def test_many_completions_have_the_verdicts_of_each(asked):
    golds = [str(number % 9) for number in range(60)]
    texts = [WELL_FORMED % (number % 4) for number in range(60)]
    texts[3], texts[5] = "", "no answer"
    kinds = ["math" if number % 2 else "integer" for number in range(60)]
    alone = [grade(*row) for row in zip(texts, golds, kinds, strict=True)]
    grading.is_right.cache_clear()
    asked.clear()
    assert grade_all(texts, golds, kinds) == alone
    assert set(asked.values()) == {1}
    assert grade_all([], [], []) == []
    with pytest.raises(ValueError, match="shorter|longer"):
        grade_all(texts, golds[1:], kinds)


def test_its_reward_is_zero_and_its_share_is_logged(asked):
    texts, golds = [WELL_FORMED % 7, WELL_FORMED % 8, "8", WELL_FORMED % 1], ["7", "8", "8", "2"]
    logged = []
    rows = {"answer": golds, "answer_kind": ["math"] * 4}
    rewards = accuracy_reward(texts, **rows, log_metric=lambda *metric: logged.append(metric))
    assert rewards == accuracy_reward(texts, **rows) == [0.0, 1.0, 0.0, 0.0]
    assert logged == [("undecided_share", 0.25)]


def test_format_is_rewarded_without_a_comparison(asked):
    asked.clear()
    assert format_reward([WELL_FORMED % 7, "7"], answer=["7", "7"], answer_kind=["math"] * 2) == [
        1.0,
        0.0,
    ]
    assert not asked


def test_it_makes_no_trace_and_is_counted(asked):
    items = [SimpleNamespace(id=gold, answer=gold, answer_kind="math") for gold in "789"]
    texts = [[WELL_FORMED % gold, WELL_FORMED % gold, "none"] for gold in "788"]
    traces, undecided = shortest_correct_of(items, texts, [[2, 1, 1]] * 3)
    assert traces == {"8": WELL_FORMED % 8}
    assert undecided == 3


@pytest.fixture(scope="module")
def grid(tmp_path_factory, asked):
    """A grid that is trained and scored while every comparison stays undecided."""
    protocol = {"benchmarks": ["iid", "text"], "max_new_tokens": 8, "samples": 2}
    grid = tiny_grid(
        tmp_path_factory.mktemp("undecided"), methods=["base", "grpo"], evaluation=protocol
    )
    steps.build_before_cells(grid)

    def verify(extracted, answer, kind):
        asked[extracted, answer, kind] += 1
        raise Undecided("it takes long")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "verify", verify)
        for cell in grid.cells.values():
            if grid.kind(cell) != "none":
                steps.train(grid, cell)
            asked.clear()
            grading.is_right.cache_clear()
            steps.evaluate(grid, cell)
            assert asked and set(asked.values()) == {1}
    grading.is_right.cache_clear()
    return grid


def test_histories_have_its_share_where_there_is_one(grid):
    (cell,) = (cell for cell in grid.cells.values() if grid.kind(cell) == "rl")
    history = read_parquet(grid.paths.history(cell.id)).set_index("metric")["value"]
    assert set(history["undecided_share"]) == {1.0}
    assert set(history["reward_accuracy"]) == {0.0}
    assert set(history["probe_undecided"]) == {1.0}


def test_scores_and_predictions_count_it(grid):
    for cell in grid.cells.values():
        predictions = read_parquet(grid.paths.predictions(cell.id))
        assert predictions["undecided"].all() and not predictions["correct"].any()
        for scores in read_json(grid.paths.scores(cell.id))["benchmarks"].values():
            assert scores["undecided"] == scores["n"] == 6
            assert scores["sampled_undecided"] == 12
            assert scores["accuracy"] == scores["sampled_accuracy"] == 0


def test_bundle_and_table_count_it(grid):
    steps.collect(grid)
    bundle = Bundle.load(grid.paths.bundle)
    assert bundle.scores.frame()["undecided"].all()
    assert set(main_table(bundle)["undecided"]) == {12}


def test_predictions_of_an_earlier_version_have_none(grid):
    for cell in grid.cells.values():
        path = grid.paths.predictions(cell.id)
        read_parquet(path).drop(columns="undecided").to_parquet(path)
        scores = read_json(grid.paths.scores(cell.id))
        scores["manifest"].pop("predictions_hash")
        write_json(grid.paths.scores(cell.id), scores)
    steps.collect(grid)
    bundle = Bundle.load(grid.paths.bundle)
    assert not bundle.scores.frame()["undecided"].any()
    assert "undecided" not in main_table(bundle)
