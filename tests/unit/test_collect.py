"""Only results of the grid's present specs are collected, and what is left out is named."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
import steps
from synthetic import grid_in, write_cell
from tiny import tiny_grid

from reassess.analysis.bundle import Bundle
from reassess.analysis.tables import cells_table
from reassess.bundles import current
from reassess.bundles.collect import CONTENT, require_identical_rows
from reassess.bundles.merge import study_of_both
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, read_parquet, sha256_file, write_json, write_parquet
from reassess.data.pool import GOLDS, content_hashes, golds_hash, hashes_of, read_pool
from reassess.evaluation.judge import VERSION, prompt_hash
from reassess.figures import draw_figures
from reassess.grid.study import Grid
from reassess.workflow import jobs
from reassess.worlds.micro.item import MicroItem

SFT = "llava-w32/same-family/20/sft/seed1"
GRPO = "llava-w32/same-family/20/grpo/seed1"
BASE = "llava-w32/base/seed1"
TRACES = "traces/llava/same-family.json"


@pytest.fixture
def grid(tmp_path):
    """A grid of three cells, finished."""
    made = grid_in(tmp_path, "config/smoke.yaml")
    for cell in made.cells.values():
        write_cell(made, cell, 0.5, items=5)
    return made


def edit(path, **fields):
    """Change fields of a JSON file; None removes one."""
    content = {**read_json(path), **fields}
    write_json(path, {name: value for name, value in content.items() if value is not None})


def edit_manifest(path, **fields):
    edit(path, manifest={**read_json(path)["manifest"], **fields})


def with_settings(grid, arm, **settings):
    """The same files under changed settings of an arm."""
    methods = {**grid.config.methods, arm: {**grid.config.methods[arm], **settings}}
    return Grid(grid.config.model_copy(update={"methods": methods}))


def left_out(grid, *cells):
    """Collect what is current; each of `cells` must be a named gap. Return their errors.

    Without `partial` all of them are named by one error.
    """
    with pytest.raises(ReassessError) as raised:
        steps.collect(grid)
    assert all(cell in str(raised.value) for cell in cells)
    assert not any(cell in str(raised.value) for cell in {*grid.cells} - {*cells})
    steps.collect(grid, partial=True)
    bundle = Bundle.load(grid.paths.bundle)
    assert set(bundle.failed["cell"]) == set(cells)
    assert set(bundle.scored["cell"]) == {*grid.cells} - {*cells}
    for table in ("scores", "history", "predictions"):
        rows = read_parquet(grid.paths.bundle / f"{table}.parquet")
        assert not {*rows["cell"].astype(str)} & {*cells}
    gaps = bundle.failed.set_index("cell")
    assert gaps["spec_hash"].isna().all() and gaps["manifest"].isna().all()
    shown = cells_table(bundle).set_index("cell")
    assert {shown.loc[cell, "status"] for cell in cells} == {"failed"}
    wanted = jobs.Collect(grid).inputs(jobs.Collect.key(True))
    assert all(grid.paths.scores(cell) not in wanted for cell in cells)
    return gaps["error"].to_dict()


def test_a_change_of_settings_makes_no_old_result_a_new_one(grid):
    changed = with_settings(grid, "sft", learning_rate=0.5)
    errors = left_out(changed, SFT)
    assert "trained under another spec" in errors[SFT]
    assert changed.specs.train_hash(changed.cell(SFT))[:12] in errors[SFT]
    assert grid.specs.train_hash(grid.cell(SFT))[:12] in errors[SFT]
    draw_figures(changed.paths.bundle, changed.paths.results / "figures", ["capacity"])


def test_a_change_of_the_protocol_leaves_everything_out(grid):
    evaluation = grid.config.evaluation.model_copy(update={"max_new_tokens": 7})
    changed = Grid(grid.config.model_copy(update={"evaluation": evaluation}))
    errors = left_out(changed, SFT, GRPO, BASE)
    assert all("scored under another spec" in error for error in errors.values())


def test_scores_of_an_older_training_are_stale(grid):
    edit(grid.paths.scores(SFT), spec_hash="0" * 64)
    assert "scored under another spec" in left_out(grid, SFT)[SFT]


@pytest.mark.parametrize("name", ["train.json", "history.parquet"])
def test_a_failed_retraining_is_a_named_gap(grid, name):
    """Before it trains again, Snakemake deletes what training wrote last; the old scores stay."""
    (grid.paths.cell(SFT) / name).unlink()
    write_json(grid.paths.failure(SFT), {"error": "OSError: no space"})
    error = left_out(grid, SFT)[SFT]
    assert name in error and "OSError: no space" in error


@pytest.mark.parametrize("name", ["scores.json", "predictions.parquet"])
def test_a_cell_without_scores_or_answers_is_a_named_gap(grid, name):
    (grid.paths.cell(SFT) / name).unlink()
    left_out(grid, SFT)


@pytest.mark.parametrize("name", ["weights_hash", "checkpoint_hash"])
def test_scores_of_other_weights_are_left_out(grid, name):
    edit(grid.paths.train_manifest(SFT), **{name: "trained"})
    edit_manifest(grid.paths.scores(SFT), **{name: "scored"})
    assert "other weights" in left_out(grid, SFT)[SFT]
    edit_manifest(grid.paths.scores(SFT), **{name: "trained"})
    steps.collect(grid)


def test_a_cell_that_started_elsewhere_is_left_out(tmp_path):
    grid = grid_in(tmp_path)
    cold = next(cell for cell in grid.cells.values() if cell.arm == "sft-grpo")
    start = grid.start(cold)
    study = grid.config.studies["capacity"]
    only = study.model_copy(
        update={"models": [cold.model], "methods": ["sft", "sft-grpo"], "sizes": [cold.size]}
    )
    grid = Grid(grid.config.model_copy(update={"studies": {"capacity": only}}))
    for cell in grid.cells.values():
        write_cell(grid, cell, 0.5, items=5)
    edit(grid.paths.train_manifest(start.id), weights_hash="new")
    edit(grid.paths.train_manifest(cold.id), start_weights_hash="old")
    assert f"its start ({start.id})" in left_out(grid, cold.id)[cold.id]
    edit(grid.paths.train_manifest(cold.id), start_weights_hash="new")
    steps.collect(grid)


def test_answers_that_were_not_scored_are_left_out(grid):
    path = grid.paths.predictions(SFT)
    edit_manifest(grid.paths.scores(SFT), predictions_hash=sha256_file(path))
    steps.collect(grid)
    answers = pd.read_parquet(path)
    write_parquet(path, answers.assign(correct=~answers["correct"]))
    with pytest.raises(ReassessError, match=SFT):
        steps.collect(grid)
    steps.collect(grid, partial=True)
    failed = Bundle.load(grid.paths.bundle).failed.set_index("cell")
    assert "predictions.parquet is not the file" in failed.loc[SFT, "error"]


@pytest.mark.parametrize("kind", ["traces", "rows"])
def test_stale_traces_and_rows_are_left_out_with_the_cells_trained_on_them(grid, kind):
    paths, specs = grid.paths, grid.specs
    path = getattr(paths, kind)("llava", "same-family").with_suffix(".json")
    report = {"kept": 3, "seconds": 1.0}
    write_json(path, report)  # of a version that recorded no spec
    steps.collect(grid)
    present = getattr(specs, f"{kind}_hash")("llava", "same-family")
    write_json(path, {**report, "spec_hash": present})
    steps.collect(grid)
    traces = {"llava/same-family": {"kept": 3, "spec_hash": present}} if kind == "traces" else {}
    assert read_json(paths.bundle / "study.json")["traces"] == traces
    write_json(path, {**report, "spec_hash": "0" * 64})
    errors = left_out(grid, SFT, GRPO)
    assert f"{kind}/llava/same-family.json" in errors[SFT]
    assert read_json(paths.bundle / "study.json")["traces"] == {}


# --- the judge --------------------------------------------------------------------------------


@pytest.fixture
def judged(grid):
    """The grid with a judge, whose verdicts are there."""
    evaluation = grid.config.evaluation.model_copy(update={"judge": "llava-w32"})
    made = Grid(grid.config.model_copy(update={"evaluation": evaluation}))
    for cell in made.cells.values():
        answers = read_parquet(made.paths.predictions(cell.id))
        verdicts = answers[["benchmark", "id", "correct"]].assign(reply="yes", judged=True)
        write_parquet(made.paths.judged(cell.id), verdicts)
        manifest = {"spec_hash": made.specs.evaluation_hash(cell)}
        report = {"judge": "llava-w32", "version": VERSION, "prompt_hash": prompt_hash()}
        write_json(made.paths.judged_scores(cell.id), {**report, "manifest": manifest})
    return made


def test_current_verdicts_of_the_judge_are_collected(judged):
    steps.collect(judged)
    assert Bundle.load(judged.paths.bundle).scores.frame()["judged"].eq(True).all()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"judge": "other"}, "another model"),
        ({"version": VERSION + 1}, "another prompt"),
        ({"prompt_hash": "other"}, "another prompt"),
        ({"manifest": {"spec_hash": "0" * 64}}, "judged under another spec"),
    ],
)
def test_verdicts_of_another_judge_or_spec_are_left_out(judged, fields, told):
    edit(judged.paths.judged_scores(SFT), **fields)
    assert told in left_out(judged, SFT)[SFT]


def test_verdicts_on_other_answers_are_left_out(judged):
    edit_manifest(judged.paths.judged_scores(SFT), predictions_hash="before")
    edit_manifest(
        judged.paths.scores(SFT), predictions_hash=sha256_file(judged.paths.predictions(SFT))
    )
    assert "other answers" in left_out(judged, SFT)[SFT]


@pytest.mark.parametrize("name", ["judged.json", "judged.parquet"])
def test_a_cell_that_was_not_judged_is_a_named_gap(judged, name):
    (judged.paths.cell(SFT) / name).unlink()
    assert "not judged" in left_out(judged, SFT)[SFT]


# --- the pool ---------------------------------------------------------------------------------


def test_a_bundle_has_the_hashes_of_the_pool_and_no_answer_to_other_items(tmp_path):
    grid = tiny_grid(tmp_path, methods=("base",))
    steps.build_pool(grid)
    (cell,) = grid.cells.values()
    write_cell(grid, cell, 0.5, items=1)
    answers = pd.concat([of_pool(grid, name) for name in grid.benchmarks], ignore_index=True)
    write_parquet(grid.paths.predictions(cell.id), answers)
    steps.collect(grid)
    pool = read_json(grid.paths.bundle / "study.json")["pool"]
    assert set(pool) == set(grid.splits)
    scores = read_parquet(grid.paths.bundle / "scores.parquet")
    held = read_parquet(grid.paths.bundle / "predictions.parquet").merge(
        scores[["benchmark", "item", "item_family", "hops", "filled"]], on=["benchmark", "item"]
    )
    for split, hashes in pool.items():
        assert hashes == content_hashes(grid.paths.pool(split))
        items = read_pool(grid.paths.pool(split), MicroItem)
        assert hashes == hashes_of(map(dataclasses.asdict, items))
        if split in grid.benchmarks:  # a reader derives it from the tables
            rows = held[held["benchmark"] == split].rename(
                columns={"item": "id", "item_family": "family"}
            )
            rows = rows[list(GOLDS)].astype(object)
            assert golds_hash(rows.itertuples(index=False)) == hashes["golds_hash"]
    answers.loc[2, "answer"] = answers.loc[2, "extracted"] = "changed"
    write_parquet(grid.paths.predictions(cell.id), answers)
    steps.collect(grid, partial=True)
    (error,) = Bundle.load(grid.paths.bundle).failed["error"]
    assert "other items" in error


def test_the_right_answers_of_cells_with_the_same_items_are_hashed_once(tmp_path, monkeypatch):
    rows = {"benchmark": ["a", "a", "b"], "id": ["1", "2", "1"], "answer": ["x", "y", "z"]}
    answers = pd.DataFrame(rows | {"answer_kind": "word", "family": "f", "hops": [1, 2, None]})
    answers["filled"] = 6
    other = answers.assign(answer=["x", "y", "w"])
    hashed = []
    monkeypatch.setattr(current, "golds_hash", lambda rows: hashed.append(1) or golds_hash(rows))
    golds, path = current.Golds(), tmp_path / "predictions.parquet"
    for table, count in ((answers, 2), (answers, 2), (other, 4), (answers, 6)):
        write_parquet(path, table)
        assert golds.of(path) == {
            name: golds_hash(part[list(GOLDS)].itertuples(index=False))
            for name, part in read_parquet(path).groupby("benchmark")
        }
        assert len(hashed) == count


def of_pool(grid, benchmark):
    """Answers to a benchmark's items, all right."""
    items = pd.DataFrame(read_pool(grid.paths.pool(benchmark), MicroItem))
    kept = items[["id", "answer", "answer_kind", "family", "hops", "filled"]]
    fixed = {"prompt_hash": "p", "correct": True, "format_ok": True, "length": 5}
    return kept.assign(
        benchmark=benchmark,
        completion="Answer: " + kept["answer"],
        extracted=kept["answer"],
        truncated=False,
        **fixed,
    )


