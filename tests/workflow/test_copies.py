"""Copies of a run, and what is left of one: what Snakemake then plans, by contents alone."""

import os
import re
import shutil

import pytest
from finished import finish, perform, task_of
from test_rules import snakemake
from test_spelling import UP_TO_DATE
from tiny import tiny_config

from reassess.analysis.bundle import Bundle
from reassess.core.files import write_text
from reassess.grid.study import Grid
from reassess.workflow.run import fork_server

pytestmark = pytest.mark.slow  # each plans a whole grid with Snakemake

CELL = "llava-w32/same-family/12/sft/seed1"
DRAWN = {"collect", "draw_figure", "tabulate", "test_claims", "all"}
LONGER = {"sft": {"max_steps": 7, "batch_size": 4}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished grid in the working folder."""
    monkeypatch.chdir(tmp_path)
    grid = Grid.load(tiny_config(tmp_path))
    finish(grid)
    return grid


def planned(folder, *words):
    """Return the rules of the jobs that Snakemake would run."""
    done = snakemake(folder, "--config", "config=tiny.yaml", *words, "--dry-run")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    if UP_TO_DATE in said:
        return set()
    return set(re.findall(r"^(\w+) +\d+$", said.rpartition("Job stats")[2], re.MULTILINE)) - {
        "total"
    }


def test_a_copy_with_other_times_has_nothing_to_do(run, tmp_path):
    for number, path in enumerate(sorted(tmp_path.rglob("*"), reverse=True)):
        os.utime(path, (number, number))
    assert planned(tmp_path) == set()


def test_a_changed_setting_is_seen_though_nothing_tells_snakemake(run, tmp_path):
    tiny_config(tmp_path, settings=LONGER)
    assert planned(tmp_path) == {"train", "evaluate", *DRAWN}


def test_results_without_scratch_have_nothing_to_do(run, tmp_path):
    shutil.rmtree("scratch")
    assert planned(tmp_path) == set()
    # A further cell needs what is gone, and only that is made again.
    tiny_config(tmp_path, seeds=[1, 2])
    assert planned(tmp_path) >= {"train", "evaluate", "build_base", "prepare_rows", *DRAWN}
    said = snakemake(tmp_path, "--config", "config=tiny.yaml", "--dry-run").stdout
    assert f"train: {CELL.replace('seed1', 'seed2')} " in said
    assert f"train: {CELL} " not in said


def test_a_pool_with_other_content_reaches_the_drawings(run, tmp_path):
    perform(task_of(run, "build_pool"), "another world")
    assert planned(tmp_path) >= {"train", "evaluate", "build_base", *DRAWN}


def test_an_edited_pool_is_made_again_alone(run, tmp_path):
    run.paths.pool("train").write_text("edited")
    assert planned(tmp_path) == {"build_pool", "all"}


def test_a_lost_figure_is_drawn_alone(run, tmp_path):
    run.paths.figure("main", "svg").unlink()
    assert planned(tmp_path) == {"draw_figure", "all"}


def test_a_forced_job_has_its_inputs_made(run, tmp_path):
    shutil.rmtree("scratch")
    assert planned(tmp_path, "--forcerun", "train") >= {"train", "prepare_rows", "build_base"}


@pytest.fixture
def server():
    """A fork server: imports once, not in each job."""
    with fork_server():
        yield


def test_a_failed_retraining_is_a_gap_and_trains_nothing_again(tmp_path, monkeypatch, server):
    """Through the real rules: trained, changed so that it fails, drawn without it."""
    monkeypatch.chdir(tmp_path)
    tiny_config(tmp_path)
    done = snakemake(
        tmp_path, "--config", "config=tiny.yaml", "--", "results/tiny/bundle/study.json"
    )
    assert done.returncode == 0, done.stderr
    grid = Grid.load(tiny_config(tmp_path, settings=LONGER))
    scores = grid.paths.scores(CELL).read_bytes()
    shutil.rmtree(grid.paths.work(CELL), ignore_errors=True)
    write_text(grid.paths.work(CELL), "a file where the trainer needs a folder")
    failing = snakemake(tmp_path, "--config", "config=tiny.yaml", "--keep-going")
    assert failing.returncode != 0
    assert not grid.paths.train_manifest(CELL).exists()
    assert grid.paths.scores(CELL).read_bytes() == scores
    partial = snakemake(
        tmp_path, "--config", "config=tiny.yaml", "partial=1", "--", "results/tiny/tables/main.html"
    )
    assert partial.returncode == 0, partial.stderr
    assert "train: " not in partial.stdout + partial.stderr
    manifests = Bundle.load(grid.paths.bundle).manifests.set_index("cell")
    assert manifests.loc[CELL, "status"] == "failed"
