"""The workers of symbolic comparisons: limited in CPU time, started again, never left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import wait_until

from reassess.core.errors import ReassessError
from reassess.verifier import math_worker
from reassess.verifier.math_worker import Undecided, run, stop

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def functions(monkeypatch):
    """Functions of the tests run in the worker, under a limit of half a second."""
    monkeypatch.setattr(math_worker, "FUNCTIONS", "worker_functions")
    monkeypatch.setattr(math_worker, "CPU_SECONDS", 0.5)
    run.cache_clear()
    yield
    run.cache_clear()


@pytest.fixture(autouse=True, scope="module")
def stopped():
    yield
    stop()


def workers():
    return {child.pid for child in multiprocessing.active_children()}


def script(*lines):
    """The text of a script that runs functions of the tests in a worker."""
    return "\n".join(
        [
            "import multiprocessing, os, signal, sys, threading, time",
            f"sys.path.insert(0, {str(TESTS)!r})",
            "from reassess.verifier import math_worker",
            "from reassess.verifier.math_worker import run, stop",
            "math_worker.FUNCTIONS = 'worker_functions'",
            *lines,
        ]
    )


def output_of(*lines):
    """What such a script prints; it must print no error."""
    finished = subprocess.run(
        [sys.executable, "-c", script(*lines)], capture_output=True, text=True
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.split()


def test_a_function_runs_in_another_process():
    assert run("joined", "a", "b") == "a b"
    assert run("process") != os.getpid()


def test_what_is_decided_is_remembered(tmp_path):
    assert run("end_by", "0", str(tmp_path / "first")) == "alive"
    (tmp_path / "first").unlink()
    assert run("end_by", "0", str(tmp_path / "first")) == "alive"
    assert not (tmp_path / "first").exists()


def test_each_call_finds_the_same_state(monkeypatch):
    monkeypatch.setattr(math_worker, "CPU_SECONDS", 120.0)  # the first call imports sympy
    run("state", "0")
    first = run("state", "1")
    assert run("state", "2") == first
    stop()
    run("state", "3")
    assert run("state", "4") == first


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        (("burn", "1000"), "CPU time"),
        (("endless_in_c",), "CPU time"),
        (("more_memory_than_allowed",), "memory"),
        (("recurse",), "RecursionError"),
    ],
)
def test_what_exceeds_a_limit_is_undecided_each_time_and_the_next_call_is_made(call, cause):
    for _ in range(2):
        with pytest.raises(Undecided, match=cause):
            run(*call)
        assert run("joined", call[0]) == call[0]


def test_time_on_the_clock_is_not_limited():
    assert run("sleep", "1") == "slept"


def test_the_limit_is_of_one_call_and_not_of_all_of_them():
    assert [run("burn", f"0.{hundredths}") for hundredths in (21, 22, 23, 24)] == ["burnt"] * 4


def test_a_call_is_made_again_where_a_signal_ended_an_idle_worker():
    worker = run("process")
    os.kill(worker, signal.SIGUSR1)
    wait_until(lambda: worker not in workers(), "the end of the worker")
    run.cache_clear()
    assert run("process") != worker


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV])
def test_a_call_is_made_again_where_a_signal_ended_its_worker(tmp_path, number):
    assert run("end_by", str(int(number)), str(tmp_path / "first")) == "alive"


def test_a_worker_that_is_killed_each_time_is_an_error_and_no_verdict():
    with pytest.raises(ReassessError, match="SIGKILL"):
        run("end_by", str(int(signal.SIGKILL)), "")
    assert run("joined", "next") == "next"


def test_a_call_that_crashes_each_time_is_undecided():
    with pytest.raises(Undecided, match="SIGABRT"):
        run("end_by", str(int(signal.SIGABRT)), "")
    assert run("joined", "next") == "next"


def test_threads_have_workers_of_their_own(tmp_path, monkeypatch):
    stop()
    monkeypatch.setattr(math_worker, "_workers", math_worker.Workers(2))
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(run, "meet", str(tmp_path), str(name), "2") for name in range(4)]
        assert {call.result() for call in calls} == workers()
    assert len(workers()) == 2
    stop()
    assert not workers()


def test_a_worker_outlives_the_thread_that_called_first():
    stop()
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(run, "process").result()
    time.sleep(0.5)  # in which the kernel would end it
    run.cache_clear()
    assert run("process") == first


def test_a_fork_has_a_worker_of_its_own():
    worker = run("process")
    lines = output_of(
        "first = run('process')",
        "run.cache_clear()",
        "if os.fork() == 0:",
        "    print(run('process'), flush=True)",
        "    sys.exit()",
        "_, status = os.wait()",
        "assert os.waitstatus_to_exitcode(status) == 0",
        "[child] = multiprocessing.active_children()",
        "assert child.is_alive()",
        "print(run('process'), first)",
    )
    of_fork, again, first = lines
    assert again == first != of_fork
    assert worker in workers()


WAYS_TO_END = {
    "exit": "",
    "stop and os._exit": "stop(); os._exit(0)",
    "os._exit": "os._exit(0)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.slow
@pytest.mark.parametrize("end", WAYS_TO_END.values(), ids=WAYS_TO_END)
def test_no_worker_outlives_its_owner(tmp_path, end):
    """The script has no `__name__` guard, which a worker must not need."""
    file = tmp_path / "script.py"
    file.write_text(script("print(run('process'), flush=True)", end))
    with subprocess.Popen(
        [sys.executable, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        worker = process.stdout.readline().strip()
        _, errors = process.communicate()  # returns when the last holder of the pipes has ended
    wait_until(lambda: not Path("/proc", worker).exists(), "the end of the worker")
    if end in ("", WAYS_TO_END["stop and os._exit"]):
        assert errors == ""


def cpu_seconds(process):
    """User and system time that a process has taken; None if it has ended."""
    try:
        fields = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit of CPU time ends it")
def test_a_worker_ends_with_its_owner_in_the_midst_of_c_code(tmp_path):
    place = tmp_path / "worker"
    text = script(
        "math_worker.CPU_SECONDS = 1000.0",
        f"run('endless_in_c', {str(place)!r})",
    )
    with subprocess.Popen([sys.executable, "-c", text]) as process:
        wait_until(lambda: place.exists() and place.read_text(), "the call of C code")
        worker = place.read_text()
        before = cpu_seconds(worker)
        process.kill()
    wait_until(lambda: cpu_seconds(worker) is None or cpu_seconds(worker) > before + 20, "its end")
    assert cpu_seconds(worker) is None


def test_an_owner_that_died_at_once_leaves_no_worker():
    """The kernel's promise is made after the start, when the owner may be gone already."""
    text = script(
        "class Gone: pid = os.getpid()",
        "multiprocessing.parent_process = lambda: Gone",
        "from reassess.verifier.worker_process import end_with_owner",
        "end_with_owner()",
        "print('still here')",
    )
    finished = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert (finished.returncode, finished.stdout) == (1, "")


