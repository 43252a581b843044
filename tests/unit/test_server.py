"""The fork server: a forked job is like a job in its own process, and ends with its client."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from processes import PATIENCE, wait_until

from reassess.core.lifetime import GRACE, is_alive
from reassess.workflow import run
from reassess.workflow.fork_server import FOLDER, JOB, VARIABLE, forward

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
        with open("pid", "w") as file:
            file.write(str(os.getpid()))
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


def connected(environment):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(environment[VARIABLE])
    return connection


def forks(process):
    living = []
    for one in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # ended since it was listed
            living += [one] if one.status() != psutil.STATUS_ZOMBIE else []
    return living


def request(**changes):
    content = {"arguments": [JOB], "folder": "/", "environment": {}} | changes
    return json.dumps(content).encode()


HEAD = struct.pack("!Q", 100)
BROKEN = {
    "nothing": [],
    "half of the length": [HEAD[:4]],
    "no request": [HEAD],
    "half of a request": [HEAD, b"{" * 50],
    "no JSON": [HEAD, b"{" * 100],
    "a length of nothing": [struct.pack("!Q", 0)],
    "a length of everything": [struct.pack("!Q", 2**64 - 1), b"{"],
    "no object": [struct.pack("!Q", 4), b"true"],
    "lacks a part": [struct.pack("!Q", 2), b"{}"],
    "no such folder": [
        struct.pack("!Q", len(request(folder="/no/such"))),
        request(folder="/no/such"),
    ],
}


@pytest.mark.parametrize("streams", [0, 3])
@pytest.mark.parametrize("parts", BROKEN.values(), ids=BROKEN)
def test_a_fork_ends_whose_client_dies_or_sends_no_request(server, tmp_path, parts, streams):
    environment, process = server
    with connected(environment) as connection, Path(os.devnull).open() as nothing:
        for number, part in enumerate(parts):
            descriptors = [nothing.fileno()] * streams if number == 0 else []
            socket.send_fds(connection, [part], descriptors)
        wait_until(lambda: forks(process) or hung_up(connection), "the fork")
    wait_until(lambda: not forks(process), "the end of the fork")
    assert ask(environment, tmp_path, JOB).returncode == 3  # the server goes on


def hung_up(connection):
    return bool(select.select([connection], [], [], 0)[0])


def test_a_client_that_is_too_slow_is_given_up_and_does_its_job_itself(tmp_path):
    """One byte in a while is as slow as none."""
    address = tmp_path / "server"
    text = f"import reassess.workflow.fork_server as module\nmodule.REQUEST_SECONDS = 0.5\n{SERVER}"
    process = subprocess.Popen([sys.executable, "-c", text, str(address)])
    try:
        wait_until(address.exists, "the server")
        with connected({VARIABLE: str(address)}) as connection:
            socket.send_fds(connection, [HEAD], [0, 1, 2])
            wait_until(lambda: forks(process), "the fork")
            deadline = time.monotonic() + PATIENCE
            with pytest.raises(OSError, match="pipe|reset"):
                while time.monotonic() < deadline:
                    connection.send(b"{")
                    time.sleep(0.05)
        wait_until(lambda: not forks(process), "the end of the fork")
    finally:
        process.kill()
        process.wait()


def test_a_client_without_an_answer_runs_the_job_in_its_own_process(tmp_path, monkeypatch):
    """A server that hangs up before it has taken the job over has not begun it."""
    address = tmp_path / "server"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        monkeypatch.setenv(VARIABLE, str(address))

        def refuse():
            listener.accept()[0].close()

        thread = threading.Thread(target=refuse)
        thread.start()
        assert forward([JOB, "train"]) is None
        thread.join()


def test_other_users_have_no_access(server, tmp_path, monkeypatch):
    environment, process = server
    assert Path(environment[VARIABLE]).stat().st_mode & 0o777 == 0o600
    if os.geteuid() == 0:
        tmp_path.chmod(0o755)
        for parent in tmp_path.parents:
            parent.chmod(parent.stat().st_mode | 0o011)
        Path(environment[VARIABLE]).chmod(0o666)  # as if somebody had opened it
        code = CLIENT.replace("forward;", "forward; import os; os.setuid(65534);", 1)
        done = subprocess.run(
            [sys.executable, "-c", code, JOB], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 99, done.stderr
        assert not forks(process)


@pytest.mark.parametrize("length", [1, 200])
def test_the_folder_of_the_socket_is_the_users_own(tmp_path, monkeypatch, length):
    """And its path is no longer than that of a socket may be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * length)))
    Path(tempfile.tempdir).mkdir()
    monkeypatch.setattr(run, "SERVE", ["sleep", "86400"])
    monkeypatch.setenv(GRACE, "0")
    monkeypatch.delenv(VARIABLE, raising=False)
    with run.fork_server():
        assert Path(os.environ[VARIABLE]).parent.stat().st_mode & 0o777 == 0o700
        assert len(os.environ[VARIABLE]) < 108


STARTER = f"""
import os, subprocess, sys
from reassess.core.lifetime import OWNER, myself
server = subprocess.Popen([sys.executable, "-c", {SERVER!r}, sys.argv[1]], env=os.environ | {{OWNER: myself()}})
print(server.pid, flush=True)
server.wait()
"""


@pytest.mark.parametrize("words", [("wait",), ("save", "wait")])
@pytest.mark.parametrize("number", [signal.SIGTERM, None], ids=["by a signal", "by death"])
def test_a_server_takes_its_forks_with_it_after_they_have_saved(tmp_path, words, number):
    address = tmp_path / f"{FOLDER}of-a-run/server"
    address.parent.mkdir()
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(address)], stdout=subprocess.PIPE, text=True
    )
    server = psutil.Process(int(starter.stdout.readline()))
    wait_until(address.exists, "the server")
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, JOB, *words],
        cwd=tmp_path,
        env={**os.environ, VARIABLE: str(address)},
    )
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the job")
    if number is None:
        starter.kill()
    else:
        server.send_signal(number)
    assert client.wait(timeout=PATIENCE) == (75 if "save" in words else 137)
    wait_until(lambda: not is_alive(server.pid), "its end")
    assert address.parent.exists() == (number is not None)
    starter.kill()
    starter.wait()


def test_a_fork_that_does_not_notice_is_killed_after_its_client(tmp_path):
    """In the midst of C code that keeps the interpreter no thread of the fork can look."""
    address = tmp_path / "server"
    text = SERVER.replace("for _ in range(600):", "str(7 ** (10**11))\n        for _ in range(1):")
    text = f"import reassess.workflow.fork_server as module\nmodule.FOLLOWING = 0.5\n{text}"
    process = subprocess.Popen([sys.executable, "-c", text, str(address)])
    try:
        wait_until(address.exists, "the server")
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, JOB, "wait"],
            cwd=tmp_path,
            env={**os.environ, VARIABLE: str(address)},
        )
        wait_until(
            lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the job"
        )
        client.kill()
        client.wait()
        wait_until(lambda: not forks(process), "the end of the fork")
    finally:
        process.kill()
        process.wait()
