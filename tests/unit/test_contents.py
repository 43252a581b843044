"""A bundle that is consistent but false is found: the level `contents`, on a part of the reference run."""

import json
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import steps
from reference import REFERENCE, STUDIES, Part, seal, study
from tiny import tiny_grid

from reassess.bundles.archive import pack
from reassess.bundles.checksums import SUMS, write_sums
from reassess.bundles.collect import write_bundle
from reassess.bundles.merge import merge
from reassess.core.errors import ReassessError
from reassess.core.files import canonical_json, read_json, sha256_text, write_json
from reassess.training.engine import LOGGED as RECORDED
from reassess.verify import VerifyReport, verify_contents, verify_scores
from reassess.verify.histories import (
    METRICS,
    OPTIONAL_PROBE,
    PROBE,
    SAMPLED_PROBE,
    TOTALS,
    scheduled,
)
from reassess.verify.lengths import Lengths
from reassess.verify.pools import Pool
from reassess.verify.versions import SpecsOf, present_versions
from reassess.worlds.micro import pool
from reassess.worlds.micro.reader import MicroReader

SFT, OTHER_SEED = (f"llava-w32/same-family/20/sft/seed{seed}" for seed in (1, 2))
GRPO, DAPO, COLD = (f"llava-w32/same-family/20/{arm}/seed1" for arm in ("grpo", "dapo", "sft-grpo"))
BASE = "llava-w32/base/seed1"
RANDOM, BLANK = "llava-w64/random-choice/seed1", "llava-w64/blank-image/seed1"
QWEN = "qwen3vl-w32/same-family/2000/sft/seed1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def derived_once():
    """What is derived of the pool and of texts is derived once for all tests."""
    make_splits, prompt_hashes, lengths = (
        pool.make_splits, MicroReader.prompt_hashes, MicroReader.lengths,
    )  # fmt: skip
    known, ask = {}, Pool.ask

    @cache
    def made(*given):
        return make_splits(*given[:4], *map(json.loads, given[4:]))

    def of_texts(reader, texts):
        fresh = [text for text in texts if (id(reader), text) not in known]
        known.update(
            ((id(reader), text), ways) for text, ways in zip(fresh, lengths(reader, fresh))
        )
        return [known[id(reader), text] for text in texts]

    def asked(one, cell):
        if cell.id not in told:
            told[cell.id] = ask(one, cell)
        return told[cell.id]

    told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pool,
            "make_splits",
            lambda *given: made(*given[:4], *map(canonical_json, given[4:])),
        )
        patch.setattr(MicroReader, "lengths", of_texts)
        once = cache(prompt_hashes)
        patch.setattr(MicroReader, "prompt_hashes", lambda self, items: once(self, tuple(items)))
        patch.setattr(Pool, "ask", asked)
        yield


def found(part, tmp_path):
    return verify_contents(part.write(tmp_path)).differences


def test_the_part_itself_is_consistent(tmp_path):
    report = verify_contents(Part().write(tmp_path))
    assert (report.differences, report.unchecked) == ([], [])
    assert report.passed and "identical" not in report.text()


# --- what the issue plants, and what else can be ------------------------------------------------------


def swap(part, column, first, second, tables):
    for name in tables:
        frame = getattr(part, name)
        frame[column] = frame[column].replace({first: second, second: first})


def swapped_labels(part):
    """The labels of SFT and GRPO, with the cells' ids as they were."""
    swap(part, "method", "sft", "grpo", ("scores", "manifests", "history"))
    return f"{SFT}: method is 'grpo' in scores, derived as 'sft'"


def swapped_cells(part):
    """The same by the cells' ids, everywhere but in the manifests' JSON."""
    for column, pair in (("method", ("sft", "grpo")), ("kind", ("sft", "rl"))):
        swap(part, column, *pair, ("scores", "manifests", "history"))
    for name in ("scores", "manifests", "history", "predictions"):
        swap(part, "cell", SFT, GRPO, (name,))
    return f"{GRPO}: train.spec.cell.arm: stored as 'sft', derived as 'grpo'"


