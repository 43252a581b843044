"""Each level of `reassess verify` finds what is planted, names the place and fails; else it passes."""

import io
import json
import shutil
import subprocess
from dataclasses import replace
from shutil import move

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from reference import Part, seal
from synthetic import grid_in, make_bundle
from test_contents import derived_once

from reassess import verifier
from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened, pack
from reassess.bundles.checksums import tampered
from reassess.bundles.drawings import digest_of
from reassess.cli.main import act
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json, write_parquet
from reassess.core.fingerprint import hash_of
from reassess.verifier.comparison import KINDS
from reassess.verifier.grading import is_right
from reassess.verify import (
    VerifyReport,
    verify_all,
    verify_contents,
    verify_figures,
    verify_scores,
    verify_train,
)
from reassess.verify.figures import READ, drawn_files
from reassess.verify.training import Repetition, compare_cell

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_figure")]
CELL = "llava-w32/same-family/20/sft/seed1"

__all__ = ["derived_once"]  # a fixture for every test here


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    of_grid = tmp_path_factory.mktemp("grid")
    pack(make_bundle(of_grid, grid_in(of_grid, "config/smoke.yaml")).paths.bundle, folder)
    return folder


@pytest.fixture(autouse=True)
def past_the_sums(monkeypatch):
    """The level itself is to find what is planted, not a checksum."""
    for level in ("figures", "scores", "training"):
        monkeypatch.setattr(f"reassess.verify.{level}.tampered", lambda root: [])


@pytest.fixture
def study(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "study")
    return tmp_path / "study"


def only(report):
    (found,) = report.differences
    return found


# --- figures ----------------------------------------------------------------------------------------------------------


def test_figures_that_are_the_same(study):
    report = verify_figures(study)
    assert (report.differences, report.notes) == ([], [])
    assert "the same bytes, drawn again from this bundle's tables" in report.text()
    assert "identical" not in report.text()  # the tables may be false
    assert act(["verify", "figures", "--bundle", str(study)]) == 0


def test_a_pixel_is_found_and_placed(study):
    path = study / "figures/capacity.png"
    image = Image.open(path)
    pixels = np.asarray(image).copy()
    pixels[40:42, 70:75, 0] ^= 7
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "png")
    path.write_bytes(made.getvalue())
    found = only(verify_figures(study))
    assert "figures/capacity.png: 10 of" in found
    assert all(fact in found for fact in ("7 of 255", "(70, 40)", "(74, 41)"))
    assert act(["verify", "figures", "--bundle", str(study)]) == 1


def test_the_same_pixels_in_other_bytes_are_said_to_be_so(study):
    path = study / "figures/capacity.png"
    image = Image.open(path)
    image.load()
    image.save(path, compress_level=1)
    assert "the same pixels in other bytes" in only(verify_figures(study))


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_image_that_cannot_be_read(study, content):
    (study / "figures/capacity.png").write_bytes(content)
    assert "figures/capacity.png: the stored image cannot be read" in only(verify_figures(study))


def test_lines_of_text_are_found(study):
    path = study / "figures/capacity.svg"
    lines = path.read_text().splitlines(keepends=True)
    lines[20] = "<!-- planted -->\n"
    path.write_text("".join(lines))
    assert (
        "figures/capacity.svg: 1 lines differ, first at line 21: stored '<!-- planted -->'"
        in only(verify_figures(study))
    )
    table = study / "tables/main.csv"
    table.write_text(table.read_text().replace("sft", "SFT", 1))
    assert any(
        "tables/main.csv: 1 lines differ" in one for one in verify_figures(study).differences
    )


def test_a_byte_of_a_pdf_is_found(study):
    path = study / "figures/capacity.pdf"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert "the first difference is at byte 100" in only(verify_figures(study))


