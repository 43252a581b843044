"""What `reassess status` says of cells that run, wait, failed or are done, with and without a queue."""

import json
import multiprocessing
import os
import time

import pytest
from synthetic import grid_in, write_cell
from typer.testing import CliRunner

from reassess.cli.main import app
from reassess.cluster import status as module
from reassess.cluster.status import as_text, heartbeat, status
from reassess.core.files import read_json, write_json, write_text
from reassess.core.locks import exclusive, is_held
from reassess.training.heartbeat import HEARTBEAT
from reassess.training.layout import Layout
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings

CELL = "llava-w32/same-family/2000/sft/seed1"
OTHER = "llava-w32/same-family/2000/grpo/seed1"
SQUEUE = """#!/bin/sh
echo '17|RUNNING|n1|rule_train_wildcards_{cell}'
echo '18|PENDING|(Resources)|rule_evaluate_wildcards_{other}'
echo '19|PENDING|(Priority)|rule_build_pool'
"""


@pytest.fixture
def grid(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return grid_in(tmp_path)


def put_squeue(tmp_path, text):
    script = tmp_path / "bin/squeue"
    script.write_text(text)
    script.chmod(0o755)


def of(grid, cell):
    return next(line for line in status(grid) if line.cell == cell)


def _hold(path, ready, end):
    with exclusive(path):
        ready.set()
        end.wait(20)


def test_a_job_that_holds_its_cell_is_running_whoever_started_it(grid):
    cell = grid.cell(CELL)
    assert of(grid, CELL).state == "to do"
    assert not is_held(grid.paths.lock(cell.id))
    context = multiprocessing.get_context("fork")
    ready, end = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(grid.paths.lock(cell.id), ready, end))
    holder.start()
    ready.wait(20)
    write_json(
        grid.paths.work(cell.id) / HEARTBEAT,
        {"step": 40, "of": 300, "node": "n7", "time": time.time() - 12},
    )
    line = of(grid, CELL)
    assert (line.state, line.about) == ("running", "update 40 of 300 on n7, 12 s ago")
    end.set()
    holder.join()
    assert of(grid, CELL).state == "started"
    assert "update 40 of 300" in of(grid, CELL).about


def test_the_queue_is_read_where_there_is_one(grid, tmp_path):
    put_squeue(tmp_path, SQUEUE.format(cell=CELL.replace("/", "_"), other=OTHER.replace("/", "_")))
    assert of(grid, CELL).about == "Slurm job 17: running (n1)"
    waiting = of(grid, OTHER)
    assert (waiting.state, waiting.about) == ("queued", "Slurm job 18: pending (Resources)")
    text = as_text(status(grid))
    assert text.splitlines()[0].startswith("1 running  1 queued")


def pod(cell, folder, phase, **status):
    about = {
        "name": "reassess-train-1-x",
        "annotations": {"reassess/job": json.dumps({"cell": cell})},
    }
    spec = {"nodeName": "gpu-7", "containers": [{"workingDir": str(folder)}]}
    return {"metadata": about, "spec": spec, "status": {"phase": phase, **status}}


def test_pods_are_read_with_their_node_or_why_they_wait(grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    third = "llava-w64/same-family/2000/sft/seed1"
    unpulled = [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    unplaced = [
        {
            "type": "PodScheduled",
            "status": "False",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        }
    ]
    pods = [
        pod(CELL, tmp_path, "Running"),
        pod(OTHER, tmp_path, "Pending", containerStatuses=unpulled),
        pod(third, tmp_path, "Pending", conditions=unplaced),
        pod("llava-w64/same-family/2000/grpo/seed1", tmp_path / "elsewhere", "Running"),
        pod("qwen3vl-w32/same-family/2000/sft/seed1", tmp_path, "Succeeded"),
    ]
    script = tmp_path / "bin/kubectl"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'items': pods})}'\n")
    script.chmod(0o755)
    assert of(grid, CELL).about == "Kubernetes pod reassess-train-1-x: running (gpu-7)"
    assert of(grid, OTHER).about.endswith("pending (ImagePullBackOff)")
    assert "Insufficient nvidia.com/gpu" in of(grid, third).about
    assert sum(line.state in ("running", "queued") for line in status(grid)) == 3
    script.write_text("#!/bin/sh\nexit 1\n")
    assert of(grid, CELL).state == "to do"


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexec /bin/sleep 9\n"])
def test_a_scheduler_that_does_not_answer_is_left_out(grid, tmp_path, monkeypatch, script):
    monkeypatch.setattr(module, "QUEUE_SECONDS", 0.2)
    put_squeue(tmp_path, script)
    assert of(grid, CELL).state == "to do"


def test_a_failure_shows_its_error_the_end_of_its_log_and_where_it_is(grid):
    cell = grid.cell(CELL)
    write_json(
        grid.paths.failure(cell.id),
        {"cell": CELL, "action": "train", "error": "ReassessError: no rows"},
    )
    log = grid.paths.log("train", CELL)
    write_text(log, "first\nsecond\nthird\nfourth\n")
    line = of(grid, CELL)
    assert (line.state, line.about) == ("failed", "ReassessError: no rows")
    assert line.log == ("second", "third", "fourth", f"log: {log}")
    assert status(grid)[0] == line  # what needs an eye comes first


def test_done_cells_are_counted_and_not_listed(grid):
    write_cell(grid, grid.cell(CELL), 0.5)
    text = as_text(status(grid))
    assert "1 done" in text.splitlines()[0]
    assert CELL not in text


def test_the_command_prints_it(grid):
    found = CliRunner().invoke(app, ["status", "--config", str(grid.source)])
    assert found.exit_code == 0
    counts = [int(word) for word in found.output.splitlines()[0].split() if word.isdigit()]
    assert sum(counts) == len(grid.cells)


def test_a_run_says_how_far_it_is(fresh, rows, tmp_path):
    settings = SftSettings(max_steps=2, batch_size=4, save_every=10)
    train_sft(fresh[0], fresh[1], rows, settings, order_seed=1, work=tmp_path, layout=Layout())
    said = read_json(tmp_path / HEARTBEAT)
    assert (said["step"], said["of"], said["node"]) == (1, 2, os.uname().nodename)
    assert heartbeat(tmp_path).startswith("update 1 of 2 on ")
    assert heartbeat(tmp_path / "nothing") == ""