def swapped_seeds(part):
    for name in ("scores", "manifests", "history", "predictions"):
        swap(part, "cell", SFT, OTHER_SEED, (name,))
    for name in ("scores", "manifests", "history"):
        frame = getattr(part, name)
        of_pair = frame["cell"].isin([SFT, OTHER_SEED])
        frame.loc[of_pair, "seed"] = 3 - frame.loc[of_pair, "seed"]
    return f"{SFT}: train.spec.cell.seed: stored as 2, derived as 1"


def own_golds(part):
    """The right answers of a cell are what it answered."""
    rows = part.rows("predictions", SFT) & part.predictions["extracted"].notna()
    part.predictions.loc[rows, "answer"] = part.predictions.loc[rows, "extracted"]
    part.scores.loc[part.rows("scores", SFT), "correct"] = True
    return f"{SFT}: answer is another one in"


def golds_everywhere(part):
    """The right answer of one item, the same in all cells."""
    rows = part.predictions["item"] == "iid-000000"
    part.predictions.loc[rows, "answer"] = "9"
    return f"{BASE} iid iid-000000: answer is '9', derived '"


def kind_of_answer(part):
    part.predictions.loc[part.predictions["item"] == "iid-000000", "answer_kind"] = "math"
    return f"{SFT} iid iid-000000: answer_kind is 'math', derived"


def longer(part):
    part.scores["length"] += 1
    return "length is"


def one_length(part):
    part.scores.loc[part.scores.index[0], "length"] += 1
    return f"{BASE} combo combo-000000: length is 5, derived as 4"


def truncated(part):
    part.scores.loc[part.rows("scores", QWEN), "truncated"] = True
    return "(truncated), below the budget of 80 tokens"


def hops(part):
    part.scores.loc[part.rows("scores", GRPO), "hops"] = 3
    return f"{GRPO}: hops is another one in"


def filled(part):
    place = part.scores.index[part.rows("scores", GRPO)][3]
    part.scores.loc[place, "filled"] += 1
    return f"{GRPO} combo combo-000003: filled is"


def family_of_items(part):
    part.scores["item_family"] = "color"
    return "item_family is 'color', derived"


def model(part):
    for name in ("scores", "manifests", "history"):
        swap(part, "model", "llava-w32", "llava-w64", (name,))
    return f"{SFT}: model is 'llava-w64' in manifests, derived as 'llava-w32'"


def tier(part):
    part.study["models"]["llava-w32"]["tier"] = "strong"
    for name in ("scores", "manifests", "history"):
        getattr(part, name)["tier"] = "strong"
    return "study.json.models.llava-w32.tier: stored as 'strong', derived as 'weak'"


def row_of_manifests(part):
    part.manifests = part.manifests[~part.rows("manifests", SFT)]
    return f"{SFT}: a cell of the config, but not of the manifests"


def whole_cell(part):
    for name in ("scores", "manifests", "history", "predictions"):
        setattr(part, name, getattr(part, name)[~part.rows(name, SFT)])
    return f"{SFT}: a cell of the config, but not of the manifests"


def cell_said_to_have_failed(part):
    for name in ("scores", "history", "predictions"):
        setattr(part, name, getattr(part, name)[~part.rows(name, SFT)])
    part.manifests.loc[part.rows("manifests", SFT), ["status", "error"]] = "failed", "by accident"
    return f"{SFT}: failed, but has rows_hash, samples"


def history_plus_one(part):
    part.history["value"] += 1
    return f"{SFT}: probe_accuracy is 1."


def rewards(part):
    rows = part.rows("history", GRPO) & (part.history["metric"] == "reward")
    part.history.loc[rows, "value"] = np.linspace(0.1, 0.9, rows.sum())
    return f"{GRPO}: reward is 0.1 at update 1, its parts give"


def probe(part):
    rows = part.rows("history", GRPO) & (part.history["metric"] == "probe_accuracy")
    part.history.loc[rows & (part.history["step"] == 40), "value"] = 0.555
    return f"{GRPO}: probe_accuracy is 0.555 at update 40, no share of 100 items"