def test_a_figure_newer_than_the_archive_is_a_note(study, monkeypatch):
    monkeypatch.setattr("reassess.verify.figures.NEWER", frozenset({"figures/controls"}))
    monkeypatch.setattr("reassess.figures.figure_names", lambda: ["capacity", "controls"])
    report = verify_figures(study)
    assert report.differences == []
    assert [note.split(" ")[0] for note in report.notes] == ["figures/controls"]


def test_a_figure_that_the_archive_lists_and_lacks_is_a_difference(study):
    for path in (study / "figures").iterdir():
        path.unlink()
    missing = verify_figures(study).differences
    assert {name.split(":")[0] for name in missing} == {
        f"figures/capacity.{kind}" for kind in ("svg", "pdf", "png")
    }


def test_a_figure_that_no_list_of_files_has_is_a_difference(study, monkeypatch):
    monkeypatch.setattr("reassess.figures.figure_names", lambda: ["capacity", "controls"])
    assert len(verify_figures(study).differences) == 3


def test_a_figure_that_is_missing_or_too_many(study):
    (study / "figures/capacity.pdf").rename(study / "figures/other.pdf")
    found = verify_figures(study).differences
    assert "figures/capacity.pdf: drawn from this bundle, but not stored" in found
    assert "figures/other.pdf: stored, but not drawn from this bundle" in found


def test_planted_data_change_the_figures(study):
    path = study / "bundle/scores.parquet"
    scores = pd.read_parquet(path)
    scores.loc[scores["cell"] == CELL, "correct"] = False
    scores.to_parquet(path, index=False)
    assert {one.split(":")[0] for one in verify_figures(study).differences} >= {
        "figures/capacity.svg",
        "tables/main.csv",
    }


def test_a_bundle_without_drawings_cannot_be_verified(study):
    for name in ("figures", "tables"):
        shutil.rmtree(study / name)
    for name in ("claims.json", "claims.html"):
        (study / name).unlink()
    with pytest.raises(ReassessError, match="nothing drawn"):
        verify_figures(study)


# --- scores -----------------------------------------------------------------------------------------------------------


def change(study, table, column, value, row=5):
    path = study / f"bundle/{table}.parquet"
    frame = pd.read_parquet(path)
    frame[column] = frame[column].astype(object)
    place = frame.index[frame["cell"] == CELL][row]
    frame.loc[place, column] = value(frame.loc[place, column])
    frame.to_parquet(path, index=False)
    return f"{CELL} {frame.loc[place, 'benchmark']} {frame.loc[place, 'item']}"


def test_scores_that_are_the_same(study):
    report = verify_scores(study)
    assert report.differences == []
    rows = len(pd.read_parquet(study / "bundle/predictions.parquet"))
    assert report.notes == [f"{rows} mathematical answers graded by a second grader"]
    assert act(["verify", "scores", "--bundle", str(study)]) == 0


def test_a_planted_verdict_is_found(study):
    item = change(study, "scores", "correct", lambda value: not value)
    assert only(verify_scores(study)).startswith(f"{item}: verdict stored as ")
    assert act(["verify", "scores", "--bundle", str(study)]) == 1


def test_a_planted_answer_is_found(study):
    item = change(
        study, "predictions", "completion", lambda value: "This is how one comes to it. Answer: 7"
    )
    found = verify_scores(study).differences
    assert any(
        one.startswith(f"{item}: extracted answer stored as") and one.endswith("recomputed as '7'")
        for one in found
    )


def test_a_planted_right_answer_is_found(study):
    item = change(study, "predictions", "answer", lambda value: "3")
    scores = pd.read_parquet(study / "bundle/scores.parquet").set_index(
        ["cell", "benchmark", "item"]
    )
    was_right = bool(scores.loc[tuple(item.split(" ")), "correct"])
    assert bool(verify_scores(study).differences) == was_right


def test_a_missing_answer_is_found(study):
    path = study / "bundle/predictions.parquet"
    frame = pd.read_parquet(path)
    frame.drop(frame.index[7]).to_parquet(path, index=False)
    assert "a score without a stored answer" in only(verify_scores(study))