@pytest.mark.parametrize(
    ("field", "value", "golds"),
    [
        ("answer", "other", True),
        ("answer_kind", "other", True),
        ("hops", 9, True),
        ("family", "other", True),
        ("id", "other", True),
        ("question", "other", False),
        ("image", b"other", False),
        ("image", None, False),
        ("scene", "other", False),
    ],
)
def test_every_change_of_an_item_changes_a_hash(items, field, value, golds):
    rows = [dataclasses.asdict(item) for item in items[:5]]
    before = hashes_of(rows)
    rows[3][field] = value
    after = hashes_of(rows)
    assert (after["golds_hash"] != before["golds_hash"]) is golds
    assert after["content_hash"] != before["content_hash"]


def test_the_order_and_number_of_items_are_hashed(items):
    rows = [dataclasses.asdict(item) for item in items[:5]]
    before, reversed_, fewer = (hashes_of(some) for some in (rows, rows[::-1], rows[1:]))
    assert before["golds_hash"] == reversed_["golds_hash"] != fewer["golds_hash"]
    assert before["content_hash"] != reversed_["content_hash"]
    assert fewer["items"] == 4


def test_integers_read_back_beside_missing_ones_hash_the_same():
    whole = [("a", "1", "integer", "f", 3, None)]
    read = [("a", "1", "integer", "f", np.float64(3.0), float("nan"))]
    assert golds_hash(whole) == golds_hash(read)


