"""A second round of attacks on `verify contents`: what a changed bundle may try beside the first."""

import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from reference import Part, seal, study
from test_contents import (
    BASE,
    COLD,
    DAPO,
    GRPO,
    OTHER_SEED,
    SFT,
    derived_once,
    require_named,
    seal_unchecked,
)  # fmt: skip

from reassess.bundles.archive import pack
from reassess.bundles.drawings import DRAWN_WITH
from reassess.bundles.merge import merge, study_of_both
from reassess.bundles.zips import unpack
from reassess.core.errors import ReassessError
from reassess.core.files import canonical_json, read_json, sha256_text, write_json
from reassess.verify import verify_contents, verify_figures, verify_scores

__all__ = ["derived_once"]  # a fixture for every test here
pytestmark = pytest.mark.slow
TRAINED = [SFT, OTHER_SEED, GRPO, DAPO, COLD]


# --- versions of specs as an excuse ---------------------------------------------------------------


def hash_again(record):
    """Hashes of a manifest's specs, after one of them was changed."""
    train, evaluate = record["train"], record["evaluate"]
    if train:
        train["spec_hash"] = sha256_text(canonical_json(train["spec"]))
        evaluate["spec"]["train"] = train["spec_hash"]
    evaluate["spec_hash"] = sha256_text(canonical_json(evaluate["spec"]))


def respec(part, cell, change):
    """Change the specs of a cell and every hash that follows from them within the cell."""

    def edit(record):
        change(record)
        hash_again(record)
        part.manifests.loc[part.rows("manifests", cell), "spec_hash"] = record["evaluate"]["spec"][
            "train"
        ]

    part.edit_manifest(cell, edit)


def rows_behind_a_version(part):
    """Other rows, teachers and all, in a cell whose spec says that another version wrote it."""

    def change(record):
        record["train"]["spec"]["method"]["version"] += 1
        record["train"]["spec"]["rows"] = "f" * 64

    respec(part, SFT, change)
    return f"{SFT}: train.spec"


def start_behind_a_version(part):
    def change(record):
        record["train"]["spec"]["verifier"] = 1
        record["train"]["spec"]["start"] = "f" * 64

    respec(part, COLD, change)
    return f"{COLD}: train.spec.start"


def other_cells_behind_a_version(part):
    """One cell says that another version wrote it; the rows of another cell are others."""
    respec(part, GRPO, lambda record: record["train"]["spec"].update(verifier=1))
    respec(part, SFT, lambda record: record["train"]["spec"].update(rows="f" * 64))
    return f"{SFT}: train.spec.rows"


def versions_to_come(part):
    for cell in part.manifests["cell"]:
        respec(part, cell, lambda record: record["evaluate"]["spec"].update(verifier=99))
    return "verifier 99"


def mixed_versions(part):
    respec(part, SFT, lambda record: record["evaluate"]["spec"].update(verifier=1))
    return f"{SFT}: evaluate.spec.verifier: stored as 1"


# --- fields of manifests ------------------------------------------------------------------------------


def everywhere(part, change, cells=None):
    for cell in cells or part.manifests["cell"]:
        part.edit_manifest(cell, change)


def endorsed(part):
    part.edit_manifest(SFT, lambda record: record["train"].update(endorsed_by="everybody"))
    return f"{SFT}: train.endorsed_by"


def third_part(part):
    part.edit_manifest(SFT, lambda record: record.update(review={"accepted": True}))
    return f"{SFT}: manifest"


def no_weights(part):
    def change(record):
        for one in (record["train"], record["evaluate"]):
            one.pop("weights_hash", None)

    everywhere(part, change, [SFT])
    return f"{SFT}: train.weights_hash: missing"


def no_start(part):
    everywhere(part, lambda record: record["train"].pop("start_weights_hash"), [GRPO])
    return f"{GRPO}: train.start_weights_hash: missing"


def no_rows(part):
    everywhere(part, lambda record: record["train"].pop("rows_hash", None), TRAINED)
    part.manifests["rows_hash"] = None
    return f"{SFT}: train.rows_hash: missing"


def no_template(part):
    part.edit_manifest(BASE, lambda record: record["evaluate"].pop("template_hash"))
    return f"{BASE}: evaluate.template_hash: missing"


def no_time(part):
    part.edit_manifest(SFT, lambda record: record["train"].pop("training_seconds"))
    return f"{SFT}: train.training_seconds: missing"


