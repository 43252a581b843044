"""Which jobs run again: by spec, content and completeness, and never by times or Snakemake's notes."""

import os
import shutil

import pytest
import yaml
from finished import finish, kinds, leave, perform, standings, task_of
from tiny import tiny_config, tiny_grid

from reassess.core.files import read_json, write_json, write_text
from reassess.grid.study import Grid
from reassess.workflow.jobs.job import RECORDING
from reassess.workflow.planning import Planning, finished, stale_jobs
from reassess.workflow.records import Record

CELL = "llava-w32/same-family/12/sft/seed1"
STARTED = "llava-w32/same-family/12/sft-grpo/seed1"
ARMS = ("base", "sft", "sft-grpo")


@pytest.fixture
def grid(tmp_path):
    grid = tiny_grid(tmp_path, methods=ARMS)
    finish(grid)
    return grid


def reload(folder, **changes):
    """The grid in a folder after a change of its config."""
    places = {"results": str(folder / "results"), "scratch": str(folder / "scratch")}
    return Grid.load(tiny_config(folder, **({"methods": ARMS} | places | changes)))


def edit(path, text="edited"):
    """Change what a file holds, without a change of its time."""
    status = path.stat()
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_finished_grid_is_finished(grid):
    assert standings(grid) == {}
    assert len(list(finished(grid))) == len(Planning(grid).tasks)


@pytest.mark.parametrize("moment", [0, 1_000_000_000, 4_000_000_000])
def test_times_decide_nothing(grid, tmp_path, moment):
    for number, path in enumerate(sorted(tmp_path.rglob("*"))):
        os.utime(path, (moment + number % 7, moment + number % 7))
    assert standings(grid) == {}


def test_a_copy_elsewhere_is_finished(grid, tmp_path):
    copy = tmp_path / "another place"
    for name in ("results", "scratch"):
        shutil.copytree(tmp_path / name, copy / name, copy_function=shutil.copyfile)
    assert standings(reload(copy)) == {}


def test_results_and_scratch_may_part(grid, tmp_path):
    shutil.move(tmp_path / "scratch", tmp_path / "elsewhere")
    assert standings(reload(tmp_path, scratch=str(tmp_path / "elsewhere"))) == {}


def test_results_alone_need_nothing_to_run(grid, tmp_path):
    """As git restores them: what is below scratch is made again only for jobs that run."""
    shutil.rmtree(tmp_path / "scratch")
    assert stale_jobs(grid) == {}
    assert set(standings(grid).values()) == {"lacking", "absent"}
    assert not {"evaluate", "collect", "draw_figure"} & {
        task.partition(" ")[0] for task in standings(grid)
    }


def test_a_changed_setting_is_found_without_any_note_of_snakemake(grid, tmp_path):
    longer = {"sft": {"max_steps": 7, "batch_size": 4}}
    again = stale_jobs(reload(tmp_path, settings=longer))
    # Before cells nothing depends on it; the cell that starts from the changed one does.
    assert f"train {CELL}" in again
    assert f"train {STARTED}" in again
    assert f"evaluate {CELL}" in again
    assert "evaluate llava-w32/base/seed1" not in again
    assert not {"build_pool", "build_base", "prepare_rows"} & {
        name.partition(" ")[0] for name in again
    }
    assert {"collect", "draw_figure", "tabulate", "test_claims"} <= {
        name.partition(" ")[0] for name in again
    }


def test_seeds_of_cells_that_are_added_leave_the_others_alone(grid, tmp_path):
    more = reload(tmp_path, seeds=[1, 2])
    assert kinds(more) == {"collect", "draw_figure", "tabulate", "test_claims"}
    assert {task for task, standing in standings(more).items() if standing == "absent"} == {
        f"{job} {cell}"
        for job in ("train", "evaluate")
        for cell in (CELL.replace("seed1", "seed2"), STARTED.replace("seed1", "seed2"))
    }


def test_a_pool_with_other_content_runs_all_that_read_it_again(grid):
    perform(task_of(grid, "build_pool"), "another world")
    assert kinds(grid) >= {"build_base", "gather_traces", "freeze_rows", "train", "evaluate"}


def test_a_pool_with_the_same_content_runs_nothing_again(grid):
    task = task_of(grid, "build_pool")
    for path in task.products:
        path.unlink()
    task.job.record(task.key).unlink()
    perform(task)
    assert standings(grid) == {}


def test_an_edited_pool_is_made_again_and_nothing_trained_on_the_edit(grid):
    path = grid.paths.pool("train")
    path.write_text("edited")
    assert kinds(grid) == {"build_pool"}
    perform(task_of(grid, "build_pool"))
    assert standings(grid) == {}


@pytest.mark.parametrize("product", ["train.json", "history.parquet", "scores.json"])
def test_an_edited_or_lost_result_is_made_again(grid, product):
    path = grid.paths.cell(CELL) / product
    path.write_text("{}")
    assert kinds(grid) & {"train", "evaluate"}
    path.unlink()
    own = "train" if product != "scores.json" else "evaluate"
    assert own in kinds(grid)


