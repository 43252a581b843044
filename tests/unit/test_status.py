"""`reassess status` of cells that run, wait, failed or are done, with and without a queue."""

import json
import multiprocessing
import os
import re
import time
from pathlib import Path

import pytest
from processes import PATIENCE
from synthetic import grid_in, write_cell
from typer.testing import CliRunner

from reassess.cli.main import app
from reassess.cluster import queues
from reassess.cluster.kubernetes import OUTPUTS
from reassess.cluster.status import as_text, heartbeat, status
from reassess.core.files import write_json, write_text
from reassess.core.locks import exclusive, is_held
from reassess.training.heartbeat import Heartbeat
from reassess.training.layout import Layout
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings
from reassess.workflow.run import job_name

CELL = "llava-w32/same-family/2000/sft/seed1"
OTHER = "llava-w32/same-family/2000/grpo/seed1"
NAME = "0a1b2c3d-0000-4000-8000-000000000000"  # as Snakemake's executor names the jobs of a run


@pytest.fixture
def grid(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return grid_in(tmp_path)


def put_squeue(tmp_path, text):
    script = tmp_path / "bin/squeue"
    script.write_text(text)
    script.chmod(0o755)


def queue_of(tmp_path, *jobs):
    """Let squeue print jobs: number, state, place, rule, cell; name and folder if they differ."""
    lines = []
    for number, state, place, rule, cell, *rest in jobs:
        name, folder = [*rest, *(NAME, Path.cwd())[len(rest) :]]
        wildcards = f"_wildcards_{cell.replace('/', '_')}" if cell else ""
        lines.append(f"{number}|{state}|{place}|rule_{rule}{wildcards}|{name}|{folder}")
    text = "\n".join(lines)
    put_squeue(tmp_path, f"#!/bin/sh\n/bin/cat <<'END'\n{text}\nEND\n")


def of(grid, cell):
    return next(line for line in status(grid) if line.cell == cell)


def _hold(path, ready, end):
    with exclusive(path):
        ready.set()
        end.wait(PATIENCE)


def test_a_job_that_holds_its_cell_is_running_whoever_started_it(grid):
    cell = grid.cell(CELL)
    assert of(grid, CELL).state == "to do"
    assert not is_held(grid.paths.lock(cell.id))
    context = multiprocessing.get_context("fork")
    ready, end = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(grid.paths.lock(cell.id), ready, end))
    holder.start()
    assert ready.wait(PATIENCE)
    Heartbeat(40, 300, "n7", time.time() - 12).write(grid.paths.work(cell.id))
    line = of(grid, CELL)
    assert line.state == "running"
    assert re.fullmatch(r"update 40 of 300 on n7, \d+ s ago", line.about)
    end.set()
    holder.join()
    assert of(grid, CELL).state == "started"
    assert "update 40 of 300" in of(grid, CELL).about


def test_the_queue_is_read_where_there_is_one(grid, tmp_path):
    queue_of(
        tmp_path,
        (17, "RUNNING", "n1", "train", CELL),
        (18, "PENDING", "(Resources)", "evaluate", OTHER),
        (19, "PENDING", "(Priority)", "build_pool", ""),
    )
    assert of(grid, CELL).about == "Slurm job 17 (train): running (n1)"
    waiting = of(grid, OTHER)
    assert waiting.state == "queued"
    assert waiting.about == "Slurm job 18 (evaluate): pending (Resources)"
    text = as_text(status(grid))
    assert text.splitlines()[0].startswith("1 running  1 queued")


def test_every_job_of_a_cell_is_shown(grid, tmp_path):
    queue_of(
        tmp_path,
        (18, "PENDING", "(Dependency)", "evaluate", CELL),
        (17, "RUNNING", "n1", "train", CELL),
    )
    line = of(grid, CELL)
    assert line.state == "running"
    running, waiting = line.about.split("; ")
    assert "17 (train): running (n1)" in running
    assert "18 (evaluate): pending (Dependency)" in waiting


def test_a_job_from_another_folder_is_not_shown(grid, tmp_path):
    queue_of(tmp_path, (17, "RUNNING", "n1", "train", CELL, NAME, tmp_path / "elsewhere"))
    assert of(grid, CELL).state == "to do"


