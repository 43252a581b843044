"""A third round of attacks on `verify contents`: what manifests, histories and terms record."""

import copy
from collections import Counter
from datetime import datetime, timedelta

import pandas as pd
import pytest
import steps
from reference import REFERENCE, TABLES, Part, study
from test_contents import (
    BASE,
    COLD,
    DAPO,
    GRPO,
    OTHER_SEED,
    SFT,
    derived_once,
    found,
    require_named,
)  # fmt: skip
from tiny import tiny_grid

from reassess.core.checkpoint_hashes import hash_of_files, hash_of_weights
from reassess.core.files import canonical_json, read_json, sha256_text
from reassess.core.project import ROOT
from reassess.grid.cells import Cell
from reassess.grid.foreign import load_foreign
from reassess.grid.study import Grid
from reassess.training import checkpoints
from reassess.training.rl_settings import RlSettings
from reassess.verify import verify_contents
from reassess.verify.cells import _tiers
from reassess.verify.configs import _misnamed
from reassess.verify.fields import AFTER_KERNELS
from reassess.verify.histories import ENTROPY, LOGGED, LOGGED_BY_RL, PROBE, TOTALS, _steps
from reassess.verify.stored import shown
from reassess.worlds.base import world_of
from reassess.worlds.micro.world import MicroWorld

__all__ = ["derived_once"]  # a fixture for every test here
pytestmark = pytest.mark.slow
LLAVA, NONE = "llava/same-family", "0" * 64


def scaled(part, cell, metric, by):
    """A total of a cell, in its history, its manifest and its row."""
    rows = part.rows("history", cell) & (part.history["metric"] == metric)
    part.history.loc[rows, "value"] *= by

    def change(record):
        record["train"][metric] *= by

    part.edit_manifest(cell, change)
    part.manifests.loc[part.rows("manifests", cell), metric] *= by


def curve(part, cell, metric):
    return part.rows("history", cell) & (part.history["metric"] == metric)


# --- histories ----------------------------------------------------------------------------------------


def no_losses(part):
    part.history = part.history[~part.history["metric"].isin(["loss", "grad_norm"])]
    return f"{GRPO}: grad_norm is recorded at 0 updates, due 160"


def no_gradients_of_a_copy(part):
    """The weights of another seed, without the gradients that tell them apart."""
    part.history = part.history[part.history["metric"] != "grad_norm"]
    hashes = []
    part.edit_manifest(OTHER_SEED, lambda record: hashes.append(record["train"]["weights_hash"]))

    def change(record):
        record["train"]["weights_hash"] = record["evaluate"]["weights_hash"] = hashes[0]

    part.edit_manifest(SFT, change)
    part.edit_manifest(COLD, lambda record: record["train"].update(start_weights_hash=hashes[0]))
    return f"the same weights as {SFT}"


def gradients_of_nothing(part):
    part.history.loc[curve(part, GRPO, "grad_norm"), "value"] = 0.0
    return f"{GRPO}: its weights are not those it started from"


def nothing_to_learn(part):
    part.history.loc[curve(part, SFT, "grad_norm"), "value"] = 0.0
    return f"{SFT}: grad_norm is 0 at every update"


def times_of_another(part):
    at, other = curve(part, SFT, "seconds"), curve(part, OTHER_SEED, "seconds")
    part.history.loc[at, "value"] = part.history.loc[other, "value"].to_numpy()
    return f"its times are those of {SFT}, to the last digit"


def entropy_below_zero(part):
    part.history.loc[curve(part, GRPO, "entropy"), "value"] = -5.0
    return f"{GRPO}: entropy is -5.0 at update 1"


def no_entropy(part):
    part.history = part.history[~curve(part, GRPO, "entropy")]
    return f"{GRPO}: entropy is recorded at 0 updates, due 160"


def loss_below_zero(part):
    part.history.loc[curve(part, SFT, "loss"), "value"] = -3.0
    return f"{SFT}: loss is -3.0"


def nothing_drawn_again(part):
    part.history.loc[curve(part, DAPO, "resampled_share"), "value"] = 0.0
    return f"{DAPO}: samples is"


def part_of_a_group(part):
    part.history.loc[curve(part, DAPO, "resampled_share"), "value"] = 0.123456
    return f"{DAPO}: resampled_share is 0.123456 at update 1, no share of 8"


def no_shares_drawn_again(part):
    part.history = part.history[part.history["metric"] != "resampled_share"]
    return f"{DAPO}: resampled_share is recorded at 0 updates"


