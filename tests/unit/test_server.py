"""The fork server: a forked job is like a job in its own process, and ends with its client."""

import os
import signal
import subprocess
import sys
import time

import pytest
from processes import PATIENCE, wait_until

from reassess.workflow.fork_server import JOB, VARIABLE, forward

# A server of the same code whose action records what it was given instead of training.
SERVER = """
import os, signal, sys, time
from reassess.workflow.fork_server import serve

def act(arguments):
    print("cwd", os.getcwd())
    print("variable", os.environ.get("REASSESS_SERVER"), os.environ.get("MARK"))
    print("to stderr", file=sys.stderr)
    if "raise" in arguments:
        raise RuntimeError("as asked")
    told = []
    if "save" in arguments:
        signal.signal(signal.SIGTERM, lambda *a: told.append(75))
    if "wait" in arguments:
        open("pid", "w").write(str(os.getpid()))
        for _ in range(600):
            time.sleep(0.1)
            if told:
                return told[0]
    return 3

serve(sys.argv[1], lambda: None, act)
"""
CLIENT = "import sys; from reassess.workflow.fork_server import forward; code = forward(sys.argv[1:]); sys.exit(99 if code is None else code)"


@pytest.fixture
def server(tmp_path):
    address = tmp_path / "server"
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(address)])
    wait_until(address.exists, "the server")
    yield {**os.environ, VARIABLE: str(address), "MARK": "mine"}, process
    process.kill()
    process.wait()


def ask(environment, folder, *words):
    return subprocess.run(
        [sys.executable, "-c", CLIENT, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_fork_has_its_clients_folder_environment_streams_and_exit_code(server, tmp_path):
    environment, _ = server
    done = ask(environment, tmp_path, JOB)
    assert done.returncode == 3
    assert done.stdout.splitlines() == [f"cwd {tmp_path}", "variable None mine"]
    assert done.stderr == "to stderr\n"


def test_a_fork_that_raises_says_so(server, tmp_path):
    done = ask(server[0], tmp_path, JOB, "raise")
    assert done.returncode == 1
    assert "RuntimeError: as asked" in done.stderr


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_fork_ends_with_its_client_and_a_killed_fork_is_a_failed_job(server, tmp_path):
    environment, _ = server
    for victim in ("client", "fork"):
        (tmp_path / "pid").unlink(missing_ok=True)
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, JOB, "wait"], cwd=tmp_path, env=environment
        )
        wait_until(
            lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the job"
        )
        pid = int((tmp_path / "pid").read_text())
        os.kill(client.pid if victim == "client" else pid, signal.SIGKILL)
        code = client.wait(timeout=PATIENCE)
        wait_until(lambda pid=pid: gone(pid), "the end of the job")
        assert code == (-signal.SIGKILL if victim == "client" else 137)


@pytest.mark.parametrize(("words", "code"), [((JOB, "save", "wait"), 75), ((JOB, "wait"), 137)])
def test_a_fork_receives_the_signals_of_its_client_and_may_save(server, tmp_path, words, code):
    environment, _ = server
    client = subprocess.Popen([sys.executable, "-c", CLIENT, *words], cwd=tmp_path, env=environment)
    wait_until((tmp_path / "pid").is_file, "the job")
    time.sleep(0.2)
    client.send_signal(signal.SIGTERM)
    assert client.wait(timeout=PATIENCE) == code


def test_without_a_server_a_job_runs_in_its_own_process(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert forward([JOB, "train"]) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nobody"))
    assert forward([JOB, "train"]) is None
    assert forward([]) is None