def test_a_job_of_another_grid_in_the_same_folder_is_not_shown(grid, tmp_path):
    own, other = f"{job_name(grid)}_{NAME}", f"{job_name(grid)}-2_{NAME}"
    queue_of(tmp_path, (17, "RUNNING", "n1", "train", CELL, other))
    assert of(grid, CELL).state == "to do"
    for name in (own, NAME, f"of-a-site_{NAME}"):  # the last two do not tell the grid
        queue_of(tmp_path, (17, "RUNNING", "n1", "train", CELL, name))
        assert of(grid, CELL).state == "running"


def pod(outputs, folder, phase, rule="train", **status):
    about = {
        "name": f"reassess-{rule}-1-x",
        "labels": {"reassess/rule": rule},
        "annotations": {OUTPUTS: json.dumps(list(map(str, outputs)))},
    }
    spec = {"nodeName": "gpu-7", "containers": [{"workingDir": str(folder)}]}
    return {"metadata": about, "spec": spec, "status": {"phase": phase, **status}}


def put_pods(tmp_path, *pods):
    script = tmp_path / "bin/kubectl"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'items': pods})}'\n")
    script.chmod(0o755)
    return script


def test_pods_are_read_with_their_node_or_why_they_wait(grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    third, fourth = "llava-w64/same-family/2000/sft/seed1", "llava-w64/same-family/2000/grpo/seed1"
    unpulled = [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    unplaced = [
        {
            "type": "PodScheduled",
            "status": "False",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        }
    ]

    def trained(cell):
        return [grid.paths.train_manifest(cell), grid.paths.history(cell)]

    script = put_pods(
        tmp_path,
        pod(trained(CELL), tmp_path, "Running"),
        pod(trained(OTHER), tmp_path, "Pending", containerStatuses=unpulled),
        pod(trained(third), tmp_path, "Pending", conditions=unplaced),
        pod(trained(fourth), tmp_path / "elsewhere", "Running"),
        pod(trained("qwen3vl-w32/same-family/2000/sft/seed1"), tmp_path, "Succeeded"),
    )
    assert of(grid, CELL).about == "Kubernetes pod reassess-train-1-x (train): running (gpu-7)"
    assert of(grid, OTHER).about.endswith("pending (ImagePullBackOff)")
    assert "Insufficient nvidia.com/gpu" in of(grid, third).about
    assert sum(line.state in ("running", "queued") for line in status(grid)) == 3
    script.write_text("#!/bin/sh\nexit 1\n")
    assert of(grid, CELL).state == "to do"


def test_a_pod_is_shown_for_each_cell_that_it_scores_and_for_no_other_grid(
    grid, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    scored = [grid.paths.scores(CELL), grid.paths.scores(OTHER)]
    elsewhere = [tmp_path / "results/other/cells" / CELL / "train.json"]
    put_pods(
        tmp_path,
        pod(scored, tmp_path, "Running", rule="scores"),
        pod(elsewhere, tmp_path, "Running"),
    )
    for cell in (CELL, OTHER):
        assert (
            of(grid, cell).about == "Kubernetes pod reassess-scores-1-x (scores): running (gpu-7)"
        )


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexec /bin/sleep 9\n"])
def test_a_scheduler_that_does_not_answer_is_left_out(grid, tmp_path, monkeypatch, script):
    monkeypatch.setattr(queues, "QUEUE_SECONDS", 0.2)
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
    done = CliRunner().invoke(app, ["status", "--config", str(grid.source)])
    assert done.exit_code == 0
    counts = [int(word) for word in done.output.splitlines()[0].split() if word.isdigit()]
    assert sum(counts) == len(grid.cells)


def test_a_training_job_writes_heartbeats(fresh, rows, tmp_path):
    settings = SftSettings(max_steps=2, batch_size=4, save_every=10)
    train_sft(fresh[0], fresh[1], rows, settings, order_seed=1, work=tmp_path, layout=Layout())
    last = Heartbeat.read(tmp_path)
    assert (last.step, last.of, last.node) == (1, 2, os.uname().nodename)
    assert heartbeat(tmp_path).startswith("update 1 of 2 on ")
    assert heartbeat(tmp_path / "nothing") == ""
