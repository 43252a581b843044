"""Two bundles that ran one cell: what counts as another result, and what does not."""

import copy

import numpy as np
import pandas as pd
import pytest
from reference import REFERENCE, Part, study

from reassess.analysis.bundle import CATEGORIES, Bundle
from reassess.analysis.scores import Scores
from reassess.bundles.archive import pack
from reassess.bundles.collect import CONTENT
from reassess.bundles.conflicts import conflicts
from reassess.bundles.merge import merge, study_of_both
from reassess.bundles.stored_answers import ANSWERS, write_answers
from reassess.core.errors import ReassessError
from reassess.grid.foreign import load_foreign
from reassess.verify.cells import _rows, _tiers, check_manifests
from reassess.verify.stored import Stored
from reassess.verify.terms import _costs, _traces

pytestmark = pytest.mark.slow
STUDY = {"scale": study("How much?", ["llava-w32"], ["base", "sft", "grpo"])}
BASE = "llava-w32/base/seed1"
SFT, GRPO = (f"llava-w32/same-family/20/{arm}/seed1" for arm in ("sft", "grpo"))
LLAVA = "llava/same-family"


def bundle_of(part):
    return Bundle(
        Scores.of_frame(part.scores, CATEGORIES), part.history, part.manifests, part.study
    )


def answers_of(part, folder):
    """The file of a part's answers."""
    folder.mkdir()
    cells = [rows for _, rows in part.predictions.groupby("cell", sort=True)]
    write_answers(folder / ANSWERS, cells, sampled="sampled" in part.predictions)
    return folder / ANSWERS


def places(part, table, cell, **values):
    """Where the rows of a cell with some values are in a table."""
    frame = getattr(part, table)
    chosen = frame["cell"] == cell
    for name, value in values.items():
        chosen &= frame[name] == value
    return frame.index[chosen]


# --- conflicts ------------------------------------------------------------------------------------


def ran_elsewhere(record):
    """What two runs on machines of one kind never share."""
    for manifest in record.values():
        if not manifest:
            continue
        manifest["hardware"] |= {"cores": 64, "memory_mb": 1, "machine": "other"}
        manifest["versions"]["numpy"] = "9.9.9"
        manifest |= {
            "started": "2026-11-27T00:00:00+00:00", "seconds": 1.5, "peak_memory_mb": 7.5,
            "threads": 3, "code_commit": "f" * 40, "lock_hash": "none", "checkpoint_hash": "a" * 64,
        }  # fmt: skip


def test_an_honest_second_run_is_no_conflict(tmp_path):
    first, second = Part(STUDY), Part(STUDY)
    for cell in (BASE, SFT, GRPO):
        second.edit_manifest(cell, ran_elsewhere)
    second.manifests[["seconds", "peak_memory_mb"]] = 1.5
    second.manifests["resumed"] = True
    second.history.loc[second.history["metric"] == "seconds", "value"] *= 2
    files = answers_of(first, tmp_path / "first"), answers_of(second, tmp_path / "second")
    assert conflicts(bundle_of(first), bundle_of(second), files) == []


def format_of_two(part):
    rows = places(part, "scores", SFT)[:2]
    part.scores.loc[rows, "format_ok"] = ~part.scores.loc[rows, "format_ok"]
    return f"{SFT} (format_ok of 2 items)"


def lengths(part):
    part.scores.loc[places(part, "scores", SFT)[:3], "length"] += 1
    return f"{SFT} (length of 3 items)"


def undecided(part):
    part.scores.loc[places(part, "scores", SFT, correct=False)[:1], "undecided"] = True
    return f"{SFT} (undecided of 1 items)"


def curve(part):
    rows = places(part, "history", GRPO, metric="probe_accuracy")
    part.history.loc[rows[-1:], "value"] += 0.01
    return f"{GRPO} (the same scores, another history)"


def shorter_curve(part):
    part.history = part.history.drop(places(part, "history", GRPO, metric="reward")[-1:])
    return f"{GRPO} (the same scores, another history)"


def no_curve(part):
    part.history = part.history.drop(places(part, "history", GRPO, metric="entropy"))
    return f"{GRPO} (the same scores, another history)"


def total(name):
    def change(part):
        part.manifests.loc[places(part, "manifests", SFT), name] += 1
        return f"{SFT} (the same scores, other {name})"

    change.__name__ = name
    return change


def rows_of_training(part):
    of_content = part.manifests["rows_hash"].dropna().str.startswith(CONTENT).all()
    other = (CONTENT if of_content else "") + "f" * 64
    part.manifests.loc[places(part, "manifests", SFT), "rows_hash"] = other
    return f"{SFT} (the same scores, other rows)"


