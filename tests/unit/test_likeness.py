"""The last line of a run: how far it is the reference of its name, bit by bit, or where it parts."""

import copy
from types import SimpleNamespace

import pytest

from reassess.bundles.likeness import Outcome, compared, likeness
from reassess.bundles.made import made
from reassess.core.files import write_json
from reassess.grid.study import Grid
from reassess.verify.made import check_made

BASE, SFT = "llava-w32/base/seed1", "llava-w32/same-family/20/sft/seed1"
TINY_SFT = "llava-w32/same-family/12/sft/seed1"  # of a tiny grid
PRINT = {"version": 1, "hash": "h", "operations": {"exp": "1", "matmul": "2"}}


def outcome():
    """An outcome of two cells, every hash of which is its own name."""
    train = {"rows_hash": "rows", "weights_hash": "sft", "numerics": {"fingerprint": PRINT}}
    cells = {
        BASE: {"train": {}, "evaluate": {"spec_hash": "s", "predictions_hash": "base"}},
        SFT: {"train": train, "evaluate": {"spec_hash": "s", "predictions_hash": "sft"}},
    }
    study = {
        "pool": {"train": {"items": 3, "hash": "pool"}},
        "made": {
            "tokenizers": {"llava-w32": "tokenizer"},
            "bases": {"llava-w32": "base"},
            "teachers": {"llava": "teacher"},
        },
        "traces": {"llava/same-family": {"content_hash": "traces"}},
    }
    return Outcome(study, cells)


STUDY = {**outcome().study, "config": {"numerics": "portable"}}


def line(change=lambda ours: None, cells=()):
    ours, reference = outcome(), outcome()
    change(ours)
    return compared(ours, reference, "results/reference/micro")


def test_all_cells_are_identical():
    assert line() == "2 of 2 cells identical to the reference (results/reference/micro)"


def changed(*path):
    """Return a change of one hash, and of the cell's weights and answers that follow from it."""

    def change(ours):
        place = {"study": ours.study, "cells": ours.cells}
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = "other"
        ours.cells[SFT]["train"]["weights_hash"] = "other"
        ours.cells[SFT]["evaluate"]["predictions_hash"] = "other"

    return change


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("pool (train)", ("study", "pool", "train")),
        ("tokenizer (llava-w32)", ("study", "made", "tokenizers", "llava-w32")),
        ("base (llava-w32)", ("study", "made", "bases", "llava-w32")),
        ("teacher (llava)", ("study", "made", "teachers", "llava")),
        ("traces (llava/same-family)", ("study", "traces", "llava/same-family", "content_hash")),
        (f"rows ({SFT})", ("cells", SFT, "train", "rows_hash")),
        (f"weights ({SFT})", ("cells", SFT, "train", "weights_hash")),
    ],
)
def test_the_first_stage_that_differs_is_named(stage, path):
    found = line(changed(*path))
    assert found.startswith("1 of 2 cells identical") and found.endswith(f"differs: {stage}")


def test_scores_alone_and_the_operations_that_may_be_why():
    def change(ours):
        ours.cells[SFT]["evaluate"]["predictions_hash"] = "other"
        fingerprint = copy.deepcopy(PRINT)
        fingerprint["operations"]["exp"] = "3"
        ours.cells[SFT]["train"]["numerics"] = {"fingerprint": fingerprint}

    found = line(change)
    assert f"differs: scores ({SFT})" in found and found.endswith("differently here: exp")


def test_cells_that_the_reference_lacks_or_that_have_another_spec_are_counted():
    def further(ours):
        ours.cells["new"] = copy.deepcopy(ours.cells[SFT])

    assert line(further).startswith("2 of 3") and "new not in it" in line(further)

    def respecified(ours):
        ours.cells[SFT]["evaluate"]["spec_hash"] = "t"

    assert line(respecified).startswith("1 of 2")
    assert f"another config: {SFT}" in line(respecified)


def test_a_cell_of_another_config_does_not_hide_what_differs_of_the_others():
    def change(ours):
        changed("cells", SFT, "train", "weights_hash")(ours)
        ours.cells[BASE]["evaluate"]["spec_hash"] = "t"

    found = line(change)
    assert found.startswith("0 of 2") and f"another config: {BASE};" in found
    assert found.endswith(f"the first stage that differs: weights ({SFT})")


def test_only_stages_of_cells_with_the_same_config_are_said_to_differ():
    def change(ours):
        ours.cells[SFT]["train"]["rows_hash"] = "other"
        ours.cells[SFT]["evaluate"]["spec_hash"] = "t"
        ours.cells[BASE]["evaluate"]["predictions_hash"] = "other"

    assert line(change).endswith(f"the first stage that differs: scores ({BASE})")


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def grid(tmp_path):
    from tiny import tiny_config

    (tmp_path / "here").mkdir()
    path = tiny_config(tmp_path / "here", results=str(tmp_path / "results"))
    return Grid.load(path)