def first_probe(part):
    rows = part.rows("history", GRPO) & (part.history["metric"] == "probe_accuracy")
    part.history.loc[rows & (part.history["step"] == 0), "value"] = 0.11
    return "probe_accuracy is 0.11 at update 0, that of"


def cold_start(part):
    """The probe after SFT is not the one that SFT -> GRPO starts with."""
    last = part.rows("history", SFT) & (part.history["metric"] == "probe_accuracy")
    part.history.loc[last & (part.history["step"] == 300), "value"] = 0.99
    return f"at the end of {SFT}, from which it starts"


def history_of_another(part):
    kept = part.history[~part.rows("history", SFT)]
    other = part.history[part.rows("history", OTHER_SEED)].assign(cell=SFT, seed=1)
    part.history = pd.concat([kept, other], ignore_index=True)
    return f"{SFT}: {'tokens' if part.study.get('bases') else 'training_seconds'} is"


def learning_rate(part):
    rows = part.rows("history", SFT) & (part.history["metric"] == "learning_rate")
    part.history.loc[rows, "value"] *= 2
    return f"{SFT}: learning_rate is 0.0018"


def dropped_steps(part):
    part.history = part.history[~(part.rows("history", GRPO) & (part.history["step"] == 77))]
    return "(see 77)"


def made_up_metric(part):
    row = part.history[part.rows("history", GRPO)].iloc[:1].assign(metric="honesty")
    part.history = pd.concat([part.history, row], ignore_index=True)
    return f"{GRPO}: honesty: no metric of a history of rl"


def totals(part):
    """Tokens of the manifest and its row, not of the history."""
    part.edit_manifest(SFT, lambda record: record["train"].update(tokens=1e6))
    part.manifests.loc[part.rows("manifests", SFT), "tokens"] = 1e6
    return f"{SFT}: tokens is 1000000.0, its history ends with"


def seconds(part):
    part.manifests.loc[part.rows("manifests", SFT), "seconds"] = 1.0
    return f"{SFT}: seconds is 1.0, in its manifest"


def costs(part):
    part.study["costs"]["train"]["measured_hours"] = 0.001
    return "study.json.costs.train.measured_hours"


def another_spec(part):
    """A result of other settings, bundled under the present spec's hash."""

    def change(record):
        spec = record["train"]["spec"]
        spec["method"]["settings"]["learning_rate"] = 0.5
        record["train"]["spec_hash"] = sha256_text(canonical_json(spec))

    part.edit_manifest(SFT, change)
    return f"{SFT}: train.spec.method.settings.learning_rate: stored as 0.5, derived as 0.002"


def stale_hash(part):
    part.manifests.loc[part.rows("manifests", SFT), "spec_hash"] = "0" * 64
    return f"{SFT}: spec_hash is '{'0' * 64}', but"


def config(part):
    """Another learning rate in the config, its arms and its hash."""
    part.study["config"]["methods"]["sft"] = {"learning_rate": 0.5}
    part.study["config_hash"] = sha256_text(canonical_json(part.study["config"]))
    part.study["arms"]["sft"]["learning_rate"] = 0.5
    return f"{SFT}: train.spec.method.settings.learning_rate: stored as 0.002, derived as 0.5"


def config_hash(part):
    part.study["config_hash"] = "0" * 64
    return "study.json.config_hash: stored as"


def renamed_arm(part):
    """An arm called otherwise everywhere, in the config too: its specs are those of another name."""
    for place in (part.study["config"]["methods"], part.study["arms"]):
        place["careful"] = {**place.pop("sft")}
    part.study["config"]["methods"]["careful"]["uses"] = "sft"
    part.study["config"]["methods"]["sft-grpo"] = {"start": "careful"}
    part.study["arms"]["sft-grpo"]["start"] = "careful"
    for one in part.study["config"]["studies"].values():
        one["methods"] = ["careful" if name == "sft" else name for name in one["methods"]]
    for one in part.study["studies"].values():
        one["cells"] = [cell.replace("/sft/", "/careful/") for cell in one["cells"]]
    part.study["arm_order"] = [
        "careful" if name == "sft" else name for name in part.study["arm_order"]
    ]
    part.study["config_hash"] = sha256_text(canonical_json(part.study["config"]))
    for name in ("scores", "manifests", "history", "predictions"):
        frame = getattr(part, name)
        frame["cell"] = frame["cell"].str.replace("/sft/", "/careful/")
        if "method" in frame:
            frame["method"] = frame["method"].replace({"sft": "careful"})
    return "careful/seed1: train.spec.cell.arm: stored as 'sft', derived as 'careful'"