def weights(part):
    def change(record):
        record["train"]["weights_hash"] = record["evaluate"]["weights_hash"] = "f" * 64

    part.edit_manifest(SFT, change)
    return f"{SFT} (the same scores, other weights)"


def weights_beside_a_curve(part):
    """The cause is named."""
    part.history.loc[places(part, "history", SFT, metric="loss"), "value"] += 1e-6
    return weights(part)


def verdicts(part):
    """As before, the scores themselves come first."""
    weights(part)
    rows = places(part, "scores", SFT)
    part.scores.loc[rows[:2], "correct"] = ~part.scores.loc[rows[:2], "correct"]
    return f"{SFT} (2 of {len(rows)} items)"


OTHER = [
    format_of_two, lengths, undecided, curve, shorter_curve, no_curve, *map(total, (
        "samples", "updates", "tokens", "flops",
    )), rows_of_training, weights, weights_beside_a_curve, verdicts,
]  # fmt: skip


@pytest.mark.parametrize("change", OTHER, ids=lambda change: change.__name__)
def test_another_result_of_a_cell_is_named(change):
    first, second = Part(STUDY), Part(STUDY)
    said = change(second)
    for one, other in ((first, second), (second, first)):
        assert conflicts(bundle_of(one), bundle_of(other)) == [said]


def test_what_one_bundle_does_not_record_is_no_conflict():
    """Further scores are optional; in a merged bundle they are there, and missing for some cells."""
    first, second = Part(STUDY), Part(STUDY)
    second.scores = second.scores.drop(columns="undecided").assign(judged=True, samples=4)
    assert conflicts(bundle_of(first), bundle_of(second)) == []
    first.scores["judged"] = np.where(first.scores["cell"] == SFT, False, None)
    count = len(places(first, "scores", SFT))
    found = conflicts(bundle_of(first), bundle_of(second))
    assert found == [f"{SFT} (judged of {count} items)"]


def test_hashes_of_rows_are_compared_with_their_like():
    first, second = Part(STUDY), Part(STUDY)
    for part, start in ((first, ""), (second, CONTENT)):
        trained = part.manifests["rows_hash"].notna()
        part.manifests.loc[trained, "rows_hash"] = start + "f" * 64
    assert conflicts(bundle_of(first), bundle_of(second)) == []


def test_curves_that_diverged_alike_are_no_conflict():
    first, second = Part(STUDY), Part(STUDY)
    for part in (first, second):
        part.history.loc[places(part, "history", GRPO, metric="loss")[3:], "value"] = np.nan
    assert conflicts(bundle_of(first), bundle_of(second)) == []


def test_cells_that_failed_in_one_bundle_are_no_conflict():
    first, second = Part(STUDY), Part(STUDY)
    second.manifests.loc[places(second, "manifests", GRPO), "status"] = "failed"
    second.scores = second.scores.drop(places(second, "scores", GRPO))
    assert conflicts(bundle_of(first), bundle_of(second)) == []


def test_a_manifest_that_cannot_be_read_is_named():
    first, second = Part(STUDY), Part(STUDY)
    second.manifests.loc[places(second, "manifests", SFT), "manifest"] = '{"train": 3}'
    with pytest.raises(ReassessError, match=f"{SFT}.*manifest"):
        conflicts(bundle_of(first), bundle_of(second))


@pytest.mark.parametrize("column", ["completion", "extracted", "prompt_hash"])
def test_other_answers_are_named(column, tmp_path):
    first, second = Part(STUDY), Part(STUDY)
    second.predictions.loc[places(second, "predictions", SFT)[:2], column] = "other"
    second.predictions.loc[places(second, "predictions", GRPO)[:1], column] = None
    first.predictions.loc[places(first, "predictions", GRPO)[:1], column] = None
    files = answers_of(first, tmp_path / "first"), answers_of(second, tmp_path / "second")
    assert conflicts(bundle_of(first), bundle_of(second), files) == [
        f"{SFT} (the same scores, other answers to 2 items)"
    ]
    assert conflicts(bundle_of(first), bundle_of(second)) == []


def test_further_completions_of_one_bundle_are_no_conflict(tmp_path):
    first, second = Part(STUDY), Part(STUDY)
    second.predictions["sampled"] = '["Answer: 1"]'
    files = answers_of(first, tmp_path / "first"), answers_of(second, tmp_path / "second")
    assert conflicts(bundle_of(first), bundle_of(second), files) == []


