"""The worker of math-verify: limited in time, restarted, and never left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reassess.verifier.math_worker import equal_in_mathematics, stop

HALF = ("0.5", "\\frac{1}{2}")
ENDLESS = "10^{10^{10^{10}}}"
SECONDS = 20.0  # beyond what a busy machine takes for an ordinary comparison


@pytest.fixture(autouse=True, scope="module")
def stopped():
    yield
    stop()


def workers():
    return [child.pid for child in multiprocessing.active_children()]


def test_a_comparison_that_takes_too_long_is_wrong_and_the_next_is_made():
    assert not equal_in_mathematics(ENDLESS, "1", 1.0)
    assert equal_in_mathematics(*HALF, SECONDS)


def test_a_comparison_is_made_again_where_a_signal_ended_the_worker():
    assert equal_in_mathematics(*HALF, SECONDS)
    [worker] = workers()
    os.kill(worker, signal.SIGUSR1)
    assert equal_in_mathematics(*HALF, SECONDS)
    assert workers() != [worker]


def test_a_fork_has_a_worker_of_its_own():
    assert equal_in_mathematics(*HALF, SECONDS)
    before = workers()
    code = (
        "import multiprocessing, os, sys\n"
        "from reassess.verifier.math_worker import equal_in_mathematics\n"
        "half = ('0.5', '\\\\frac{1}{2}', 20.0)\n"
        "assert equal_in_mathematics(*half)\n"
        "[worker] = multiprocessing.active_children()\n"
        "if os.fork() == 0:\n"
        "    sys.exit(0 if equal_in_mathematics(*half) else 1)\n"
        "_, status = os.wait()\n"
        "assert os.waitstatus_to_exitcode(status) == 0\n"
        "assert worker.is_alive()\n"
        "assert equal_in_mathematics(*half)\n"
        "assert multiprocessing.active_children() == [worker]\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    assert workers() == before


SCRIPT = """
import multiprocessing, os, signal, sys, threading
from reassess.verifier.math_worker import equal_in_mathematics, stop
equal = equal_in_mathematics("0.5", "\\\\frac{1}{2}", 20.0)
print(equal, *(child.pid for child in multiprocessing.active_children()), flush=True)
"""
WAYS_TO_END = {
    "exit": "",
    "stop and os._exit": "stop()\nos._exit(0)",
    "os._exit": "os._exit(0)",
    "killed while it compares": (
        f"threading.Thread(target=equal_in_mathematics, args=({ENDLESS!r}, '1', 1.0)).start()\n"
        "import time; time.sleep(0.5)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("end", WAYS_TO_END.values(), ids=WAYS_TO_END)
def test_no_worker_outlives_its_owner(tmp_path, end):
    """The script has no `__name__` guard, which a worker must not need."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + end)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        equal, worker = process.stdout.readline().split()
        assert equal == "True"
        _, errors = process.communicate()  # returns when the last holder of the pipes has ended
    for _ in range(600):
        if not Path("/proc", worker).exists():
            break
        time.sleep(0.1)
    assert not Path("/proc", worker).exists()
    if end in ("", WAYS_TO_END["stop and os._exit"]):
        assert errors == ""


@pytest.mark.parametrize(
    "cause",
    [
        "sys.path.insert(0, sys.argv[1])",  # where a math_verify is that cannot be imported
        "multiprocessing.set_executable(sys.argv[1] + '/python')",  # which starts no worker
    ],
)
def test_a_worker_that_cannot_start_is_an_error_and_no_wrong_answer(tmp_path, cause):
    (tmp_path / "math_verify.py").write_text("raise ImportError('no such grammar')")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *spawn_main*) exit 3;; esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    code = (
        "import multiprocessing, sys\n"
        f"{cause}\n"
        "from reassess.core.errors import ReassessError\n"
        "from reassess.verifier import grade\n"
        "try:\n"
        "    print(grade('\\\\boxed{0.5}', '1/2', 'math'))\n"
        "except ReassessError as error:\n"
        "    print('error:', error)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=300
    )
    assert finished.stdout.startswith("error:"), finished.stderr
    assert "math-verify" in finished.stdout


def test_the_verifier_is_importable_alone():
    code = (
        "import sys\n"
        "import reassess.verifier, reassess.verifier.comparison, reassess.verifier.rewards\n"
        "verdict = reassess.verifier.grade('So. Answer: 3', '3', 'integer')\n"
        "assert verdict.correct\n"
        "own = {name.split('.')[1] for name in sys.modules if name.startswith('reassess.')}\n"
        "heavy = {'torch', 'pandas', 'numpy', 'sympy', 'math_verify', 'pydantic', 'yaml', 'pebble'}\n"
        "print(sorted(own), sorted(heavy & set(sys.modules)))\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.strip() == "['core', 'verifier'] []", finished.stderr