def start(part):
    part.edit_manifest(COLD, lambda record: record["train"].update(start_weights_hash="f" * 64))
    return f"{COLD}: start_weights_hash is"


def base(part):
    part.edit_manifest(GRPO, lambda record: record["train"].update(start_weights_hash="f" * 64))
    return "though both are llava-w32"


def weights(part):
    part.edit_manifest(GRPO, lambda record: record["evaluate"].update(weights_hash="f" * 64))
    return f"{GRPO}: scored with the weights '{'f' * 64}'"


def rows(part):
    part.edit_manifest(GRPO, lambda record: record["train"].update(rows_hash="f" * 64))
    part.manifests.loc[part.rows("manifests", GRPO), "rows_hash"] = "f" * 64
    return "though both trained on the same rows"


def order(part):
    part.edit_manifest(GRPO, lambda record: record["train"].update(order_seed=7))
    return f"{GRPO}: order_seed is 7, derived as"


def template(part):
    part.edit_manifest(BASE, lambda record: record["evaluate"].update(template_hash="f" * 64))
    return f"{BASE}: evaluate.template_hash is"


def other_prompts(part, cell):
    """Give all prompts of a cell another hash. Where they can be derived each is named."""
    rows = part.rows("predictions", cell)
    part.predictions.loc[rows, "prompt_hash"] = "f" * 64
    if "pool" in part.study:
        return f"{cell} combo combo-000000: prompt_hash is"
    return f"{cell}: prompt_hash is another one in {rows.sum()} of {rows.sum()} items"


def prompts(part):
    return other_prompts(part, SFT)


def prompts_of_control(part):
    return other_prompts(part, BLANK)


def random_answers(part):
    place = part.predictions.index[part.rows("predictions", RANDOM)][0]
    answer = part.predictions.loc[place, "answer"]
    part.predictions.loc[place, ["completion", "extracted"]] = f"Answer: {answer} ", answer
    return f"{RANDOM} combo combo-000000: completion is"


def benchmarks_swapped(part):
    for name in ("scores", "predictions"):
        swap(part, "benchmark", "iid", "dense", (name,))
    return "dense iid-000000: no item of the pool"


def labels_of_benchmarks(part):
    part.study["benchmarks"][0]["label"] = "out of distribution"
    return "study.json.benchmarks[0].label: stored as 'out of distribution'"


def roles(part):
    part.study["benchmarks"][0]["role"] = "shifted"
    return "study.json.benchmarks[0].role: stored as 'shifted', derived as 'main'"


def question(part):
    part.study["studies"]["scale"]["question"] = "Is SFT the best there is?"
    return "study.json.studies.scale.question: stored as 'Is SFT the best there is?'"


def seeds_as_booleans(part):
    part.study["config"]["seeds"] = [seed == 1 or seed for seed in part.study["config"]["seeds"]]
    part.study["config_hash"] = sha256_text(canonical_json(part.study["config"]))
    return "study.json.config.seeds[0]"


def dropped_study(part):
    """A study with all of its cells, and not in the config."""
    gone = set(part.study["studies"].pop("transfer")["cells"])
    for name in ("scores", "manifests", "history", "predictions"):
        frame = getattr(part, name)
        setattr(part, name, frame[~frame["cell"].isin(gone)])
    return "study.json.studies.transfer: missing"


def dropped_item(part):
    for name in ("scores", "predictions"):
        frame = getattr(part, name)
        setattr(part, name, frame[frame["item"] != "iid-000007"])
    return f"{SFT} iid iid-000007: an item of the pool without a score"


def added_item(part):
    for name in ("scores", "predictions"):
        frame = getattr(part, name)
        row = frame[(frame["cell"] == SFT) & (frame["item"] == "iid-000007")]
        setattr(part, name, pd.concat([frame, row.assign(item="iid-002700")], ignore_index=True))
    return f"{SFT} iid iid-002700: no item of the pool"