def test_the_second_grader_catches_a_verifier_that_errs(study, monkeypatch):
    """Our verifier is made to accept any whole number. The stored verdicts agree with it, the other
    grader does not."""
    monkeypatch.setitem(KINDS, "integer", lambda extracted, answer: True)
    scores = pd.read_parquet(study / "bundle/scores.parquet").assign(correct=True)
    scores.to_parquet(study / "bundle/scores.parquet", index=False)
    is_right.cache_clear()
    found = verify_scores(study).differences
    is_right.cache_clear()
    assert found and all(
        "is True for our verifier, False for math-verify" in one for one in found[:-1]
    )


def test_a_stricter_second_grader_is_a_note(study):
    path = study / "bundle/predictions.parquet"
    frame = pd.read_parquet(path)
    right = pd.read_parquet(study / "bundle/scores.parquet")["correct"]
    frame["answer_kind"] = frame["answer_kind"].astype(str)
    place = frame.index[right.to_numpy()][0]
    frame.loc[place, ["completion", "extracted", "answer", "answer_kind"]] = [
        "This is how one comes to it. Answer: 2", "2", "\\frac{4}{2}", "math",
    ]  # fmt: skip
    frame.to_parquet(path, index=False)
    report = verify_scores(study)
    assert report.differences == []
    assert any("1 answers in other forms than the right one" in note for note in report.notes)


def without_verdict(answers):
    """A grader whose comparisons of these answers stay undecided."""

    def grade_all(completions, golds, kinds):
        return [
            replace(verdict, correct=False, undecided=True) if gold in answers else verdict
            for verdict, gold in zip(
                verifier.grade_all(completions, golds, kinds), golds, strict=True
            )
        ]

    return grade_all


def test_a_verdict_that_was_undecided_is_named_and_is_no_difference(study):
    """Of an answer that has to be computed; others are decided on every machine."""
    change(study, "predictions", "completion", lambda value: value.rpartition(" ")[0] + " 1+0")
    change(study, "predictions", "extracted", lambda value: "1+0")
    change(study, "scores", "format_ok", lambda value: False)
    item = change(study, "scores", "correct", lambda value: False)
    scores = pd.read_parquet(study / "bundle/scores.parquet")
    scores["undecided"] = (scores[["cell", "benchmark", "item"]].agg(" ".join, axis=1)) == item
    scores.to_parquet(study / "bundle/scores.parquet", index=False)
    report = verify_scores(study)
    assert report.differences == []
    assert [note for note in report.notes if item in note] == [
        f"{item}: stored as undecided, True now"
    ]


def test_verdicts_that_stay_undecided_are_counted(study, monkeypatch):
    path = study / "bundle/scores.parquet"
    answers = pd.read_parquet(study / "bundle/predictions.parquet")["answer"]
    scores = pd.read_parquet(path)
    undecided = (answers == answers.iloc[0]).to_numpy()
    monkeypatch.setattr("reassess.verify.scores.grade_all", without_verdict({answers.iloc[0]}))
    lost = int((undecided & scores["correct"]).sum())
    assert any("recomputed as 'undecided'" in one for one in verify_scores(study).differences)
    scores.assign(undecided=undecided, correct=scores["correct"] & ~undecided).to_parquet(
        path, index=False
    )
    report = verify_scores(study)
    assert report.differences == [] and lost > 0
    assert any(note.startswith(f"{undecided.sum()} answers are stored") for note in report.notes)


def test_scores_without_answers_cannot_be_verified(study):
    (study / "bundle/predictions.parquet").unlink()
    with pytest.raises(ReassessError, match=r"predictions\.parquet"):
        verify_scores(study)