def test_merged_studies_agree_on_the_pool():
    split = {"items": 1, "golds_hash": "g", "content_hash": "c"}
    names = ("models", "arms", "traces", "studies")
    study = {**{name: {} for name in names}, "benchmarks": [], "arm_order": []}
    config = {"world": {"kind": "micro"}, "evaluation": {"samples": 0}, "distributions": {}}
    study |= {"grid": "g", "config_hash": "h", "config": config}
    one, two = ({**study, "pool": {name: split}} for name in ("iid", "text"))
    assert study_of_both(one, two)["pool"] == {"iid": split, "text": split}
    other = {**study, "pool": {"iid": {**split, "golds_hash": "other"}}}
    with pytest.raises(ReassessError, match="split 'iid'"):
        study_of_both(one, other)
    assert "pool" not in study_of_both(one, study)  # an older version recorded none


# --- rows -------------------------------------------------------------------------------------


def manifests(*hashes):
    return pd.DataFrame(
        [
            {"cell": str(number), "family": "f", "distribution": "d", "size": 1, "rows_hash": one}
            for number, one in enumerate(hashes)
        ]
    )


def test_hashes_of_rows_are_compared_with_their_like():
    from reassess.training.content import PREFIX

    assert CONTENT == PREFIX
    hashes = ("a", f"{CONTENT}b", "a", f"{CONTENT}b", None)
    require_identical_rows(manifests(*hashes), row_draws=False)
    for hashes in (("a", "b"), (f"{CONTENT}a", "c", f"{CONTENT}b")):
        with pytest.raises(ReassessError, match=r"cells \d and \d .*rows"):
            require_identical_rows(manifests(*hashes), row_draws=False)


def test_nothing_is_left_of_a_folder_that_was_never_run(tmp_path):
    grid = grid_in(tmp_path, "config/smoke.yaml")
    shutil.rmtree(grid.paths.results, ignore_errors=True)
    errors = left_out(grid, *grid.cells)
    assert all("neither scores nor a log" in error for error in errors.values())