def duplicate(part):
    part.scores = pd.concat([part.scores, part.scores.iloc[:1]], ignore_index=True)
    return f"{BASE} combo combo-000000: more than one row"


def nothing(part):
    part.history.loc[part.history.index[7], "value"] = np.nan
    return "column value has 1 missing values"


def infinite(part):
    part.history.loc[part.history.index[7], "value"] = np.inf
    return "value is inf"


def negative(part):
    part.scores.loc[part.scores.index[7], "length"] = -1
    return f"{BASE}: length is -1"


def missing_verdict(part):
    part.scores["correct"] = part.scores["correct"].astype(object)
    part.scores.loc[part.scores.index[7], "correct"] = None
    return "column correct has 1 missing values"


def column(part):
    part.scores["endorsed"] = True
    return "bundle/scores.parquet: has the unknown column 'endorsed'"


def further_samples(part):
    part.scores["samples"], part.scores["sampled_correct"] = 4, 4
    return "has further samples, but the config draws none"


def key_of_study(part):
    part.study["endorsed_by"] = "everybody"
    return "study.json.endorsed_by: stored as 'everybody', but nothing gives it"


def traces(part):
    report = part.study["traces"]["llava/same-family"]
    report["kept"] = 2400
    return f"study.json.traces.llava/same-family.yield: stored as {report['yield']}, derived as 1.0"


def pool_hashes(part):
    part.study["pool"] = {"iid": {"items": 300, "golds_hash": "0" * 64, "content_hash": "0" * 64}}
    return "study.json.pool.iid.golds_hash: stored as"


def arms_left_out(part):
    part.study["arm_order"] = part.study["arm_order"][1:]
    return "study.json.arm_order"