def test_damage_below_scratch_counts_where_something_will_read_it(grid):
    edit(grid.paths.checkpoint(CELL) / "config.json")
    assert stale_jobs(grid) == {}  # everything has been scored
    for path in grid.paths.cell(CELL).glob("*"):
        if path.name.startswith(("scores", "predictions")):
            path.unlink()
    assert stale_jobs(grid) == {}  # the bundle is there: nothing asks for the scores
    grid.paths.record("collect").unlink()
    write_text(grid.paths.scores(STARTED), "{}")
    assert f"train {CELL}" in stale_jobs(grid)


def test_new_weights_reach_those_that_start_from_them_and_times_in_a_manifest_do_not(grid):
    manifest = grid.paths.train_manifest(CELL)
    task = task_of(grid, "train", cell=CELL)
    task.job.run = lambda key: (
        leave(task),
        write_json(manifest, {**read_json(manifest), "seconds": 7}),
    )
    task.job.perform(task.key)
    assert standings(grid) == {}
    perform(task, "other weights")
    assert {f"train {STARTED}", f"evaluate {CELL}"} <= set(stale_jobs(grid))


def test_scores_follow_a_checkpoint_that_is_made_again_for_another_cell(grid):
    """Its weights may differ, and a bundle of old scores and new weights would be none."""
    shutil.rmtree(grid.paths.checkpoint(CELL))
    assert stale_jobs(grid) == {}
    edit(grid.paths.train_manifest(STARTED))
    assert {f"train {STARTED}", f"evaluate {STARTED}", f"evaluate {CELL}"} <= set(stale_jobs(grid))
    assert f"train {CELL}" not in stale_jobs(grid)  # Snakemake makes what a job lacks


def test_an_interrupted_job_runs_again_though_snakemake_has_forgotten_it(grid):
    task = task_of(grid, "prepare_rows")

    def killed(key):
        raise KeyboardInterrupt

    task.job.run = killed
    with pytest.raises(KeyboardInterrupt):
        task.job.perform(task.key)
    assert RECORDING not in os.environ
    assert stale_jobs(grid) == {str(task): "it was interrupted"}


def test_the_processes_of_a_job_keep_no_record_of_their_own(grid, monkeypatch):
    task = task_of(grid, "train", cell=CELL)
    path = task.job.record(task.key)
    before = path.read_bytes()
    monkeypatch.setenv(RECORDING, "1")
    perform(task, "within")
    assert path.read_bytes() == before


def test_an_unreadable_record_is_none(grid):
    for content in ("", "[]", '{"spec_hash": 1, "inputs": 3}', '{"foo": 1}', "\udcff"):
        path = grid.paths.record("build_pool")
        path.write_bytes(content.encode(errors="surrogateescape"))
        assert Record.read(path) is None
    assert stale_jobs(grid) == {}  # specs are chained: what was made from the pool vouches for it


# --- runs of versions that kept no records ---------------------------------------------------


def without_records(grid):
    shutil.rmtree(grid.paths.records)
    # Their reports named their specs in part only.
    for path in grid.paths.results.glob("rows/*/*.json"):
        write_json(path, {})


def test_an_older_run_is_kept_but_for_what_is_drawn(grid):
    for task in Planning(grid).tasks:  # made for families that no cell is of: an older run has none
        if str(task).startswith(("freeze_rows", "prepare_rows")) and "llava same" not in str(task):
            for path in task.products:
                path.unlink()
    without_records(grid)
    assert kinds(grid) == {"collect", "draw_figure", "tabulate", "test_claims"}
    Planning(grid).adopt()
    finish(grid, only=lambda task: task.job.group)
    assert set(standings(grid).values()) == {"absent"}
    assert kinds(grid) == set()


def test_an_older_run_under_another_spec_is_found(grid, tmp_path):
    without_records(grid)
    config = yaml.safe_load((tmp_path / "tiny.yaml").read_text())
    changed = reload(tmp_path, world={**config["world"], "seed": 7})
    assert kinds(changed) >= {"build_pool", "build_base", "train", "evaluate"}


def test_an_older_bundle_without_its_cells_is_left_alone(grid):
    without_records(grid)
    shutil.rmtree(grid.paths.results / "cells")
    assert "collect" not in kinds(grid)


def test_what_was_copied_is_read_once(grid, tmp_path, monkeypatch):
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    Planning(grid).adopt()
    read = []
    monkeypatch.setattr(
        "reassess.workflow.records.sha256_file", lambda path: read.append(path) or "x"
    )
    planning = Planning(grid)
    for task in planning.tasks:
        planning.standing(task)
    assert {path.parent.name for path in read} <= {"base", "tokenizer", "teacher", "seed1"}


# --- a failed cell ---------------------------------------------------------------------------


def test_a_partial_bundle_is_complete_in_itself(grid):
    grid.paths.train_manifest(CELL).unlink()
    partial = Planning(grid, partial=True)
    (task,) = [task for task in partial.tasks if task.job.name == "collect"]
    assert grid.paths.scores(CELL) not in task.job.inputs(task.key)
    assert partial.standing(task) == "stale"