def test_many_differences_are_counted():
    report = VerifyReport()
    report.add([f"difference {number}" for number in range(25)])
    assert len(report.differences) == 11 and report.differences[-1] == "and 15 more"


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["study.zip", "folder"])
def test_every_level_reads_the_files_that_the_signature_is_of(study, tmp_path, form, monkeypatch):
    path, other = tmp_path / form, tmp_path / f"other-{form}"
    pack(study / "bundle", path)
    scores = pd.read_parquet(study / "bundle/scores.parquet")
    write_parquet(study / "bundle/scores.parquet", scores.assign(correct=True))
    pack(study / "bundle", other)
    seen = []

    def level(where, **_):
        if other.exists():
            move(path, tmp_path / "away")
            move(other, path)
        with opened(where) as root:
            seen.append(Bundle.load(root / "bundle").scores.frame()["correct"].mean())
            raise ReassessError(f"{root / 'ABOUT.md'} says nothing")

    for name in ("contents", "figures", "scores"):
        monkeypatch.setattr(f"reassess.verify.overall.verify_{name}", level)
    outcome = verify_all(path)
    assert seen == [scores["correct"].mean()] * 3
    inside = f"{path}{'!' if form.endswith('zip') else '/'}ABOUT.md says nothing"
    assert [outcome.levels[name].unchecked for name in ("contents", "scores")] == [[inside]] * 2


def test_a_version_that_nothing_was_drawn_with_is_noted(study):
    recorded = read_json(study / "drawn-with.json")
    write_json(study / "drawn-with.json", recorded | {"approved by the journal": None})
    assert any("approved by the journal" in note for note in verify_figures(study).notes)


def test_published_drawings_of_other_statistics_have_to_be_those_bytes(study, monkeypatch):
    claims = study / "claims.json"
    claims.write_text(claims.read_text().replace('"verdict"', '"verdikt"'))
    assert verify_figures(study).differences != []
    read = [f"bundle/{name}" for name in READ]
    known = frozenset({digest_of(study, [*drawn_files(study), *read])})
    monkeypatch.setattr("reassess.verify.figures.EARLIER", known)
    assert verify_figures(study).differences == []
    scores = pd.read_parquet(study / "bundle/scores.parquet")
    write_parquet(study / "bundle/scores.parquet", scores.assign(correct=True))
    assert verify_figures(study).differences != []


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(packed):
    """A cell of the bundle, and a perfect repetition of it."""
    bundle = Bundle.load(packed / "bundle")
    stored = {
        "train": {
            "kind": "sft", "spec_hash": "s", "spec": {"settings": {"learning_rate": 1}}, "weights_hash": "w" * 20, "resumed": False,
            "hardware": {"machine": "x", "processor": "p", "accelerators": []}, "versions": {"torch": "1", "seaborn": "1"},
        },
        "evaluate": {},
    }  # fmt: skip
    history = bundle.history[bundle.history["cell"] == CELL][["metric", "step", "value"]].copy()
    scores = (
        bundle.scores.of([CELL])
        .rename(columns={"item": "id"})[["benchmark", "id", "correct"]]
        .copy()
    )
    return bundle, stored, Repetition(json.loads(json.dumps(stored["train"])), history, scores)


def compared(bundle, stored, again):
    report = VerifyReport()
    compare_cell(report, bundle, CELL, stored, again)
    return report


def test_the_same_training_is_the_same(trained):
    report = compared(*trained)
    assert report.differences == [] and "the same weights, bit by bit" in report.notes[0]