PLANTED = [
    swapped_labels, swapped_cells, swapped_seeds, own_golds, golds_everywhere, kind_of_answer, longer,
    one_length, truncated, hops, filled, family_of_items, model, tier, row_of_manifests, whole_cell,
    cell_said_to_have_failed, history_plus_one, rewards, probe, first_probe, cold_start,
    history_of_another, learning_rate, dropped_steps, made_up_metric, totals, seconds, costs, another_spec,
    stale_hash, config, config_hash, renamed_arm, start, base, weights, rows, order, template, prompts,
    prompts_of_control, random_answers, benchmarks_swapped, labels_of_benchmarks, roles, question,
    seeds_as_booleans,
    dropped_study, dropped_item, added_item, duplicate, nothing, infinite, negative, missing_verdict,
    further_samples, key_of_study, traces, pool_hashes, arms_left_out,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_and_named(plant, tmp_path, monkeypatch):
    require_named(plant, tmp_path, monkeypatch)


def require_named(plant, tmp_path, monkeypatch):
    """Plant a change in a part of the reference run; it must be found, and named as it says."""
    monkeypatch.setattr("reassess.verify.report.LISTED", 10_000)
    part = Part(getattr(plant, "studies", None))
    named = plant(part)
    differences = found(part, tmp_path)
    assert any(named in one for one in differences), differences[:20]


def test_an_unknown_column_is_found(tmp_path):
    Part().write(tmp_path)
    path = tmp_path / "bundle/scores.parquet"
    pd.read_parquet(path).assign(endorsed=True).to_parquet(path, index=False)
    seal_unchecked(tmp_path)
    report = verify_contents(tmp_path)
    assert "bundle/scores.parquet: has the unknown column 'endorsed'" in report.differences


def seal_unchecked(root):
    """List in the checksums what a folder holds now, whatever it is."""
    write_sums(root)


def test_an_index_beside_the_columns_is_found(tmp_path):
    Part().write(tmp_path)
    path = tmp_path / "bundle/history.parquet"
    frame = pd.read_parquet(path)
    frame.set_index(frame["value"].rename("truth")).to_parquet(path)
    seal_unchecked(tmp_path)
    assert any(
        "history.parquet: has the unknown column 'truth'" in one
        for one in verify_contents(tmp_path).differences
    )


def test_metadata_of_its_own_is_found(tmp_path):
    Part().write(tmp_path)
    path = tmp_path / "bundle/history.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"note": b"x"}), path)
    seal_unchecked(tmp_path)
    assert any(
        "has metadata of its own ('note')" in one for one in verify_contents(tmp_path).differences
    )


def test_a_column_of_another_type_is_found(tmp_path):
    Part().write(tmp_path)
    path = tmp_path / "bundle/scores.parquet"
    frame = pd.read_parquet(path)
    frame.assign(correct=frame["correct"].map(str)).to_parquet(path, index=False)
    seal_unchecked(tmp_path)
    assert any(
        "column correct holds text, not boolean" in one
        for one in verify_contents(tmp_path).differences
    )


def test_missing_sums_and_unlisted_files_are_differences(tmp_path):
    Part().write(tmp_path)
    (tmp_path / "bundle/extra.parquet").write_bytes(b"x")
    differences = verify_contents(tmp_path).differences
    assert any("extra.parquet" in one and "no file of a bundle" in one for one in differences)
    (tmp_path / "bundle/extra.parquet").unlink()
    (tmp_path / SUMS).unlink()
    assert any(SUMS in one for one in verify_contents(tmp_path).differences)


@pytest.mark.parametrize(
    "content",
    [
        lambda study: [],
        lambda study: {"format": 1},
        lambda study: {**study, "config": []},
        lambda study: {**study, "benchmarks": {"iid": 1}},
        lambda study: {**study, "traces": []},
        lambda study: {**study, "costs": None},
        lambda study: {**study, "merged": [1]},
        lambda study: {**study, "pool": {"iid": 3}},
        lambda study: {**study, "arm_order": None},
    ],
)
def test_terms_of_another_shape_are_no_crash(tmp_path, content):
    part = Part()
    part.write(tmp_path)
    write_json(tmp_path / "bundle/study.json", content(part.study))
    seal_unchecked(tmp_path)
    assert not outcome(tmp_path).passed


def outcome(path):
    """The report; an error that names its cause stands for one that did not pass."""
    try:
        return verify_contents(path)
    except ReassessError as error:
        return VerifyReport(unchecked=[str(error)])


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"train":1,"evaluate":2}', '{"evaluate":{},"train":{}}', "nan"]
)
def test_a_manifest_of_another_shape_is_no_crash(tmp_path, text):
    part = Part()
    part.manifests.loc[part.rows("manifests", SFT), "manifest"] = text
    folder = Part().write(tmp_path)
    write_bundle(folder / "bundle", {"manifests": part.manifests}, part.study)
    seal_unchecked(folder)
    assert not outcome(folder).passed


def test_descriptions_that_say_otherwise_are_found(tmp_path):
    Part().write(tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("probe_items: 100", "probe_items: 900"))
    package = read_json(tmp_path / "datapackage.json")
    package["resources"][0]["hash"] = "sha256:0"
    write_json(tmp_path / "datapackage.json", package)
    seal_unchecked(tmp_path)
    differences = verify_contents(tmp_path).differences
    assert any(
        one.startswith("config.yaml: 1 lines differ")
        and one.endswith("stored '  probe_items: 900', derived '  probe_items: 100'")
        for one in differences
    )
    assert any("datapackage.json.resources[0].hash" in one for one in differences)


def test_a_key_that_stands_twice_is_found(tmp_path):
    path = Part().write(tmp_path) / "bundle/study.json"
    path.write_text(
        path.read_text().replace('"grid": "micro"', '"grid": "macro",\n  "grid": "micro"')
    )
    seal(tmp_path)
    assert any("may stand in it twice" in one for one in verify_contents(tmp_path).differences)


def test_cells_without_results_are_named(tmp_path):
    part = Part()
    for name in ("scores", "history", "predictions"):
        setattr(part, name, getattr(part, name)[~part.rows(name, GRPO)])
    place = part.manifests.index[part.rows("manifests", GRPO)][0]
    empty = ["spec_hash", "rows_hash", "samples", "updates", "tokens", "flops", "seconds"]
    for column in (*empty, "peak_memory_mb", "manifest"):
        part.manifests.loc[place, column] = None
    part.manifests.loc[place, ["status", "error"]] = "failed", "RuntimeError: out of memory"
    report = verify_contents(part.write(tmp_path))
    assert report.differences == []
    assert f"1 cells have no results ({GRPO})" in report.notes


