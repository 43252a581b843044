"""A whole grid with two bases a model and rows that seeds draw, through the real rules."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from reference import TABLES, Part
from tiny import tiny_config

from reassess.bundles.archive import pack
from reassess.core.files import read_json, read_parquet
from reassess.grid.study import Grid
from reassess.verify import verify_contents

pytestmark = pytest.mark.slow
BASES = ("llava-w32", "llava-w32@2")
FIRST, SECOND = (f"llava-w32/same-family/12/sft/seed{seed}" for seed in (1, 2))
OTHER_ARM = SECOND.replace("sft", "grpo")
NONE = "0" * 64


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A grid that one command has made, and what the command printed."""
    folder = tmp_path_factory.mktemp("replicates")
    tiny_config(
        folder,
        methods=["base", "sft", "grpo"],
        seeds=[1, 2],
        world={"bases": 2, "main_items": 8},
        row_draws=True,
    )
    return folder, run(folder)


def run(folder):
    command = [sys.executable, "-m", "reassess.cli.entry", "run", "--config", "tiny.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def manifest(folder, grid, cell):
    return read_json(folder / grid.paths.train_manifest(cell))


def test_runs_start_from_their_bases_and_train_on_their_rows(finished):
    folder, printed = finished
    assert "6 of 6 done" in printed  # 4 trained cells, and `base` for each of two bases
    grid = Grid.load(folder / "tiny.yaml")
    of_base = {name: read_json(folder / grid.paths.base_manifest(name)) for name in BASES}
    weights = [of_base[name]["weights_hash"] for name in BASES]
    assert weights[0] != weights[1]
    assert [one["totals"]["stage1"]["samples"] for one in of_base.values()] == [96, 96]
    trained = [manifest(folder, grid, cell) for cell in (FIRST, SECOND)]
    assert [one["start_weights_hash"] for one in trained] == weights
    assert trained[0]["row_ids_hash"] != trained[1]["row_ids_hash"]
    assert manifest(folder, grid, OTHER_ARM)["rows_hash"] == trained[1]["rows_hash"]
    for seed, hashed in zip((1, 2), weights, strict=True):
        scored = read_json(folder / grid.paths.scores(f"llava-w32/base/seed{seed}"))
        assert scored["manifest"]["weights_hash"] == hashed


def test_a_finished_grid_has_nothing_to_do(finished):
    folder, _ = finished
    assert "everything is up to date" in run(folder)


@pytest.fixture(scope="module")
def packed(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "bundle"
    pack(finished[0] / "results/tiny/bundle", folder)
    return folder / "bundle"


def test_its_bundle_is_consistent(packed):
    report = verify_contents(packed.parent)
    assert (report.differences, report.unchecked) == ([], [])


class Fresh(Part):
    """The bundle, which can be changed and written."""

    def __init__(self, folder):
        for name in TABLES:
            frame = read_parquet(folder / f"{name}.parquet")
            for column in frame.select_dtypes("category"):
                frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
            setattr(self, name, pd.DataFrame(frame))
        self.study = read_json(folder / "study.json")

    def of(self, cell):
        place = self.manifests.index[self.rows("manifests", cell)][0]
        return json.loads(self.manifests.loc[place, "manifest"])

    def set(self, cell, part, **fields):
        self.edit_manifest(cell, lambda record: record[part].update(fields))
        if "rows_hash" in fields:
            rows = self.rows("manifests", cell)
            self.manifests.loc[rows, "rows_hash"] = fields["rows_hash"]


def one_base_for_two(part):
    """The second base of the model is the first one under another name."""
    first = part.of("llava-w32/base/seed1")["evaluate"]["weights_hash"]
    part.set("llava-w32/base/seed2", "evaluate", weights_hash=first)
    for cell in (SECOND, OTHER_ARM):
        part.set(cell, "train", start_weights_hash=first)
    return "weights_hash of its base llava-w32@2 is that of llava-w32, another replicate"


def another_base(part):
    first = part.of(FIRST)["train"]["start_weights_hash"]
    part.set(SECOND, "train", start_weights_hash=first)
    return "both are llava-w32@2"


def rows_of_another_seed(part):
    first = part.of(FIRST)["train"]
    for cell in (SECOND, OTHER_ARM):
        part.set(cell, "train", **{name: first[name] for name in ("rows_hash", "row_ids_hash")})
    return f"{SECOND}: row_ids_hash is that of {OTHER_ARM.replace('seed2', 'seed1')}, though"


def other_rows_in_one_arm(part):
    part.set(SECOND, "train", row_ids_hash=NONE)
    return f"{SECOND}: row_ids_hash is '{NONE}', of {OTHER_ARM}"


def no_word_of_bases(part):
    del part.study["bases"]
    return "study.json.bases: missing; derived as 2"


def metric(part, cell, **places):
    rows = part.history["cell"].eq(cell) & part.history["metric"].eq("probe_sampled_accuracy")
    for name, value in places.items():
        rows &= part.history[name].eq(value)
    assert rows.any()
    return rows


def no_samples_in_one_cell(part):
    part.history = part.history[~metric(part, SECOND)].reset_index(drop=True)
    return f"{SECOND}: its history lacks probe_sampled_accuracy"


def no_samples_at_all(part):
    every = part.history["metric"].eq("probe_sampled_accuracy")
    part.history = part.history[~every].reset_index(drop=True)
    return f"{FIRST}: its history lacks probe_sampled_accuracy, though its manifest has claims"


def no_share_of_samples(part):
    part.history.loc[metric(part, SECOND, step=3), "value"] = 0.6
    return f"{SECOND}: probe_sampled_accuracy is 0.6 at update 3, no share of 4 samples"


def samples_of_other_weights(part):
    rows = metric(part, OTHER_ARM, step=0)
    part.history.loc[rows, "value"] = 1 - part.history.loc[rows, "value"]
    return "probe_sampled_accuracy is"


def a_sample_between(part):
    row = part.history[metric(part, SECOND, step=3)].assign(step=4)
    part.history = pd.concat([part.history, row], ignore_index=True)
    part.history = part.history.sort_values(["cell", "metric", "step"]).reset_index(drop=True)
    return f"{SECOND}: probe_sampled_accuracy is recorded at 4 updates, due 3 (see 4)"


PLANTS = [
    one_base_for_two,
    another_base,
    rows_of_another_seed,
    other_rows_in_one_arm,
    no_word_of_bases,
    no_samples_in_one_cell,
    no_samples_at_all,
    no_share_of_samples,
    samples_of_other_weights,
    a_sample_between,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found(plant, packed, tmp_path, monkeypatch):
    monkeypatch.setattr("reassess.verify.report.LISTED", 10_000)
    part = Fresh(packed)
    named = plant(part)
    differences = verify_contents(part.write(tmp_path)).differences
    assert any(named in one for one in differences), differences[:20]
