"""Columns that not every study has: what a judge and further samples give, and where none of it is."""

import pandas as pd
import pytest
from reference import Part, study
from test_contents import BASE, OTHER_SEED, SFT, derived_once

from reassess.analysis.bundle import Bundle, undecided_in
from reassess.analysis.tables import main_table
from reassess.bundles.archive import pack
from reassess.bundles.merge import merge
from reassess.core.files import canonical_json, sha256_text
from reassess.verify import verify_contents

__all__ = ["derived_once"]  # a fixture for every test here
JUDGE, JUDGED = "llava-w32", "judged right, %"
SAMPLED = ["mean of 4 samples, %", "pass@4, %"]
ONE_MODEL = {"scale": study("How much?", ["llava-w32"], ["base", "sft"], seeds=(1, 2))}


def part_with(studies=None, **evaluation):
    """A part of the reference run whose config has other settings of the evaluation."""
    part = Part(studies or ONE_MODEL)
    config = part.study["config"]
    config["evaluation"] |= evaluation
    part.study["config_hash"] = sha256_text(canonical_json(config))
    return part


def judge_cells(part, verdicts):
    """Give the answers of some cells verdicts of a judge; by cell, the verdicts in turn."""
    part.scores["judged"] = pd.Series(None, index=part.scores.index, dtype=object)
    for cell, turns in verdicts.items():
        rows = part.rows("scores", cell)
        values = [turns[number % len(turns)] for number in range(rows.sum())]
        part.scores.loc[rows, "judged"] = pd.Series(
            values, index=part.scores.index[rows], dtype=object
        )
    return part


def main_of(part, folder):
    """The main table of a part, by arm."""
    return main_table(Bundle.load(part.write(folder) / "bundle")).set_index("method")


# --- a column that no config calls for -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("scores", "judged", object),
        ("scores", "judged", "boolean"),
        ("scores", "samples", "Int64"),
        ("scores", "samples", object),
        ("scores", "sampled_correct", "Int64"),
        ("predictions", "sampled", object),
    ],
)
def test_an_empty_column_that_no_config_calls_for_is_a_difference(tmp_path, table, column, kind):
    part = Part(ONE_MODEL)
    frame = getattr(part, table)
    frame[column] = pd.Series(None, index=frame.index, dtype=kind)
    differences = verify_contents(part.write(tmp_path)).differences
    assert any(f"bundle/{table}.parquet: has the column {column}" in one for one in differences)


@pytest.mark.slow
def test_counts_of_right_samples_alone_are_a_difference(tmp_path):
    part = Part(ONE_MODEL)
    part.scores["sampled_correct"] = 1
    differences = verify_contents(part.write(tmp_path)).differences
    assert any(one.startswith(f"{SFT}: has ") for one in differences), differences


@pytest.mark.slow
def test_samples_without_the_count_of_right_ones_are_a_difference(tmp_path):
    part = part_with(samples=4)
    part.scores["samples"] = 4
    differences = verify_contents(part.write(tmp_path)).differences
    assert any(one.startswith(f"{SFT}: sampled_correct is missing") for one in differences)


# --- a judge ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_judge_without_any_verdict_is_noted_by_name(tmp_path):
    part = judge_cells(part_with(judge=JUDGE), {})
    report = verify_contents(part.write(tmp_path))
    assert report.differences == []
    (note,) = [note for note in report.notes if "no verdict" in note]
    assert f"judge {JUDGE}" in note and BASE in note


def test_an_arm_without_any_verdict_has_no_entry(tmp_path):
    table = main_of(judge_cells(Part(ONE_MODEL), {SFT: [True, False]}), tmp_path)
    assert table[JUDGED].to_dict() == {"base": "", "sft": "50.0"}


def test_an_answer_that_a_judge_left_unread_is_not_right(tmp_path):
    """As in `judged.json` of a cell: a reply that is neither yes nor no counts as wrong."""
    verdicts = {BASE: [False], SFT: [True, None], OTHER_SEED: [True, True, False, None]}
    table = main_of(judge_cells(Part(ONE_MODEL), verdicts), tmp_path)
    assert table[JUDGED].to_dict() == {"base": "0.0", "sft": "50.0"}


def test_a_judge_of_whom_nothing_could_be_read_has_no_numbers(tmp_path):
    for name, kind in (("object", object), ("boolean", "boolean")):
        part = Part(ONE_MODEL)
        part.scores["judged"] = pd.Series(None, index=part.scores.index, dtype=kind)
        assert set(main_of(part, tmp_path / name)[JUDGED]) == {""}