# --- what is no difference ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["verifier", "sampling"])
def test_specs_of_an_earlier_version_are_derived_as_of_it(tmp_path, what):
    part = Part()
    specs = SpecsOf(part.grid, replace(present_versions(part.grid), **{what: 1}))
    for cell in part.grid.cells.values():

        def change(record, cell=cell):
            if record["train"]:
                spec_hash = specs.train_hash(cell)
                record["train"].update(spec=specs.train(cell), spec_hash=spec_hash)
            spec_hash = specs.evaluation_hash(cell)
            record["evaluate"].update(spec=specs.evaluation(cell), spec_hash=spec_hash)

        part.edit_manifest(cell.id, change)
        part.manifests.loc[part.rows("manifests", cell.id), "spec_hash"] = specs.train_hash(cell)
    for name, report in part.study["traces"].items():
        report["spec_hash"] = specs.traces_hash(*name.split("/"))
    report = verify_contents(part.write(tmp_path))
    assert report.differences == []
    assert any(f"{what} 1, 2 here" in note for note in report.notes)


def test_a_config_that_would_load_something_needs_trust(tmp_path):
    part = Part()
    marker = tmp_path / "ran"
    plugin = tmp_path / "plugins/mine.py"
    plugin.parent.mkdir()
    plugin.write_text(f"open({str(marker)!r}, 'w')\n")
    part.study["config"]["plugins"] = [str(plugin.parent)]
    part.study["config_hash"] = sha256_text(canonical_json(part.study["config"]))
    report = verify_contents(part.write(tmp_path / "bundle"))
    assert not report.passed and any("--trust" in one for one in report.unchecked)
    assert not marker.exists()


def test_merged_bundles_are_compared_with_each_config(tmp_path, one_figure):
    parts = {
        "first": {"scale": STUDIES["scale"]},
        "second": {"scale": study("How much?", ["llava-w32"], ["base", "sft"], seeds=(1, 3))},
    }
    for name, studies in parts.items():
        pack(Part(studies).write(tmp_path / f"{name}-tables") / "bundle", tmp_path / name)
    merge(tmp_path / "first", tmp_path / "second", tmp_path / "merged", keep="first")
    assert verify_contents(tmp_path / "merged").differences == []
    path = tmp_path / "merged/bundle/study.json"
    content = read_json(path)
    content["merged"][1]["config"]["seeds"] = [1]
    content["merged"][1]["config"]["studies"]["scale"]["seeds"] = [1]
    write_json(path, content)
    seal(tmp_path / "merged")
    differences = verify_contents(tmp_path / "merged").differences
    assert any("seed3: in the manifests, but no cell of the config" in one for one in differences)
    assert any("study.json.merged[1].config_hash" in one for one in differences)


def answers(lengths, text="<think>so</think> \\boxed{7}"):
    """Answers with one text, by a model whose tokenizer is not at hand."""
    index = pd.MultiIndex.from_tuples([("iid", str(number)) for number in range(len(lengths))])
    return pd.DataFrame(
        {"completion": text, "length": lengths, "truncated": False, "extracted": "7"}, index=index
    )


def test_lengths_without_a_tokenizer_are_compared_with_each_other():
    lengths = Lengths()
    assert list(lengths.check("a", "qwen", answers([9] * 40), 2048, None)) == []
    assert list(lengths.check("b", "qwen", answers([9] * 40), 2048, None)) == []
    assert list(lengths.conclude()) == [] and lengths.notes == []
    assert list(lengths.check("c", "qwen", answers([8] * 40), 2048, None)) == []
    assert len(list(lengths.conclude())) == 40