def right_and_undecided(part):
    rows = part.history[curve(part, SFT, "probe_accuracy")]
    rows = rows.assign(metric="probe_undecided", value=1.0)
    part.history = pd.concat([part.history, rows], ignore_index=True)
    return f"{SFT}: probe_undecided is 1.0 at update"


def none_undecided(part):
    rows = part.history[curve(part, GRPO, "loss")].assign(metric="undecided_share", value=0.0)
    part.history = pd.concat([part.history, rows], ignore_index=True)
    return f"{GRPO}: undecided_share is 0.0 at update 1"


# --- tokens and FLOPs ---------------------------------------------------------------------------------


def parts_of_tokens(part):
    scaled(part, SFT, "tokens", 1 / 64)
    return f"{SFT}: tokens is"


def fewer_tokens_than_samples(part):
    for cell in (SFT, OTHER_SEED):
        rows = curve(part, cell, "tokens")
        part.history.loc[rows, "value"] = part.history.loc[
            curve(part, cell, "samples"), "value"
        ].to_numpy()
    return f"{SFT}: tokens is 640.0 at update 20, below 2 a sample"


def other_tokens_a_pass(part):
    scaled(part, SFT, "tokens", 2)
    return "tokens a pass over its rows at update"


# Seeds may draw rows of their own; models of one family and seed share them.
other_tokens_a_pass.studies = {"scale": study("?", ["llava-w32", "llava-w64"], ["sft"])}


def tokens_without_completions(part):
    scaled(part, GRPO, "tokens", 0.5)
    return f"{GRPO}: tokens is"


def tokens_of_longer_prompts(part):
    scaled(part, GRPO, "tokens", 2)
    return "which has the same prompts"


def fewer_flops(part):
    scaled(part, GRPO, "flops", 1 / 32)
    return "FLOPs a token"


def hardly_any_flops(part):
    for cell in part.manifests.loc[part.manifests["kind"] != "none", "cell"]:
        scaled(part, cell, "flops", 1 / 1024)
    return f"{SFT}: flops is"


# --- the study's terms ----------------------------------------------------------------------------------


def tiers_swapped(part):
    """Weak and strong exchanged everywhere, the config included."""
    for models in (part.study["config"]["models"], part.study["models"]):
        for name, model in models.items():
            model["tier"] = "strong" if name.endswith("w32") else "weak"
    for name in ("scores", "history", "manifests"):
        frame = getattr(part, name)
        frame["tier"] = frame["tier"].replace({"weak": "strong", "strong": "weak"})
    part.study["config_hash"] = sha256_text(canonical_json(part.study["config"]))
    return "llava-w32: strong, of width 32, but llava-w64 of the same family weak"


def fail(part, cell):
    """Let a cell have failed."""
    for name in ("scores", "history", "predictions"):
        setattr(part, name, getattr(part, name)[~part.rows(name, cell)])
    row = part.rows("manifests", cell)
    part.manifests["manifest"] = part.manifests["manifest"].astype(object)
    for name in (
        "spec_hash", "rows_hash", "samples", "updates", "tokens", "flops", "seconds",
        "peak_memory_mb", "manifest",
    ):  # fmt: skip
        part.manifests.loc[row, name] = None
    part.manifests.loc[row, ["status", "error"]] = "failed", "out of memory"


def jobs_after_a_failure(part):
    fail(part, DAPO)
    part.study["costs"]["evaluate"]["measured_jobs"] = 10**6
    return "study.json.costs.evaluate.measured_jobs: stored as 1000000"


def hours_after_a_failure(part):
    fail(part, DAPO)
    part.study["costs"]["train"]["measured_hours"] = 0.001
    return "study.json.costs.train.measured_hours: stored as 0.001"


def estimates_after_a_failure(part):
    fail(part, DAPO)
    part.study["costs"]["train"]["estimated_hours"] = 1e9
    return "study.json.costs.train.estimated_hours: stored as 1000000000.0"


def sampled_by_half(part):
    part.study["costs"]["sample_shard"] = {
        "measured_jobs": 0.5, "estimated_hours": None, "measured_hours": 0,
    }  # fmt: skip
    return "study.json.costs.sample_shard.measured_jobs"


def undecided_traces(part):
    part.study["traces"][LLAVA]["undecided"] = 10**9
    return f"study.json.traces.{LLAVA}.undecided"


def too_many_tokens_of_traces(part):
    part.study["traces"][LLAVA]["tokens"] = 10**9
    return f"study.json.traces.{LLAVA}.tokens"