def weights_are_no_hash(part):
    def change(record):
        record["train"]["weights_hash"] = record["evaluate"]["weights_hash"] = (
            "none of your business"
        )

    part.edit_manifest(SFT, change)
    return f"{SFT}: train.weights_hash is 'none of your business', no SHA-256"


def true_for_one(part):
    part.edit_manifest(SFT, lambda record: record["train"].update(resumed=0))
    return f"{SFT}: train.resumed is 0, no boolean"


def not_a_number(part):
    part.edit_manifest(SFT, lambda record: record["train"].update(training_seconds=float("nan")))
    return f"{SFT}: manifest is no JSON (NaN"


def as_text(part):
    part.edit_manifest(SFT, lambda record: record["train"].update(training_seconds="47"))
    return f"{SFT}: train.training_seconds is '47'"


def two_processes(part):
    """Learning rates are not derived of several processes."""
    rows = part.rows("history", SFT) & (part.history["metric"] == "learning_rate")
    part.history.loc[rows, "value"] *= 2
    part.edit_manifest(SFT, lambda record: record["train"]["layout"].update(processes=2))
    return f"{SFT}: layout.processes is 2, derived as 1"


def same_weights(part):
    """Weights of another seed."""
    hashes = []
    part.edit_manifest(OTHER_SEED, lambda record: hashes.append(record["train"]["weights_hash"]))

    def change(record):
        record["train"]["weights_hash"] = record["evaluate"]["weights_hash"] = hashes[0]

    part.edit_manifest(SFT, change)
    part.edit_manifest(COLD, lambda record: record["train"].update(start_weights_hash=hashes[0]))
    return f"the same weights as {SFT}"


def same_gradients(part):
    """Gradients of another seed."""
    at, other = (
        part.rows("history", cell) & (part.history["metric"] == "grad_norm")
        for cell in (SFT, OTHER_SEED)
    )
    part.history.loc[at, "value"] = part.history.loc[other, "value"].to_numpy()
    return f"the same gradients as {SFT}"


def untrained_weights(part):
    """Weights that training with a gradient has not moved."""

    def change(record):
        start = record["train"]["start_weights_hash"]
        record["train"]["weights_hash"] = record["evaluate"]["weights_hash"] = start

    part.edit_manifest(GRPO, change)
    return f"{GRPO}: its weights are those it started from"


# --- values in tables -------------------------------------------------------------------------------


def undecided_and_right(part):
    part.scores["undecided"] = False
    wrong = part.rows("scores", SFT) & ~part.scores["correct"]
    part.scores.loc[wrong, ["undecided", "correct"]] = True
    return "undecided, and yet right"


def judged(part):
    part.scores["judged"] = True
    return "has verdicts of a judge, but the config has none"


def sampled_texts(part):
    part.predictions["sampled"] = '["Answer: 1"]'
    return "has texts of further samples, but the config draws none"


def shares_before(part):
    rows = part.history[part.rows("history", GRPO) & (part.history["metric"] == "loss")]
    part.history = pd.concat(
        [part.history, rows.iloc[:1].assign(metric="undecided_share", value=0.5, step=0)],
        ignore_index=True,
    )
    return f"{GRPO}: undecided_share is recorded at update 0"


# --- the study's terms ------------------------------------------------------------------------------


def costs_of_sampling(part):
    part.study["costs"]["sample_shard"] = {
        "measured_jobs": -3, "estimated_hours": "none", "measured_hours": float("nan"),
    }  # fmt: skip
    return "study.json.costs.sample_shard"


def tokens_of_traces(part):
    part.study["traces"]["llava/same-family"]["tokens"] = -5
    return "study.json.traces.llava/same-family.tokens"


def merged_with_one(part):
    part.study["merged"] = [{n: part.study[n] for n in ("grid", "config_hash", "config")}]
    return "study.json.merged"


