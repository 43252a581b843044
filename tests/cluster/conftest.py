"""The cluster, a tiny grid that is ready to go through it, and the table of faults."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if os.environ.get("SLURM_CONF") == os.devnull:
    del os.environ["SLURM_CONF"]  # the other tests' setting

import cluster as slurm
from runs import RECORD, Run, locked, prepare


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: a fault that would affect other tests' jobs too")
    if not hasattr(config, "workerinput"):  # once, not in every process of the suite
        RECORD.unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter):
    if not RECORD.is_file():
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(
        "| fault | updates repeated | s until it trains again | s until the cell is scored |"
    )
    terminalreporter.write_line("|---|---|---|---|")
    for line in RECORD.read_text().splitlines():
        fault = json.loads(line)
        terminalreporter.write_line(
            f"| {fault['fault']} | {fault['again']} | {fault['trains']:.0f} "
            f"| {fault['scored']:.0f} |"
        )


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """A folder that all processes of the suite share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session", autouse=True)
def cluster(shared):
    if os.geteuid() != 0:
        pytest.fail("a Slurm cluster is started by root: make test-slurm")
    with locked(shared / "cluster.lock"):
        slurm.up()
    return slurm


@pytest.fixture(autouse=True)
def turn(request, shared, cluster):
    """Let tests share the cluster, except those that must be alone on it."""
    alone = request.node.get_closest_marker("alone")
    with locked(shared / "turn.lock", fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        yield


@pytest.fixture(scope="session")
def prepared(shared):
    """A grid with everything before its cells, made here: faults are injected into training."""
    return _made_once(shared / "prepared", prepare)


@pytest.fixture(scope="session")
def undisturbed(prepared, shared):
    """The whole grid, run on this machine without a scheduler."""

    def run_here(folder):
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        Run(folder).local("cells")

    return Run(_made_once(shared / "undisturbed", run_here))


def _made_once(folder, make):
    """A folder that one process of the suite makes and all use."""
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture
def run(prepared, tmp_path):
    folder = tmp_path / "grid"
    shutil.copytree(prepared, folder)
    made = Run(folder)
    yield made
    for number, *_ in made.jobs("RUNNING", "PENDING", "COMPLETING"):
        subprocess.run(["scancel", number], capture_output=True)