def content_in_words(part):
    part.study["traces"][LLAVA]["content_hash"] = {"reviewed": "endorsed by everybody"}
    return f"study.json.traces.{LLAVA}.content_hash is"


def given_traces_lost(part):
    part.study["traces"]["llava/foreign"] |= {"kept": 1, "yield": 1 / 2400}
    return "study.json.traces.llava/foreign.kept: stored as 1, derived as 2400"


def no_report(part):
    del part.study["traces"]["llava/foreign"]
    return "study.json.traces.llava/foreign: missing"


# --- manifests ------------------------------------------------------------------------------------------


def in_the_future(part):
    part.edit_manifest(SFT, lambda record: record["train"].update(started="9999-01-01T00:00+00:00"))
    return f"{SFT}: train.started is 9999"


def long_ago(part):
    part.edit_manifest(
        SFT, lambda record: record["evaluate"].update(started="2001-01-01T00:00+00:00")
    )
    return f"{SFT}: evaluate.started is 2001"


def set_of_train(**fields):
    def change(record):
        record["train"].update(**fields)

    return change


def no_layout(part):
    part.edit_manifest(SFT, set_of_train(layout={}))
    return f"{SFT}: layout.device: missing"


def batch_in_words(part):
    part.edit_manifest(SFT, lambda record: record["train"]["layout"].update(micro_batch="endorsed"))
    return f"{SFT}: layout.micro_batch is 'endorsed'"


def one_process_or_true(part):
    part.edit_manifest(SFT, lambda record: record["train"]["layout"].update(processes=True))
    return f"{SFT}: layout.processes is True, derived as 1"


def halved_and_whole(part):
    part.edit_manifest(SFT, set_of_train(micro_batch_halved=True))
    return f"{SFT}: layout.micro_batch is None, no part of"


def commit_in_words(part):
    part.edit_manifest(SFT, set_of_train(code_commit="verified by everybody"))
    return f"{SFT}: train.code_commit is 'verified by everybody'"


def nothing_installed(part):
    part.edit_manifest(SFT, set_of_train(versions={}))
    return f"{SFT}: train.versions is {{}}"


def no_machine(part):
    part.edit_manifest(SFT, set_of_train(hardware={}))
    return f"{SFT}: train.hardware.machine: missing"


def another_formula(part):
    part.edit_manifest(SFT, set_of_train(flops_formula="1 = 1"))
    return f"{SFT}: train.flops_formula is '1 = 1'"


def newer_formula(part):
    part.edit_manifest(SFT, set_of_train(flops_formula="reassess-9"))
    return "FLOPs were counted by 2 formulas"


def no_threads(part):
    part.edit_manifest(SFT, set_of_train(threads=0))
    return f"{SFT}: train.threads is 0"


def plugin(part):
    source = {"name": "sft", "origin": "mine/sft.py", "sha256": NONE, "files": 1}
    part.edit_manifest(SFT, set_of_train(plugin=source))
    return f"{SFT}: train.plugin is"


def plugins(part):
    source = {"name": "best", "origin": "mine/best.py", "sha256": NONE, "files": 1}
    part.edit_manifest(SFT, set_of_train(plugins_loaded=[source]))
    return f"{SFT}: train.plugins_loaded has"


