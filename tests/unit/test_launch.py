"""Training in several processes: whichever of them dies, none goes on alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from processes import wait_until

from reassess.core.errors import Interrupted
from reassess.core.lifetime import is_alive
from reassess.training import launch

pytestmark = pytest.mark.slow  # each starts processes that import torch

# Stands for torch's launcher, which starts its workers in sessions of their own. Its arguments are
# a folder, and the module that it would start.
LAUNCHER = """
import os, subprocess, sys, time

worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], start_new_session=True)
worker.wait()
sys.exit(1)
"""
WORKER = """
import os, signal, sys, time
from pathlib import Path
from reassess.core.lifetime import end_with_owner

def save(*_):
    Path(sys.argv[1], "stopped").touch()
    sys.exit(75)

signal.signal(signal.SIGTERM, save)
end_with_owner()
Path(sys.argv[1], "parents").write_text(f"{os.getppid()} {os.getpid()}")
while True:
    time.sleep(0.05)
"""
OWNER = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.path.insert(0, {tests!r})
from test_launch import train
train(Path(sys.argv[1]))
"""


def train(folder):
    """Train in stand-ins for a launcher and its worker."""
    launch.launcher = lambda layout: [sys.executable, "-c", LAUNCHER, WORKER, str(folder)]
    run = SimpleNamespace(work=folder, layout=None, command=[], micro_batch=None, cell="a cell")
    return launch._in_processes(run)


def start(folder):
    code = OWNER.format(tests=str(Path(__file__).parent))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    path = folder / "parents"
    wait_until(lambda: process.poll() is not None or (path.exists() and path.read_text()), "it")
    launcher, worker = map(int, path.read_text().split())
    return process, launcher, worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_workers_once(tmp_path, number):
    process, _, worker = start(tmp_path)
    for _ in range(2):
        process.send_signal(number)
    _, errors = process.communicate()
    assert Interrupted.__name__ in errors
    assert not is_alive(worker)


@pytest.mark.parametrize("victim", ["owner", "launcher"])
def test_a_worker_saves_and_ends_when_launcher_or_owner_is_killed(tmp_path, victim):
    process, launcher, worker = start(tmp_path)
    os.kill(process.pid if victim == "owner" else launcher, signal.SIGKILL)
    _, errors = process.communicate()
    wait_until(lambda: not is_alive(worker) and not is_alive(launcher), "the end of both")
    assert (tmp_path / "stopped").exists()
    assert (Interrupted.__name__ in errors) == (victim == "launcher")