def test_verdicts_of_another_type_give_the_same_table(tmp_path):
    first, second = (judge_cells(Part(ONE_MODEL), {SFT: [True, None]}) for _ in range(2))
    second.scores["judged"] = second.scores["judged"].astype("boolean")
    tables = [main_of(one, tmp_path / str(number)) for number, one in enumerate((first, second))]
    pd.testing.assert_frame_equal(*tables)


# --- undecided ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [object, "boolean"])
def test_a_score_that_does_not_say_so_is_not_undecided(kind):
    """As beside the scores of an older version, whatever the type of the column."""
    said = undecided_in(pd.DataFrame({"undecided": pd.Series([True, False, None], dtype=kind)}))
    assert said.tolist() == [True, False, False]


# --- further samples -------------------------------------------------------------------------------


def test_an_arm_without_further_samples_has_no_entry(tmp_path):
    part = Part(ONE_MODEL)
    rows = part.rows("scores", SFT)
    for column, value in (("samples", 4), ("sampled_correct", 1)):
        part.scores[column] = pd.Series(float("nan"), index=part.scores.index)
        part.scores.loc[rows, column] = value
    table = main_of(part, tmp_path)
    assert table[SAMPLED].to_dict("index") == {
        "base": dict.fromkeys(SAMPLED, ""),
        "sft": dict(zip(SAMPLED, ("25.0", "100.0"), strict=True)),
    }


def test_further_samples_that_no_cell_has_give_no_column(tmp_path):
    part = Part(ONE_MODEL)
    for column in ("samples", "sampled_correct"):
        part.scores[column] = pd.Series(None, index=part.scores.index, dtype="Int64")
    assert not [name for name in main_of(part, tmp_path) if "sampl" in name or "pass@" in name]


# --- merged ----------------------------------------------------------------------------------------


def packed(part, tmp_path, name):
    pack(part.write(tmp_path / f"{name}-tables") / "bundle", tmp_path / name)
    return tmp_path / name


@pytest.mark.slow
@pytest.mark.parametrize("judged_first", [True, False])
def test_a_judged_and_an_unjudged_bundle_are_merged(tmp_path, one_figure, judged_first):
    one_seed = {
        name: {"scale": study("How much?", ["llava-w32"], [name])} for name in ("base", "sft")
    }
    parts = [
        judge_cells(part_with(one_seed["sft"], judge=JUDGE), {SFT: [True, False, None, False]}),
        Part(one_seed["base"]),
    ]
    paths = [packed(part, tmp_path, str(number)) for number, part in enumerate(parts)]
    merge(*(paths if judged_first else paths[::-1]), tmp_path / "both")
    report = verify_contents(tmp_path / "both")
    assert (report.differences, report.unchecked) == ([], [])
    assert any(f"verdicts of the judge {JUDGE} on 1 cells ({SFT})" in one for one in report.notes)
    table = main_table(Bundle.load(tmp_path / "both/bundle")).set_index("method")
    assert table[JUDGED].to_dict() == {"base": "", "sft": "25.0"}


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["first", "second"])
@pytest.mark.parametrize("judged_first", [True, False])
def test_cells_of_a_judged_and_an_unjudged_run_count_as_either(
    tmp_path, one_figure, keep, judged_first
):
    """A judge is in no spec, so that a cell of both configs is as either of them says."""
    verdicts = {cell: [True, False] for cell in (BASE, SFT, OTHER_SEED)}
    parts = [judge_cells(part_with(judge=JUDGE), verdicts), Part(ONE_MODEL)]
    parts[1].scores.loc[0, "correct"] ^= True  # so that the two disagree
    paths = [packed(part, tmp_path, str(number)) for number, part in enumerate(parts)]
    merge(*(paths if judged_first else paths[::-1]), tmp_path / "both", keep=keep)
    differences = verify_contents(tmp_path / "both").differences
    assert [one for one in differences if "judge" in one] == []


@pytest.mark.slow
def test_a_study_that_trains_nothing_is_consistent(tmp_path):
    part = Part(
        {"controls": study("Where is the floor?", ["llava-w64"], ["base", "random-choice"])}
    )
    assert part.history.empty
    report = verify_contents(part.write(tmp_path))
    assert (report.differences, report.unchecked) == ([], [])