def test_answers_with_one_text_are_compared_with_the_first_of_them():
    generator = np.random.default_rng(0)
    lengths, first, expected = Lengths(), {}, []
    for cell in ("a", "b", "c"):
        rows = answers(generator.integers(1, 4, 60))
        rows["completion"] = [f"\\boxed{{{number}}}" for number in generator.integers(9, size=60)]
        rows["truncated"] = (rows["length"] == 3) & (generator.random(60) < 0.5)
        assert list(lengths.check(cell, "qwen", rows, 3, None)) == []
        for place, row in rows.iterrows():
            size = f"length is {row['length']}{' (truncated)' if row['truncated'] else ''}"
            name = f"{cell} {' '.join(place)}"
            known, due = first.setdefault(row["completion"], (name, size))
            if size != due:
                expected.append(f"{name}: {size}, of the same text in {known} {due}")
    assert len(expected) > 50 and list(lengths.conclude()) == expected


def test_texts_are_not_held(monkeypatch):
    """A large study has more of them than memory holds; the usual length of any is known."""
    monkeypatch.setattr("reassess.verify.lengths.REMEMBERED", 3)
    words = SimpleNamespace(
        lengths=lambda texts: [{len(text.split())} for text in texts],
        fewest=lambda text: len(text.split()),
    )
    lengths = Lengths()
    for cell in ("a", "b", "c"):
        rows = answers([3] * 5).assign(completion=[f"{cell} {number}" for number in range(5)])
        assert list(lengths.check(cell, "llava", rows, 80, words)) == []
        assert {text.split()[0] for _, text in lengths.tokens} == {cell}
    rows = answers([4, 4]).assign(completion=["a 0", "d 0"])
    assert list(lengths.check("d", "llava", rows, 80, words)) == []
    (found,) = lengths.conclude()
    assert found.startswith("d iid 0: length is 4, derived as 3") and len(lengths.notes) == 1


def test_lengths_beyond_the_budget_are_found_in_any_world():
    report = list(Lengths().check("a", "qwen", answers([9, 0, 3000]), 2048, None))
    assert [one.split(":")[0] for one in report] == ["a iid 1", "a iid 2"]


# --- what the checks know of training ----------------------------------------------------------------


def test_every_metric_that_is_recorded_is_known():
    recorded = {*RECORDED.values(), *TOTALS, *PROBE, OPTIONAL_PROBE, SAMPLED_PROBE}
    assert METRICS["rl"] == recorded


@pytest.mark.parametrize("name", ["cosine", "linear", "constant_with_warmup"])
@pytest.mark.parametrize("warmup", [0, 3])
def test_the_schedule_is_that_of_transformers(name, warmup):
    import torch
    from transformers import get_scheduler

    from reassess.training.sft_settings import SftSettings

    settings = SftSettings(max_steps=20, warmup_steps=warmup, lr_scheduler_type=name)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=settings.learning_rate)
    schedule = get_scheduler(name, optimizer, warmup, 20)
    for done in range(20):
        assert schedule.get_last_lr()[0] == pytest.approx(scheduled(settings, 8, done), rel=1e-9)
        optimizer.step()
        schedule.step()


def test_the_reference_run_is_consistent():
    report = verify_contents(REFERENCE.parent)
    assert (report.differences, report.unchecked) == ([], [])


def test_a_bundle_of_this_version_is_consistent(tmp_path, one_figure):
    """Every kind of arm, run by the real jobs at the smallest size, with further samples."""
    methods = ("base", "blank-image", "random-choice", "sft", "grpo", "dapo", "sft-grpo")
    evaluation = {"max_new_tokens": 8, "samples": 2}
    grid = tiny_grid(tmp_path, methods=methods, evaluation=evaluation)
    steps.run_whole(grid)
    pack(grid.paths.bundle, tmp_path / "packed")
    for check in (verify_contents, verify_scores):
        report = check(tmp_path / "packed")
        assert (report.differences, report.unchecked) == ([], [])
    path = tmp_path / "packed/bundle/scores.parquet"
    scores = pd.read_parquet(path)
    scores["sampled_correct"] = 2 - scores["sampled_correct"]
    scores.to_parquet(path, index=False)
    seal(tmp_path / "packed")
    (first, *_) = verify_scores(tmp_path / "packed").differences
    assert "of 2 further completions stored as right, recomputed as" in first