EMPTY = '{"train": {}, "evaluate": {}}'


def leave_bundle(folder, study, manifests=(EMPTY, EMPTY)):
    """Write what is compared of a bundle; a cell without manifest has failed."""
    import pandas as pd

    write_json(folder / "study.json", study)
    states = ["failed" if manifest is None else "done" for manifest in manifests]
    cells = {"cell": [BASE, TINY_SFT], "status": states, "manifest": list(manifests)}
    pd.DataFrame(cells).to_parquet(folder / "manifests.parquet")


def test_what_is_not_comparable_is_said_and_nothing_without_a_reference(grid, tmp_path):
    references = tmp_path / "reference"
    study = dict(STUDY)
    grid.paths.bundle.mkdir(parents=True)
    leave_bundle(grid.paths.bundle, study)
    assert likeness(grid, references) is None
    bundle = references / "tiny" / "bundle"
    bundle.mkdir(parents=True)
    assert "cannot be read" in likeness(grid, references)
    leave_bundle(bundle, {**study, "config": {}})
    assert "portable" in likeness(grid, references)
    leave_bundle(bundle, study)
    assert likeness(grid, references).startswith("2 of 2 cells identical")
    del study["made"]
    leave_bundle(bundle, study)
    assert "earlier version" in likeness(grid, references)


@pytest.fixture
def references(grid, tmp_path):
    """The folder of references, with one of the grid's name; both bundles are of two cells."""
    for bundle in (grid.paths.bundle, tmp_path / "reference" / "tiny" / "bundle"):
        bundle.mkdir(parents=True)
        leave_bundle(bundle, STUDY)
    return tmp_path / "reference"


def test_all_cells_of_the_grid_count_whether_or_not_they_have_finished(grid, references):
    assert likeness(grid, references).startswith("2 of 2 cells identical")
    leave_bundle(grid.paths.bundle, STUDY, [EMPTY, None])
    found = likeness(grid, references)
    assert found.startswith("1 of 2 cells identical")
    assert found.endswith(f"; 1 failed or have not run: {TINY_SFT}")


@pytest.mark.parametrize(
    "damage",
    [
        {**STUDY, "made": None},
        {name: value for name, value in STUDY.items() if name != "config"},
        {**STUDY, "config": None},
        {**STUDY, "pool": [1]},
        {**STUDY, "traces": None},
        [1],
    ],
)
def test_a_damaged_reference_is_not_compared(grid, references, damage):
    leave_bundle(references / "tiny" / "bundle", damage)
    assert "not compared" in likeness(grid, references)
    assert "cannot be read" in likeness(grid, references)


@pytest.mark.parametrize("manifest", ["null", "{", '{"train": null, "evaluate": {}}'])
def test_a_reference_with_damaged_manifests_is_not_compared(grid, references, manifest):
    leave_bundle(references / "tiny" / "bundle", STUDY, [EMPTY, manifest])
    assert "cannot be read" in likeness(grid, references)


def test_only_what_is_of_the_present_spec_was_made(grid):
    for spec, expected in (("old", {}), (grid.specs.base_hash("llava-w32"), {"llava-w32": "w"})):
        manifest = {"spec_hash": spec, "weights_hash": "w", "checkpoint_files": {}}
        write_json(grid.paths.base_manifest("llava-w32"), manifest)
        assert made(grid) == {"tokenizers": {}, "bases": expected, "teachers": {}}


# --- contents -------------------------------------------------------------------------------------


def differences(grid, **changes):
    hashes = {"tokenizers": {}, "bases": {"llava-w32": "a" * 64}, "teachers": {}, **changes}
    cells = [grid.cells[name] for name in grid.cells]
    records = {
        cell.id: {"train": {"start_weights_hash": "a" * 64}, "evaluate": {}} for cell in cells
    }
    bundle = SimpleNamespace(study={"made": hashes})
    scored = [(grid, cell) for cell in cells]
    stored = SimpleNamespace(bundle=bundle, grids=[grid], records=records, scored=lambda: scored)
    return list(check_made(stored))


def test_hashes_of_bases_are_those_that_cells_started_from(grid):
    assert differences(grid) == []
    (first, *_) = differences(grid, bases={"llava-w32": "b" * 64})
    assert "made.bases.llava-w32" in first and "started from" in first
    assert "teachers.x: nothing" in differences(grid, teachers={"x": "a" * 64})[0]
    assert "no SHA-256" in differences(grid, teachers={"llava": "short"})[0]
