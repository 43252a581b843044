"""What is due by the records alone is what Snakemake would run, in every state of a grid."""

import os
import re
import shutil
from collections import Counter

import pytest
from finished import finish, perform, task_of
from test_rules import snakemake
from test_spelling import UP_TO_DATE
from tiny import tiny_config

from reassess.core.files import write_text
from reassess.grid.study import Grid
from reassess.workflow.due import as_text, due
from reassess.workflow.planning import Planning
from reassess.workflow.run import dry_run

ARMS = ("base", "sft", "sft-grpo")
CELL = "llava-w32/same-family/12/sft/seed1"
LONGER = {"sft": {"max_steps": 7, "batch_size": 4}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A finished grid in the working folder."""
    monkeypatch.chdir(tmp_path)
    finish(load(tmp_path))
    return tmp_path


def load(folder, **changes):
    return Grid.load(tiny_config(folder, **({"methods": ARMS} | changes)))


def by_snakemake(folder):
    """By rule, how many jobs Snakemake would run."""
    done = snakemake(folder, "--config", "config=tiny.yaml", "--dry-run")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    if UP_TO_DATE in said:
        return Counter()
    stats = said.rpartition("Job stats")[2]
    counts = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}
    return Counter({rule: n for rule, n in counts.items() if rule not in ("all", "total")})


def done(grid):
    """Nothing happens to it."""


def nothing_made(grid):
    shutil.rmtree("results")
    shutil.rmtree("scratch")


def scratch_lost(grid):
    shutil.rmtree("scratch")


def figure_lost(grid):
    next(iter(task_of(grid, "draw_figure").products)).unlink()


def figure_of_every_kind_lost(grid):
    for path in task_of(grid, "draw_figure").products:
        path.unlink()


def bundle_lost(grid):
    shutil.rmtree(grid.paths.bundle)


def scores_lost(grid):
    grid.paths.scores(CELL).unlink()


def cell_lost(grid):
    shutil.rmtree(grid.paths.cell(CELL))


def checkpoint_lost(grid):
    shutil.rmtree(grid.paths.checkpoint(CELL))


def checkpoint_and_scores_lost(grid):
    checkpoint_lost(grid)
    scores_lost(grid)


def prepared_lost_and_cell_lost(grid):
    grid.paths.preprocessed("llava", "same-family").unlink()
    shutil.rmtree(grid.paths.cell(CELL))
    shutil.rmtree(grid.paths.checkpoint(CELL))


def note_beside_lost_and_cell_lost(grid):
    cell_lost(grid)
    task_of(grid, "prepare_rows").products[-1].unlink()


def base_lost_and_cell_lost(grid):
    shutil.rmtree(grid.paths.base("llava-w32"))
    cell_lost(grid)


def manifest_of_base_lost(grid):
    grid.paths.base_manifest("llava-w32").unlink()


def input_changed(grid):
    write_text(grid.paths.pool("train"), "another")


def checkpoint_changed(grid):
    write_text(grid.paths.checkpoint(CELL) / "config.json", "[]")


def checkpoint_changed_and_needed(grid):
    checkpoint_changed(grid)
    scores_lost(grid)


def scores_edited(grid):
    write_text(grid.paths.scores(CELL), "{}")


def made_again_with_other_content(grid):
    perform(task_of(grid, "build_pool"), "another")


def record_damaged(grid):
    write_text(grid.paths.record("train", CELL), "{")


def record_of_interrupted_job(grid):
    path = grid.paths.record("evaluate", CELL)
    write_text(path, path.read_text().replace('"complete": true', '"complete": false'))


def records_lost(grid):
    shutil.rmtree(grid.paths.records)


def spec_changed(grid):
    tiny_config(grid.source.parent, methods=ARMS, settings=LONGER)


def cell_added(grid):
    tiny_config(grid.source.parent, methods=(*ARMS, "grpo"))


def cell_added_without_scratch(grid):
    scratch_lost(grid)
    cell_added(grid)


def cell_taken_away(grid):
    tiny_config(grid.source.parent, methods=("base", "sft"))


def times_reversed(grid):
    for number, path in enumerate(sorted(grid.source.parent.rglob("*"), reverse=True)):
        os.utime(path, (number, number))


STATES = [
    done,
    nothing_made,
    scratch_lost,
    figure_lost,
    figure_of_every_kind_lost,
    bundle_lost,
    scores_lost,
    cell_lost,
    checkpoint_lost,
    checkpoint_and_scores_lost,
    prepared_lost_and_cell_lost,
    note_beside_lost_and_cell_lost,
    base_lost_and_cell_lost,
    manifest_of_base_lost,
    input_changed,
    checkpoint_changed,
    checkpoint_changed_and_needed,
    scores_edited,
    made_again_with_other_content,
    record_damaged,
    record_of_interrupted_job,
    records_lost,
    spec_changed,
    cell_added,
    cell_added_without_scratch,
    cell_taken_away,
    times_reversed,
]


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_what_is_due_is_what_snakemake_would_run(folder, state):
    state(load(folder))
    found = due(Planning(Grid.load("tiny.yaml")))
    assert found is not None
    assert found == by_snakemake(folder)


def test_a_file_that_nobody_reads_is_left_to_snakemake(folder):
    grid = load(folder)
    cell_lost(grid)
    shutil.rmtree(grid.paths.checkpoint(CELL))
    perform(task_of(grid, "train", cell=CELL))
    shutil.rmtree(grid.paths.checkpoint(CELL))
    planning = Planning(grid)
    assert due(planning) is not None
    planning = Planning(grid)
    readers = [task for task in planning.tasks if task.job.name in ("evaluate", "train")]
    for task in readers:  # as if the manifest were all that they read of it
        kept = [path for path in task.inputs if path != grid.paths.checkpoint(CELL)]
        vars(task)["inputs"] = kept
    assert due(planning) is None


def test_an_input_that_nobody_makes_is_left_to_snakemake(folder):
    grid = load(folder)
    cell_lost(grid)
    planning = Planning(grid)
    assert due(planning) is not None
    planning = Planning(grid)
    planning.makers.pop(grid.paths.pool("probe"))
    grid.paths.pool("probe").unlink()
    assert due(planning) is None


def test_a_dry_run_changes_nothing_and_names_the_rules(folder, capsys, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)  # Snakemake is not started
    scores_lost(load(folder))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert dry_run(folder / "tiny.yaml") == 0
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.split())
    assert lines["evaluate"] == "1"
    assert "train" not in lines
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_nothing_due_is_said_in_words():
    assert as_text(Counter(), ["train"]) == "nothing to do: everything is up to date"