def test_other_weights_on_the_same_machine_fail_and_the_step_is_named(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    place = again.history.index[
        (again.history["metric"] == "probe_accuracy") & (again.history["step"] == 30)
    ][0]
    again.history.loc[place, "value"] += 1e-9
    found = compared(bundle, stored, again).differences
    assert found[0] == f"{CELL}: other weights (wwwwwwwwwwww stored, vvvvvvvvvvvv now)"
    assert (
        found[1].startswith(f"{CELL}: probe_accuracy differs from update 30 on:")
        and len(found) == 2
    )


def test_another_processor_is_named_and_the_interval_decides(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    again.trained["hardware"]["processor"] = "q"
    again.trained["versions"]["torch"] = "2"
    again.predictions.loc[again.predictions.index[0], "correct"] ^= True
    report = compared(bundle, stored, again)
    assert report.differences == []
    assert any("processor was p, is q" in note for note in report.notes)
    assert any("torch was 1, is 2" in note for note in report.notes)
    assert any("; inside ± " in note for note in report.notes)
    again.predictions["correct"] = False
    outside = compared(bundle, stored, again).differences
    assert outside and all("the difference is outside ±" in one for one in outside)


def test_a_resumed_or_rl_cell_is_held_to_the_interval_only(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    stored["train"]["kind"] = "rl"
    assert compared(bundle, stored, again).differences == []
    stored["train"] |= {"kind": "sft", "resumed": True}
    assert compared(bundle, stored, again).differences == []


def with_fingerprint(manifest, mode="fast", **operations):
    """Let a manifest have a fingerprint, in which some operations have other hashes."""
    hashes = {"exp": "0" * 12, "matmul": "0" * 12, **operations}
    fingerprint = {"version": 1, "hash": hash_of(hashes), "operations": hashes}
    manifest["numerics"] = {"mode": mode, "fingerprint": fingerprint}


def test_where_both_compute_alike_bits_are_due_whatever_the_processors_are_called(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    again.trained["hardware"] |= {"processor": "q", "kernels": "AVX512"}
    for manifest in (stored["train"], again.trained):
        with_fingerprint(manifest)
    assert "other weights" in compared(bundle, stored, again).differences[0]


def test_operations_that_differ_are_named_and_the_interval_decides(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    with_fingerprint(stored["train"])
    with_fingerprint(again.trained, exp="1" * 12)
    report = compared(bundle, stored, again)
    assert report.differences == []
    assert any("1 operations compute differently here: exp;" in note for note in report.notes)


def test_in_portable_numerics_every_method_gives_the_same_weights(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    stored["train"]["kind"] = "rl"
    for manifest in (stored["train"], again.trained):
        with_fingerprint(manifest, "portable")
    assert "other weights" in compared(bundle, stored, again).differences[0]
    stored["train"]["resumed"] = True
    assert "other weights" in compared(bundle, stored, again).differences[0]
    stored["train"]["micro_batch_halved"] = True
    assert compared(bundle, stored, again).differences == []


def test_a_fingerprint_of_the_cpu_says_nothing_of_accelerators(trained):
    bundle, stored, again = trained
    again.trained["weights_hash"] = "v" * 20
    stored["train"]["hardware"]["accelerators"] = ["A100"]
    again.trained["hardware"] |= {"accelerators": ["H200"], "processor": "q"}
    for manifest in (stored["train"], again.trained):
        with_fingerprint(manifest)
    report = compared(bundle, stored, again)
    assert report.differences == []
    assert "accelerators was ['A100'], is ['H200']" in report.notes[0]
    assert not any("processor" in note for note in report.notes)
    for manifest in (stored["train"], again.trained):
        with_fingerprint(manifest, "portable")  # no job of it uses them
    assert "other weights" in compared(bundle, stored, again).differences[0]


def untrained(trained):
    """The same cell as one that trains nothing: its evaluation's manifest states its weights."""
    bundle, stored, again = trained
    manifest = {**stored["train"], "spec": {}}
    with_fingerprint(manifest)
    now = json.loads(json.dumps(manifest))
    predictions = again.predictions.assign(completion="Answer: 1")
    answers = predictions.rename(columns={"id": "item"})
    again = Repetition({}, again.history.iloc[:0], predictions.copy(), now)
    return bundle, {"train": {}, "evaluate": manifest}, again, answers


def compared_untrained(bundle, stored, again, answers):
    report = VerifyReport()
    compare_cell(report, bundle, CELL, stored, again, answers)
    return report


def test_a_cell_that_trains_nothing_has_the_same_weights_and_completions(trained):
    bundle, stored, again, answers = untrained(trained)
    report = compared_untrained(bundle, stored, again, answers)
    assert report.differences == [] and "the same weights, bit by bit" in report.notes[0]
    again.predictions.loc[again.predictions.index[0], "completion"] = "Answer: 2"
    found = compared_untrained(bundle, stored, again, answers)
    assert "completion 'Answer: 1' stored, 'Answer: 2' now" in only(found)
    again.evaluated["weights_hash"] = "v" * 20
    found = compared_untrained(bundle, stored, again, answers)
    assert only(found) == f"{CELL}: other weights (wwwwwwwwwwww stored, vvvvvvvvvvvv now)"


def test_a_cell_that_trains_nothing_is_held_to_the_interval_elsewhere(trained):
    bundle, stored, again, answers = untrained(trained)
    again.predictions["completion"] = "Answer: 2"
    again.evaluated["weights_hash"] = "v" * 20
    with_fingerprint(again.evaluated, exp="1" * 12)
    report = compared_untrained(bundle, stored, again, answers)
    assert report.differences == []
    assert any("compute differently here: exp" in note for note in report.notes)
    with_fingerprint(again.evaluated)
    again.evaluated["spec_hash"] = "t"
    report = compared_untrained(bundle, stored, again, answers)
    assert report.differences == []
    assert any("its spec is another one" in note for note in report.notes)


def test_another_spec_names_what_changed(trained):
    bundle, stored, again = trained
    again.trained.update({"spec_hash": "t", "spec": {"settings": {"learning_rate": 2}}})
    assert "its spec is another one in this version (settings.learning_rate)" in only(
        compared(bundle, stored, again)
    )


def test_other_items_are_named(trained):
    bundle, stored, again = trained
    again.predictions["id"] = again.predictions["id"] + "x"
    found = compared(bundle, stored, again).differences
    assert found and all("other items than those stored" in one for one in found)


def test_the_same_weights_have_the_same_history(trained):
    bundle, stored, again = trained
    stored["train"]["kind"] = "rl"
    again.history.loc[again.history["metric"] == "probe_accuracy", "value"] += 0.01
    assert f"{CELL}: probe_accuracy differs from update 0 on" in only(
        compared(bundle, stored, again)
    )


def test_the_same_weights_have_the_same_totals(trained):
    bundle, stored, again = trained
    stored["train"] |= {"tokens": 5.0, "rows_hash": "a", "order_seed": 1}
    again.trained.update(tokens=6.0, rows_hash="content:b", order_seed=2)
    found = compared(bundle, stored, again).differences
    assert found == [
        f"{CELL}: order_seed is 1 in the bundle, 2 when trained again",
        f"{CELL}: tokens is 5.0 in the bundle, 6.0 when trained again",
    ]


def test_the_same_weights_give_the_same_completions(trained):
    bundle, stored, again = trained
    answers = again.predictions.rename(columns={"id": "item"}).assign(completion="Answer: 1")
    predictions = again.predictions.assign(completion="Answer: 1")
    predictions.loc[predictions.index[0], "completion"] = "Answer: 2"
    report = VerifyReport()
    other = replace(again, predictions=predictions)
    compare_cell(report, bundle, CELL, stored, other, answers)
    assert "completion 'Answer: 1' stored, 'Answer: 2' now" in only(report)


def test_a_config_that_would_load_something_is_not_run(study, tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/mine.py").write_text(f"open({str(marker)!r}, 'w')\n")
    terms = read_json(study / "bundle/study.json")
    terms["config"]["plugins"] = [str(tmp_path / "plugins")]
    write_json(study / "bundle/study.json", terms)
    with pytest.raises(ReassessError, match="--trust"):
        verify_train(study, [CELL])
    assert not marker.exists()


def test_an_unknown_cell_is_answered_with_those_there_are(study):
    with pytest.raises(ReassessError, match="unknown finished cell 'llava-w32/sft'"):
        verify_train(study, ["llava-w32/sft"])


@pytest.mark.parametrize("check", [verify_figures, verify_scores, verify_contents, verify_train])
def test_a_tampered_file_fails_every_level(study, check, monkeypatch):
    for level in ("figures", "scores", "contents", "training"):
        monkeypatch.setattr(f"reassess.verify.{level}.tampered", tampered)
    monkeypatch.setattr("reassess.verify.training.TrainedAgain", no_training)
    (study / "ABOUT.md").write_text("planted")
    report = check(study, []) if check is verify_train else check(study)
    assert (
        "ABOUT.md: not the file that SHA256SUMS lists; it was changed or damaged"
        in report.differences
    )


def no_training(*_):
    """Stands for training again: nothing is trained, and nothing compared."""

    class Nothing:
        def run(self, cells):
            cells.clear()

    return Nothing()


# --- without a level --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed_part(tmp_path_factory):
    folder = tmp_path_factory.mktemp("part")
    pack(Part().write(folder / "tables") / "bundle", folder / "packed")
    return folder / "packed"


@pytest.fixture
def part(packed_part, tmp_path):
    """A part of the reference run, packed: what it states is true."""
    shutil.copytree(packed_part, tmp_path / "part")
    return tmp_path / "part"


def test_without_a_level_every_cheap_one_runs(part, capsys):
    assert act(["bundle", "verify", "--bundle", str(part)]) == 0
    lines = capsys.readouterr().out.splitlines()
    levels = [line.strip("[]") for line in lines if line.startswith("[")]
    assert levels == ["archive", "contents", "figures", "scores"]
    assert len([line for line in lines if line.startswith("not proved by this:")]) == 4
    assert lines[-1].startswith("consistent; not signed: nobody vouches for this bundle")
    assert "verify train" in lines[-1] and not any("identical" in line for line in lines)


def test_a_consistent_lie_is_not_called_consistent(tmp_path, capsys):
    """Labels swapped in every table, then packed by the project itself: sums and figures fit."""
    lie = Part()
    for name in ("scores", "manifests", "history"):
        frame = getattr(lie, name)
        frame["method"] = frame["method"].replace({"sft": "grpo", "grpo": "sft"})
    pack(lie.write(tmp_path / "tables") / "bundle", tmp_path / "lie")
    assert act(["verify", "--bundle", str(tmp_path / "lie")]) == 1
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == "NOT CONSISTENT (contents)"
    assert "identical" not in output


def test_a_level_that_cannot_run_is_not_passed(part):
    for name in ("figures", "tables"):
        shutil.rmtree(part / name)
    for name in ("claims.json", "claims.html"):
        (part / name).unlink()
    seal(part)
    outcome = verify_all(part)
    assert not outcome.passed and "nothing drawn" in outcome.levels["figures"].unchecked[0]
    assert outcome.text().splitlines()[-1] == "NOT FULLY CHECKED (figures)"


def test_without_a_bundle_the_command_explains_itself(capsys):
    assert act(["verify"]) == 2
    assert "--bundle" in capsys.readouterr().out


def test_options_before_a_level_are_refused(part):
    assert act(["verify", "--bundle", str(part), "figures", "--bundle", str(part)]) == 2


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
def test_a_signature_says_who_vouches(part, tmp_path, capsys):
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(make, check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"lab@example.org {key.with_suffix('.pub').read_text()}")
    signed = str(tmp_path / "signed.zip")
    assert act(["bundle", "pack", "--bundle", str(part), "--out", signed, "--sign", str(key)]) == 0
    assert act(["verify", "--bundle", signed, "--signer", str(signers)]) == 0
    assert "consistent, signed by 'lab@example.org'" in capsys.readouterr().out.splitlines()[-1]
    assert act(["verify", "--bundle", str(part), "--signer", str(signers)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "NOT CONSISTENT (archive)"


def test_a_changed_bundle_is_not_packed_again(part, tmp_path):
    (part / "ABOUT.md").write_text("planted")
    out = str(tmp_path / "again.zip")
    assert act(["bundle", "pack", "--bundle", str(part), "--out", out]) != 0