def test_answers_that_are_missing_or_in_disorder_do_not_hide_others(tmp_path):
    first, second = Part(STUDY), Part(STUDY)
    second.predictions = second.predictions[second.predictions["cell"] != SFT]
    files = answers_of(first, tmp_path / "first"), answers_of(second, tmp_path / "second")
    said = f"{SFT} (the same scores, other answers)"
    assert conflicts(bundle_of(first), bundle_of(second), files) == [said]
    first.predictions["cell"] = first.predictions["cell"].replace({BASE: SFT, SFT: BASE})
    (tmp_path / "third").mkdir()
    disorder = tmp_path / "third" / ANSWERS
    cells = [rows for _, rows in first.predictions.groupby("cell", sort=True)]
    write_answers(disorder, cells[::-1], sampled=False)
    assert conflicts(bundle_of(first), bundle_of(first), (files[0], disorder)) != []


def test_a_merge_lets_no_bundle_win_silently(tmp_path, one_figure):
    first, second = Part(STUDY), Part(STUDY)
    curve(second)
    second.predictions.loc[places(second, "predictions", SFT)[:1], "completion"] = "other"
    for name, part in (("first", first), ("second", second)):
        pack(part.write(tmp_path / f"{name}-tables") / "bundle", tmp_path / name)
    with pytest.raises(ReassessError) as error:
        merge(tmp_path / "first", tmp_path / "second", tmp_path / "both")
    for said in ("2 cells", f"{GRPO} (the same scores, another history)", SFT, "answers", "--keep"):
        assert said in str(error.value)
    merge(tmp_path / "first", tmp_path / "second", tmp_path / "both", keep="second")
    kept = Bundle.load(tmp_path / "both/bundle")
    assert conflicts(kept, bundle_of(second)) == []
    assert conflicts(kept, bundle_of(first)) != []


# --- teachers -------------------------------------------------------------------------------------


def test_labs_have_the_same_teacher_for_a_family():
    first, second = Part().study, Part().study
    second["config"]["teachers"]["llava"] = "llava-w32"
    second["traces"] = {}
    with pytest.raises(ReassessError, match="disagree on teacher of family 'llava'"):
        study_of_both(first, second)


def test_labs_may_have_teachers_of_other_families():
    first, second = Part().study, Part().study
    first["config"]["teachers"].pop("llava")
    second["config"]["teachers"].pop("qwen3-vl")
    assert len(study_of_both(first, second)["merged"]) == 2


def with_execution(**settings):
    study = Part().study
    study["config"]["execution"] = {"device": "cuda", "precision": "bfloat16"} | settings
    return study


def test_labs_train_in_one_precision_on_any_device():
    with pytest.raises(ReassessError, match="disagree on execution.precision"):
        study_of_both(with_execution(), with_execution(precision="float32"))
    with pytest.raises(ReassessError, match="disagree on execution.rollouts"):
        study_of_both(with_execution(rollouts="hf"), with_execution(rollouts="vllm"))
    assert study_of_both(with_execution(), with_execution(device="cpu"))["merged"]


def test_labs_name_the_same_distributions():
    first, second = Part().study, Part().study
    del second["config"]["distributions"]["foreign"]
    for pair in ((first, second), (second, first)):
        with pytest.raises(ReassessError, match="has no distribution 'foreign'"):
            study_of_both(*copy.deepcopy(pair))


def test_labs_ask_one_question_of_a_study():
    first, second = Part().study, Part().study
    second["studies"]["scale"]["question"] = "Is SFT the best there is?"
    with pytest.raises(ReassessError, match="disagree on the question of study 'scale'"):
        study_of_both(first, second)


def stored_of(part, grids):
    return Stored(REFERENCE, bundle_of(part), grids)


def test_hashes_of_ids_are_compared_whatever_they_are_called():
    part = Part(STUDY)
    ids = {}

    def as_earlier(record):
        train = record["train"]
        train["rows_hash"] = ids["hash"] = train.pop("row_ids_hash", train["rows_hash"])

    def as_now(record):
        record["train"] |= {"rows_hash": CONTENT + "0" * 64, "row_ids_hash": ids["hash"]}

    part.edit_manifest(GRPO, as_earlier)
    part.edit_manifest(SFT, as_now)
    assert not [*_rows(stored_of(part, [part.grid]))]
    ids["hash"] = "f" * 64
    part.edit_manifest(SFT, as_now)
    (problem,) = _rows(stored_of(part, [part.grid]))
    assert "f" * 64 in problem and "both trained on the same rows" in problem


def graded(part, models, name):
    """A grid of one lab, with some models."""
    config = copy.deepcopy(part.config) | {"results": "/no", "scratch": "/no", "grid": name}
    config["models"] = models
    config["teachers"] = {"llava": "llava-w16"}
    config["studies"] = {"one": study("?", [next(iter(models))], ["base"])}
    return load_foreign(config, REFERENCE)


