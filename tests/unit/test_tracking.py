"""What a tracker is sent: each number once, of finished cells and of those that still train."""

import json
import sqlite3
import subprocess
import sys
import types

import pytest
from synthetic import grid_in, write_cell
from typer.testing import CliRunner

from reassess.cli.main import app
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json
from reassess.core.project import ROOT
from reassess.workflow.tracking import history, open_library, run_name, store, track

DONE = "llava-w32/same-family/2000/sft/seed1"
RUNNING = "llava-w32/same-family/2000/grpo/seed1"


@pytest.fixture
def grid(tmp_path):
    found = grid_in(tmp_path)
    write_cell(found, found.cell(DONE), 0.5)
    return found


def checkpoint(grid, step):
    """Leave what a training job leaves at an update."""
    work = grid.paths.work(grid.cell(RUNNING).id)
    write_json(work / "spec.json", {"spec_hash": grid.specs.train_hash(grid.cell(RUNNING))})
    rows = [(one, "loss", 1 / one) for one in range(1, step + 1)]
    write_json(work / f"checkpoint-{step}/history.json", {"rows": rows, "totals": {}})


@pytest.fixture
def wandb(monkeypatch):
    """A stand-in for W&B's library that notes what it is given."""
    told = []
    module = types.ModuleType("wandb")
    module.init = lambda **settings: told.append(settings)
    module.log = lambda metrics, step: told.append((step, dict(metrics)))
    module.finish = lambda: told.append("end")
    monkeypatch.setitem(sys.modules, "wandb", module)
    return told


def test_each_number_is_sent_once_also_while_the_cell_trains(grid, wandb):
    checkpoint(grid, 2)
    rows = len(history(grid, grid.cell(DONE)))
    assert track(grid, "wandb") == rows + 2
    assert {told["name"] for told in wandb if isinstance(told, dict)} == {
        run_name(grid, grid.cell(one)) for one in (DONE, RUNNING)
    }
    del wandb[:]
    assert track(grid, "wandb") == 0
    assert wandb == []
    checkpoint(grid, 4)
    assert track(grid, "wandb") == 2
    assert [told for told in wandb if isinstance(told, tuple)] == [
        (3, {"loss": 1 / 3}),
        (4, {"loss": 1 / 4}),
    ]
    assert (
        wandb[0]["resume"] == "allow"
        and wandb[0]["config"]["cell"] == RUNNING
        and wandb[-1] == "end"
    )


def test_a_history_of_another_spec_is_not_sent(grid):
    checkpoint(grid, 2)
    assert set(history(grid, grid.cell(RUNNING))) == {1, 2}
    write_json(grid.paths.work(grid.cell(RUNNING).id) / "spec.json", {"spec_hash": "other"})
    assert history(grid, grid.cell(RUNNING)) == {}
    manifest = grid.paths.train_manifest(grid.cell(DONE).id)
    assert set(history(grid, grid.cell(DONE))) == set(range(0, 61, 10))
    write_json(manifest, {**read_json(manifest), "spec_hash": "other"})
    assert history(grid, grid.cell(DONE)) == {}


def test_a_tracker_that_is_not_there_is_named(grid, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ReassessError, match="wandb is not installed here; pip install wandb"):
        open_library("wandb", store(grid))


@pytest.mark.slow
def test_trackio_keeps_a_run_a_cell_in_a_store_of_this_machine(grid, tmp_path):
    """In a process of its own: trackio reads where its store is when it is imported."""
    config = tmp_path / "grid.yaml"
    changed = {
        "extends": "config.yaml",
        "results": str(tmp_path / "results"),
        "scratch": str(tmp_path / "scratch"),
    }
    config.write_text(
        json.dumps(
            {
                **changed,
                "extends": str(ROOT / "config.yaml"),
            }
        )
    )
    words = [sys.executable, "-m", "reassess.cli.entry", "track", "--config", str(config)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "7 updates sent" in done.stdout and "trackio show" in done.stdout
    (database,) = store(grid).glob("*.db")
    with sqlite3.connect(database) as opened:
        rows = opened.execute(
            "select run_name, step, metrics from metrics order by step"
        ).fetchall()
    assert {name for name, *_ in rows} == {run_name(grid, grid.cell(DONE))}
    assert [step for _, step, _ in rows] == list(range(0, 61, 10))
    assert json.loads(rows[-1][2])["probe_accuracy"] == pytest.approx(0.6)
    assert (
        "0 updates sent"
        in subprocess.run(words, cwd=tmp_path, capture_output=True, text=True).stdout
    )


def test_watching_ends_when_every_cell_is_trained(grid, wandb, monkeypatch):
    for cell in grid.trained.values():
        write_cell(grid, cell, 0.5)
    monkeypatch.setattr("reassess.cli.main.Grid.load", lambda config: grid)
    done = CliRunner().invoke(app, ["track", "--to", "wandb", "--watch", "60"])
    assert (
        done.exit_code == 0
        and f"{sum(len(history(grid, cell)) for cell in grid.trained.values())} updates sent to wandb"
        in done.output
    )