PLANTED = [
    rows_behind_a_version, start_behind_a_version, other_cells_behind_a_version, versions_to_come,
    mixed_versions, endorsed, third_part, no_weights, no_start, no_rows, no_template, no_time,
    weights_are_no_hash, true_for_one, not_a_number, as_text, two_processes, same_weights,
    same_gradients, untrained_weights, undecided_and_right, judged, sampled_texts, shares_before,
    costs_of_sampling, tokens_of_traces, merged_with_one,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_and_named(plant, tmp_path, monkeypatch):
    require_named(plant, tmp_path, monkeypatch)


# --- files ----------------------------------------------------------------------------------------------


def rewritten(path, change):
    text = path.read_text()
    changed = change(text)
    assert changed != text
    path.write_text(changed)


def listed_file(root):
    (root / "ENDORSEMENT.md").write_text("Everybody likes it.\n")
    seal(root)
    return "ENDORSEMENT.md: no file of a bundle"


def page(root):
    rewritten(root / "ABOUT.md", lambda text: text + "\nGRPO is the best there is.\n")
    return "ABOUT.md"


def no_page(root):
    (root / "ABOUT.md").unlink()
    return "ABOUT.md: missing"


def comment_in_config(root):
    rewritten(root / "config.yaml", lambda text: "# as preregistered\n" + text)
    return "config.yaml"


def twice_in_config(root):
    rewritten(root / "config.yaml", lambda text: "seeds: [1, 2, 3, 4, 5]\n" + text)
    return "config.yaml"


def meaning_of_a_column(root):
    rewritten(
        root / "datapackage.json",
        lambda text: text.replace(
            "whether the verifier calls the answer right", "whether it is wrong"
        ),
    )
    return "datapackage.json"


def table_twice(root):
    package = read_json(root / "datapackage.json")
    package["resources"].insert(0, package["resources"][0] | {"path": "figures/scores.parquet"})
    write_json(root / "datapackage.json", package)
    return "datapackage.json"


def licence(root):
    rewritten(root / "datapackage.json", lambda text: text.replace("Apache-2.0", "CC-BY-NC-4.0"))
    return "datapackage.json"


def author(root):
    crate = read_json(root / "ro-crate-metadata.json")
    crate["@graph"].append({"@id": "#me", "@type": "Person", "name": "Somebody Else"})
    write_json(root / "ro-crate-metadata.json", crate)
    return "ro-crate-metadata.json"


def described_otherwise(root):
    crate = read_json(root / "ro-crate-metadata.json")
    crate["@graph"][1]["description"] = "A proof that GRPO is the best there is."
    write_json(root / "ro-crate-metadata.json", crate)
    return "ro-crate-metadata.json"


def twice_in_study(root):
    rewritten(
        root / "bundle/study.json",
        lambda text: text.replace("{\n", '{\n  "grid": "preregistered",\n', 1),
    )
    seal(root)
    return "study.json"


def spaces_in_study(root):
    path = root / "bundle/study.json"
    rewritten(path, lambda text: json.dumps(json.loads(text)))
    seal(root)
    return "study.json"


def shuffled(root):
    path = root / "bundle/scores.parquet"
    frame = pd.read_parquet(path)
    frame.sample(frac=1, random_state=1).to_parquet(path, index=False)
    seal(root)
    return "scores.parquet: its rows are not in the order"


def shuffled_answers(root):
    path = root / "bundle/predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(np.arange(len(table))[::-1]).replace_schema_metadata(None), path)
    seal(root)
    return "predictions.parquet: its rows are not in the order"


def metadata_of_a_field(root):
    path = root / "bundle/history.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("value")
    field = table.schema.field("value").with_metadata({b"note": b"as preregistered"})
    pq.write_table(table.cast(table.schema.set(place, field)), path)
    seal(root)
    return "history.parquet: has metadata of its own"


def hidden_categories(root):
    path = root / "bundle/history.parquet"
    frame = pd.read_parquet(path)
    frame["metric"] = frame["metric"].astype("category").cat.add_categories(["as preregistered"])
    frame.to_parquet(path, index=False)
    seal(root)
    return "history.parquet: column metric"


FILES = [
    listed_file, page, no_page, comment_in_config, twice_in_config, meaning_of_a_column, table_twice,
    licence, author, described_otherwise, twice_in_study, spaces_in_study, shuffled,
    shuffled_answers, metadata_of_a_field, hidden_categories,
]  # fmt: skip


@pytest.mark.parametrize("plant", FILES, ids=lambda plant: plant.__name__)
def test_a_changed_file_is_found_and_named(plant, tmp_path):
    named = plant(Part().write(tmp_path))
    seal_unchecked(tmp_path)
    report = verify_contents(tmp_path)
    assert any(named in one for one in report.differences), report.text()


# --- other levels, and merging --------------------------------------------------------------------


def undecided(part, cell, rows):
    """Answers of a cell that are said to have been undecided."""
    part.scores["undecided"] = False
    chosen = part.scores.index[part.rows("scores", cell) & rows]
    part.scores.loc[chosen, "undecided"], part.scores.loc[chosen, "correct"] = True, False
    return part


def test_right_answers_are_not_called_undecided(tmp_path):
    part = Part()
    right = part.scores["correct"] & (part.predictions["answer_kind"] == "integer")
    report = verify_scores(undecided(part, SFT, right).write(tmp_path))
    assert any("stored as undecided, True now" in one for one in report.differences)


def one_undecided(kind, spelled="{}"):
    """A part in which the first right answer of a kind is stored as undecided."""
    part = Part()
    right = part.scores["correct"] & (part.predictions["answer_kind"] == kind)
    first = part.scores.index == part.scores.index[part.rows("scores", SFT) & right][0]
    gold = part.predictions.loc[first, "answer"].iloc[0]
    if spelled != "{}":
        part.predictions.loc[first, "completion"] = f"Answer: {spelled.format(gold)}"
        part.predictions.loc[first, "extracted"] = spelled.format(gold)
        part.scores.loc[first, "format_ok"] = False
    return undecided(part, SFT, first)


def test_a_single_answer_that_a_slow_machine_left_undecided_is_a_note(tmp_path):
    report = verify_scores(one_undecided("integer", "{}+0").write(tmp_path))
    assert report.differences == []
    assert any("stored as undecided, True now" in note for note in report.notes)


def test_words_are_never_undecided(tmp_path):
    report = verify_scores(one_undecided("word").write(tmp_path))
    assert any("stored as undecided, True now" in one for one in report.differences)


def test_answers_of_another_seed_are_named(tmp_path):
    part = Part()
    for name in ("scores", "predictions"):
        frame = getattr(part, name)
        own = [name for name in frame if name not in ("cell", "seed")]
        frame.loc[part.rows(name, OTHER_SEED), own] = frame.loc[
            part.rows(name, SFT), own
        ].to_numpy()
    report = verify_contents(part.write(tmp_path))
    named = f"{OTHER_SEED}: every completion is that of {SFT}, "
    assert any(note.startswith(named) and "weights differ" in note for note in report.notes)


@pytest.fixture
def packed(tmp_path, one_figure):
    pack(Part().write(tmp_path / "tables") / "bundle", tmp_path / "packed")
    return tmp_path / "packed"


def test_a_figure_is_missed_though_no_list_has_it(packed):
    for path in (packed / "figures").iterdir():
        path.unlink()
    seal(packed)
    missing = verify_figures(packed).differences
    assert sum("drawn from this bundle, but not stored" in one for one in missing) == 3


def test_what_it_was_drawn_with_is_missed(packed):
    (packed / DRAWN_WITH).unlink()
    seal(packed)
    assert verify_figures(packed).differences == [f"{DRAWN_WITH}: missing"]


def test_a_packed_bundle_is_consistent(packed):
    assert verify_contents(packed).differences == []


def test_bundles_of_other_budgets_are_not_merged(tmp_path, one_figure):
    for name, budget in (("first", 80), ("second", 800)):
        part = Part({"scale": study("How much?", ["llava-w32"], ["base"])})
        part.study["config"]["evaluation"]["max_new_tokens"] = budget
        pack(part.write(tmp_path / f"{name}-tables") / "bundle", tmp_path / name)
    with pytest.raises(ReassessError, match="disagree on evaluation.max_new_tokens"):
        merge(tmp_path / "first", tmp_path / "second", tmp_path / "both", keep="first")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("world", "split_items"), 7),
        (("world", "base", "steps"), 99999),
        (("evaluation", "benchmarks"), ["iid"]),
        (("evaluation", "samples"), 9),
        (("distributions", "same-family", "temperature"), 0.01),
    ],
)
def test_no_two_labs_are_merged_that_measured_otherwise(place, value):
    """Verify derives a merged study in the same way."""
    first, second = Part().study, Part().study
    config = second["config"]
    for name in place[:-1]:
        config = config[name]
    assert config[place[-1]] != value
    config[place[-1]] = value
    for left, right in ((first, second), (study_of_both(first, first), second)):
        with pytest.raises(ReassessError, match=f"disagree on .*{place[1]}"):
            study_of_both(left, right)


def test_labs_may_have_other_places_and_speeds():
    first, second = Part().study, Part().study
    second["config"]["evaluation"] |= {"batch_size": 7, "folders": ["mine"]}
    assert len(study_of_both(first, second)["merged"]) == 2


@pytest.mark.parametrize("of_entry", [True, False])
def test_a_comment_in_a_zip_file_is_refused(tmp_path, of_entry):
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        entry = zipfile.ZipInfo("bundle/study.json")
        if of_entry:
            entry.comment = b"as preregistered"
        else:
            archive.comment = b"as preregistered"
        archive.writestr(entry, "{}")
    with pytest.raises(ReassessError, match="comment"):
        unpack(tmp_path / "bundle.zip", tmp_path / "out")