def test_tiers_are_compared_across_labs():
    part = Part()
    known = part.config["models"]
    teacher = {"llava-w16": known["llava-w32"] | {"width": 16}}
    first = graded(part, {"llava-w64": known["llava-w64"] | {"tier": "weak"}, **teacher}, "a")
    second = graded(part, {"llava-w32": known["llava-w32"] | {"tier": "strong"}, **teacher}, "b")
    alone = [[*_tiers([grid], [])] for grid in (first, second)]
    assert alone == [[], []]
    (problem,) = _tiers([first, second], [])
    assert problem.startswith("llava-w32: strong, of width 32, but llava-w64 of the same family")


def test_a_layout_may_be_that_of_either_lab(tmp_path):
    """How often trainers save is in no spec, so a cell of both may be as either says."""
    part = Part(STUDY)
    others = [
        load_foreign(
            copy.deepcopy(part.config)
            | {"results": "/no", "scratch": "/no", "checkpoint_minutes": minutes},
            REFERENCE,
        )
        for minutes in (30.0, 10.0)
    ]
    assert [*check_manifests(stored_of(part, others), [])] == []
    wrong = [*check_manifests(stored_of(part, others[:1]), [])]
    assert wrong and all(
        "layout.checkpoint_minutes is 10.0, derived as 30.0" in one for one in wrong
    )


def two_grids(cells_of_second):
    """A bundle of two grids, the first with another teacher of llava, and the grids."""
    first, second = Part(STUDY), Part({"scale": {**STUDY["scale"], **cells_of_second}})
    other = copy.deepcopy(first.config)
    other["teachers"]["llava"] = "llava-w32"
    other |= {"results": "/nonexistent", "scratch": "/nonexistent"}
    grids = [load_foreign(other, REFERENCE), second.grid]
    tables = {
        name: pd.concat([getattr(first, name), getattr(second, name)])
        .drop_duplicates(["cell"] if name == "manifests" else None)
        .reset_index(drop=True)
        for name in ("scores", "history", "manifests")
    }
    tables["scores"] = Scores.of_frame(tables["scores"], CATEGORIES)
    return Stored(REFERENCE, Bundle(study=first.study, **tables), grids)


def test_traces_are_compared_with_every_grid_that_trained_on_them():
    found = [*_traces(two_grids({"sizes": [2000], "methods": ["sft"]}), lambda grid: None)]
    assert len(found) == 1 and f"study.json.traces.{LLAVA}.spec_hash" in found[0]


def test_traces_that_one_grid_alone_trained_on_are_of_that_grid():
    """The other one may be of an earlier version, whose specs have other hashes."""
    stored = two_grids({"sizes": [2000], "methods": ["sft"]})
    manifests = stored.bundle.manifests
    size = manifests["size"].astype("Int64")
    manifests.loc[size.eq(20).fillna(False), "status"] = "failed"
    assert [*_traces(stored, lambda grid: None)] == []


# --- costs of sampling ----------------------------------------------------------------------------


def costs_found(change):
    """What `_costs` finds after a change to the study of a bundle."""
    part = Part(STUDY)
    change(part.study)
    return [*_costs(Stored(REFERENCE, bundle_of(part), [part.grid]))]


def test_true_costs_of_sampling_are_consistent():
    assert costs_found(lambda study: None) == []


def test_costs_of_sampling_are_missed():
    found = costs_found(lambda study: study["costs"].pop("sample_shard"))
    assert len(found) == 1 and "study.json.costs.sample_shard: missing" in found[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("measured_jobs", 1),
        ("measured_jobs", 0),
        ("measured_jobs", 3),
        ("estimated_hours", 1.5),
        ("estimated_hours", 0.0),
        ("measured_hours", None),
    ],
)
def test_costs_of_sampling_follow_from_the_config(name, value):
    found = costs_found(lambda study: study["costs"]["sample_shard"].update({name: value}))
    assert any(f"study.json.costs.sample_shard.{name}" in one for one in found)


def test_sampling_without_a_report_may_have_been_counted():
    """Reports of another spec are left out of a partial bundle; their jobs have run."""

    def change(study):
        del study["traces"]["qwen3-vl/same-family"]

    def fewer(study):
        change(study)
        study["costs"]["sample_shard"]["measured_jobs"] = 1

    def none(study):
        fewer(study)
        study["costs"]["sample_shard"]["measured_jobs"] = 0

    assert costs_found(change) == costs_found(fewer) == []
    assert len(costs_found(none)) == 1


def test_sampling_that_nothing_gives_has_no_costs():
    def change(study):
        study["costs"]["sample_shard"] |= {"measured_jobs": 0, "measured_hours": 0.0}
        study["traces"] = {}

    assert any("sample_shard.measured_jobs" in one for one in costs_found(change))