@pytest.mark.parametrize(
    "cause",
    [
        "math_worker.FUNCTIONS = 'lacking_functions'",  # which imports what is not there
        "multiprocessing.set_executable(sys.argv[1] + '/python')",  # which starts no worker
        "multiprocessing.set_executable(sys.argv[1] + '/nothing')",  # which does not exist
    ],
)
def test_a_worker_that_cannot_start_is_an_error_and_no_verdict(tmp_path, cause):
    (tmp_path / "lacking_functions.py").write_text("import a_library_that_is_not_installed")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *spawn_main*) exit 3;; esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    code = script(
        "sys.path.insert(0, sys.argv[1])",
        cause,
        "from reassess.core.errors import ReassessError",
        "try:",
        "    print(run('joined', '1'))",
        "except ReassessError as error:",
        "    print('error:', error)",
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True
    )
    assert finished.stdout.startswith("error:"), finished.stderr
    assert "math-verify" in finished.stdout


BUSY = "while True: pass"
LOADED = r"""
from reassess.verifier import grade
pairs = {
    "\\sqrt{8}": "2\\sqrt{2}",
    "x^2-1": "(x-1)(x+1)",
    "\\cos^2 x": "1-\\sin^2 x",
    "x+1": "x+2",
    "\\sqrt{7}": "\\sqrt{8}",
}
grade("\\boxed{\\sqrt{2}}", "\\sqrt{3}")  # imports sympy
math_worker.CPU_SECONDS = 0.6
print("started", flush=True)
sys.stdin.readline()
for gold, answer in pairs.items():
    print(grade("\\boxed{" + answer + "}", gold).correct)
for seconds in ("0.1", "0.3", "0.4", "100"):
    try:
        print(run("burn", seconds))
    except math_worker.Undecided:
        print("undecided")
"""


def verdicts_under(hogs, command=()):
    """What calls and comparisons of known length come to beside some busy processes."""
    with subprocess.Popen(
        [*command, sys.executable, "-c", script(LOADED)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "started\n"
        busy = [subprocess.Popen(["nice", sys.executable, "-c", BUSY]) for _ in range(hogs)]
        try:
            return process.communicate("go\n")[0].split()
        finally:
            for one in busy:
                one.kill()
                one.wait()


@pytest.mark.slow
def test_verdicts_do_not_depend_on_load():
    """A worker of the lowest priority beside a busy process on each core."""
    idle = verdicts_under(hogs=0)
    assert idle[:5] == ["True", "True", "True", "False", "False"]
    assert idle[5:] == ["burnt", "burnt", "burnt", "undecided"]
    assert verdicts_under(os.cpu_count() or 1, ["nice", "-n", "19"]) == idle


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