PLANTED = [
    no_losses, no_gradients_of_a_copy, gradients_of_nothing, nothing_to_learn, times_of_another,
    entropy_below_zero, no_entropy, loss_below_zero, nothing_drawn_again, part_of_a_group,
    no_shares_drawn_again, right_and_undecided, none_undecided, parts_of_tokens,
    fewer_tokens_than_samples, other_tokens_a_pass, tokens_without_completions, hardly_any_flops,
    tiers_swapped, jobs_after_a_failure, hours_after_a_failure, estimates_after_a_failure,
    sampled_by_half, undecided_traces,
    too_many_tokens_of_traces, content_in_words, given_traces_lost, no_report, in_the_future, long_ago,
    no_layout, batch_in_words, one_process_or_true, halved_and_whole, commit_in_words,
    nothing_installed, no_machine, another_formula, no_threads, plugin, plugins,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_and_named(plant, tmp_path, monkeypatch):
    require_named(plant, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "plant", [tokens_of_longer_prompts, fewer_flops, newer_formula],
    ids=lambda plant: plant.__name__,
)  # fmt: skip
def test_what_unusual_rows_could_have_is_a_note(plant, tmp_path):
    part = Part()
    named = plant(part)
    report = verify_contents(part.write(tmp_path))
    assert any(named in note for note in report.notes), report.notes


# --- what versions after the first record ---------------------------------------------------------------

NEW, SECOND = (f"llava-w32/same-family/12/sft/seed{seed}" for seed in (1, 2))
CONTINUED = "llava-w32/same-family/12/sft-grpo/seed1"


class Fresh(Part):
    """A bundle of this version, which can be changed and written."""

    def __init__(self, folder):
        for name in TABLES:
            frame = pd.read_parquet(folder / f"{name}.parquet")
            for column in frame.select_dtypes("category"):
                frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
            setattr(self, name, frame)
        self.study = read_json(folder / "study.json")

    def edit_all(self, change):
        for cell in self.manifests["cell"]:
            self.edit_manifest(cell, change)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The folder of a bundle that the real jobs made, at the smallest size."""
    methods = ("base", "random-choice", "sft", "grpo", "dapo", "sft-grpo")
    grid = tiny_grid(tmp_path_factory.mktemp("grid"), methods=methods, seeds=[1, 2])
    steps.run_whole(grid)
    return grid.paths.bundle


def test_a_fresh_bundle_is_consistent(bundle, tmp_path):
    report = verify_contents(Fresh(bundle).write(tmp_path))
    assert (report.differences, report.unchecked) == ([], [])


def another_checkpoint_scored(part):
    part.edit_manifest(NEW, lambda record: record["evaluate"].update(checkpoint_hash=NONE))
    return f"{NEW}: scored with the checkpoint '{NONE}'"


def another_checkpoint_started_from(part):
    part.edit_manifest(NEW, set_of_train(start_checkpoint_hash=NONE))
    return f"{NEW}: the checkpoint of its base is '{NONE}'"


def another_checkpoint_continued(part):
    part.edit_manifest(CONTINUED, set_of_train(start_checkpoint_hash=NONE))
    return f"{CONTINUED}: start_checkpoint_hash is"


def another_spec_continued(part):
    part.edit_manifest(CONTINUED, lambda record: record["train"]["spec"].update(start=NONE))
    return f"{CONTINUED}: continues spec '{NONE}', but {NEW} has"


def another_file(part):
    def change(record):
        record["train"]["checkpoint_files"]["config.json"] = NONE

    part.edit_manifest(NEW, change)
    return f"{NEW}: checkpoint_hash is"


def other_weights_in_files(part):
    """All hashes of the checkpoint are those of the files, but not that of the weights."""

    def change(record):
        train, evaluate = record["train"], record["evaluate"]
        train["checkpoint_files"]["model.safetensors"] = NONE
        train["checkpoint_hash"] = evaluate["checkpoint_hash"] = hash_of_files(
            train["checkpoint_files"]
        )

    part.edit_manifest(SECOND, change)
    return f"{SECOND}: weights_hash is"


def no_checkpoints(part):
    def change(record):
        for one in record.values():
            for name in ("checkpoint_hash", "start_checkpoint_hash", "checkpoint_files"):
                one.pop(name, None)

    part.edit_all(change)
    return f"{NEW}: train.checkpoint_files: missing, though numerics is there"


def no_weights(part):
    for cell in ("llava-w32/base/seed1", "llava-w32/random-choice/seed1"):
        part.edit_manifest(cell, lambda record: record["evaluate"].update(weights_hash=None))
    return "llava-w32/base/seed1: evaluate.weights_hash is null"


def view_in_words(part):
    part.edit_manifest(NEW, set_of_train(view="sees everything"))
    return f"{NEW}: train.view is 'sees everything'"


def no_views(part):
    def change(record):
        for name in ("view", "opened"):
            record["train"].pop(name, None)

    part.edit_all(change)
    return f"{NEW}: train.view: missing, though numerics is there"


def one_field_less(part):
    """Nothing in the one manifest says that it is new."""

    def change(record):
        for name in ("checkpoint_hash", "predictions_hash"):
            record["evaluate"].pop(name)

    part.edit_all(lambda record: record["evaluate"]["hardware"].pop("kernels", None))
    part.edit_all(lambda record: record["evaluate"].pop("environment"))
    part.edit_manifest(NEW, change)
    return f"{NEW}: evaluate.predictions_hash: missing, but llava-w32/base/seed1"


def traces_of_another_hand(part):
    part.study["traces"][LLAVA]["content_hash"] = NONE
    return f"study.json.traces.{LLAVA}.content_hash: stored as"


def another_mode_than_the_spec(part):
    part.edit_manifest(NEW, lambda record: record["train"]["numerics"].update(mode="fast"))
    return f"{NEW}: train.numerics.mode: 'fast', though its spec states 'portable'"


def an_operation_of_another_machine(part):
    """Without the hash of all operations."""

    def change(record):
        record["evaluate"]["numerics"]["fingerprint"]["operations"]["exp"] = "0" * 12

    part.edit_manifest(NEW, change)
    return f"{NEW}: evaluate.numerics.fingerprint is"


def another_base_made(part):
    part.study["made"]["bases"]["llava-w32"] = NONE
    return "study.json.made.bases.llava-w32: "


def fewer_rows_than_a_cell_has(part):
    part.study["pool"]["train"]["items"] = 3
    return "study.json.pool.train.items: 3, but a cell trained on 12"


OF_THIS_VERSION = [
    fewer_rows_than_a_cell_has,
    another_checkpoint_scored, another_checkpoint_started_from, another_checkpoint_continued,
    another_spec_continued, another_file, other_weights_in_files, no_checkpoints, no_weights, view_in_words, no_views,
    one_field_less, traces_of_another_hand, another_mode_than_the_spec,
    an_operation_of_another_machine, another_base_made,
]  # fmt: skip


@pytest.mark.parametrize("plant", OF_THIS_VERSION, ids=lambda plant: plant.__name__)
def test_what_is_planted_in_a_fresh_bundle_is_found(plant, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("reassess.verify.report.LISTED", 10_000)
    part = Fresh(bundle)
    named = plant(part)
    differences = found(part, tmp_path)
    assert any(named in one for one in differences), differences[:20]


# --- notes ------------------------------------------------------------------------------------------------


def notes(part, tmp_path):
    report = verify_contents(part.write(tmp_path))
    assert (report.differences, report.unchecked) == ([], [])
    return "\n".join(report.notes)


def test_manifests_of_an_earlier_version_are_a_note(tmp_path):
    def as_earlier(record):
        for manifest in filter(None, record.values()):
            for name in AFTER_KERNELS & set(manifest):
                del manifest[name]

    part = Part()
    for cell in part.manifests["cell"]:
        part.edit_manifest(cell, as_earlier)
    assert "evaluate.numerics (" in notes(part, tmp_path)


def test_a_config_that_is_not_the_shipped_one_of_its_name_is_a_note(tmp_path):
    said = notes(Part(), tmp_path)
    assert "the config of micro is not the one that this version ships" in said
    assert "studies.capacity" in said


def test_a_few_values_that_are_not_finite_are_a_note(tmp_path):
    part = Part()
    part.history = part.history[~(curve(part, GRPO, "loss") & (part.history["step"] < 9))]
    assert "histories lack values, as where one is not finite: 8 of loss" in notes(part, tmp_path)


def test_a_cell_that_was_trained_again_after_it_was_scored_is_a_note(tmp_path):
    def again(record):
        began = datetime.fromisoformat(record["train"]["started"])
        record["evaluate"]["started"] = (began - timedelta(days=1)).isoformat()

    part = Part()
    part.edit_manifest(SFT, again)
    assert f"1 cells were scored before their training ended ({SFT})" in notes(part, tmp_path)


def merged_with(part, change):
    terms = {name: part.study[name] for name in ("grid", "config_hash", "config")}
    other = copy.deepcopy(terms)
    change(other)
    other["config_hash"] = sha256_text(canonical_json(other["config"]))
    del part.study["costs"]
    part.study["merged"] = [terms, other]
    return part


def test_a_config_that_stands_twice_is_a_note(tmp_path):
    said = notes(merged_with(Part(), lambda other: None), tmp_path)
    assert "config 2 of 2 (micro) is one of the others again" in said


def test_a_config_without_a_result_of_its_own_is_a_note(tmp_path):
    def change(other):
        other["grid"] = other["config"]["grid"] = "replication"

    said = notes(merged_with(Part(), change), tmp_path)
    assert "config 2 of 2 (replication) has no result of its own" in said


def test_costs_beside_a_failure_may_have_counted_it(tmp_path):
    part = Part({"scale": study("How much?", ["llava-w32"], ["base", "sft"], seeds=(1, 2))})
    fail(part, OTHER_SEED)
    assert "1 cells have no results" in notes(part, tmp_path)


# --- what the checks rest on ------------------------------------------------------------------------------


def test_hashes_of_checkpoints_are_those_that_jobs_record(tmp_path):
    for name in ("config.json", "b.safetensors", "a.safetensors"):
        (tmp_path / name).write_text(name)
    described = checkpoints.describe(tmp_path)
    files = {name: sha256_text(name) for name in sorted(described["checkpoint_files"])}
    assert described["checkpoint_files"] == files
    weights = [files["a.safetensors"], files["b.safetensors"]]
    assert described["weights_hash"] == sha256_text("".join(weights)) == hash_of_weights(files)
    assert described["checkpoint_hash"] == sha256_text(canonical_json(files))


def test_rollouts_are_recorded_once_a_batch():
    settings = RlSettings(
        max_steps=4, prompts_per_step=2, minibatch_prompts=1, num_generations=2, probe_every=2
    )
    recorded = {name: [0, 2, 4] for name in (*TOTALS, *PROBE)}
    recorded |= {name: [1, 2, 3, 4] for name in (*LOGGED, ENTROPY)}
    recorded |= {name: [1, 3] for name in LOGGED_BY_RL}
    curves = {name: pd.Series(0.5, index=updates) for name, updates in recorded.items()}
    cell = Cell("qwen2-vl-2b", "same-family", 4, "grpo", 1)
    assert list(_steps(cell, settings, curves, Counter())) == []
    curves["reward"] = curves["loss"]
    assert len(list(_steps(cell, settings, curves, Counter()))) == 1


def test_of_a_huge_value_no_more_is_read_than_is_shown():
    read = []

    class Entry:
        def __repr__(self):
            read.append(1)
            return "entry"

    assert len(shown([[Entry()] * 10**4] * 10**3)) < 150
    assert len(shown({str(number): Entry() for number in range(10**4)})) < 150
    assert len(read) < 10**4
    assert len(shown("a" * 10**7)) < 150
    assert shown(["one", {"two": None}]) == "['one', {'two': None}]"


def test_the_cells_named_here_are_in_the_part():
    assert {BASE, SFT, GRPO, DAPO, COLD} <= set(Part().manifests["cell"])


def config_notes(part):
    grid = load_foreign(part.config | {"results": "/no", "scratch": "/no"}, REFERENCE)
    said = []
    assert not [*_tiers([grid], said)]
    return [*said, *_misnamed(part.config)]


def test_a_weak_model_that_is_larger_than_a_strong_one_is_a_note():
    part = Part()
    assert not config_notes(part)
    models = part.config["models"]
    part.config["models"] = {
        "llava-w64": models["llava-w64"] | {"tier": "weak"},
        "qwen3vl-w32": models["qwen3vl-w32"] | {"tier": "strong"},
    }
    part.config |= {
        "studies": {"one": study("?", ["llava-w64", "qwen3vl-w32"], ["base"])},
        "teachers": {"llava": "llava-w64", "qwen3-vl": "qwen3vl-w32"},
    }
    named = "llava-w64 is called weak and qwen3vl-w32 strong, though llava-w64 is no smaller"
    assert named in config_notes(part)


def test_public_models_have_sizes_and_splits_have_limits():
    world = world_of(Grid.load(ROOT / "config/stand-in.yaml"))
    world.config.distributions["mmmu"] = world.config.distributions["same-family"]
    assert world.most_items("mmmu") == 6
    sizes = [world.model_size(f"qwen{name}") for name in ("2-vl-2b", "2.5-vl-7b", "2.5-vl-32b")]
    assert sizes == sorted(sizes)
    assert [world.most_items(split) for split in ("train", "probe", "mathvista", "foreign")] == [
        120, 8, 6, None,
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "source"), [("same-family", "rendered"), ("foreign", "teacher")])
def test_traces_that_are_not_what_their_name_says_are_a_note(name, source):
    part = Part()
    assert not [*_misnamed(part.config)]
    part.config["distributions"][name]["source"] = source
    (note,) = _misnamed(part.config)
    assert note.startswith(f"traces called {name} are ")


@pytest.mark.parametrize(("name", "noted"), [("same-family", True), ("foreign", False)])
def test_a_teacher_of_another_family_is_foreign(name, noted):
    part = Part()
    part.config["distributions"][name] |= {"source": "teacher", "teacher": "llava-w64"}
    assert bool([*_misnamed(part.config)]) == noted


def test_more_items_than_the_config_has_are_found(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(MicroWorld, "most_items", lambda self, split: 1)
    differences = found(Fresh(bundle), tmp_path)
    assert any(
        one.startswith("study.json.pool.iid.items: ") and one.endswith("has 1 at most")
        for one in differences
    ), differences
