"""Processes that end with the one they work for."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from processes import PATIENCE, wait_until

from reassess.core import lifetime
from reassess.core.lifetime import GRACE, OWNER, Watched, grace, is_alive, myself, owner

# Works for whatever the variable names: it saves on SIGTERM, or ignores it.
WORKER = """
import signal, sys, time
from reassess.core.lifetime import end_with_owner

def save(*_):
    print("saved", flush=True)
    if sys.argv[1] == "saves":
        sys.exit(75)

signal.signal(signal.SIGTERM, save)
end_with_owner()
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
# Starts a worker with a shell between them, tells its number, and waits.
STARTER = f"""
import os, subprocess, sys, time
from reassess.core.lifetime import OWNER, myself

command = f'"{{sys.executable}}" -c "$0" "$1" & echo $! ; wait'
subprocess.run(["bash", "-c", command, {WORKER!r}, sys.argv[1]], env=os.environ | {{OWNER: myself()}})
"""


def started(how, **environment):
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, how],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    worker = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    return process, worker


@pytest.mark.parametrize("suspended", [False, True])
def test_a_process_saves_and_ends_when_its_owner_is_killed(suspended):
    """Though a shell between the two lives on; suspended it ends as soon as it may continue."""
    process, worker = started("saves")
    if suspended:
        os.kill(worker, signal.SIGSTOP)
    process.kill()
    if suspended:
        os.kill(worker, signal.SIGCONT)
    assert process.stdout.read() == "saved\n"  # returns when the last holder has ended
    wait_until(lambda: not is_alive(worker), "its end")


def test_one_that_does_not_end_is_killed():
    process, worker = started("goes on", **{GRACE: "1"})
    process.kill()
    assert process.stdout.read() == "saved\n"
    wait_until(lambda: not is_alive(worker), "its end")


def test_a_suspended_child_is_woken_when_its_parent_ends():
    code = (
        "import os, subprocess, sys, time\n"
        "from reassess.core.lifetime import OWNER, myself\n"
        f"child = subprocess.Popen([sys.executable, '-c', {WORKER!r}, 'saves'], env=os.environ | {{OWNER: myself()}})\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    os.kill(worker, signal.SIGSTOP)
    process.kill()
    assert process.stdout.read() == "saved\n"


def test_an_owner_that_has_ended_before_is_noticed():
    process = subprocess.Popen(["sleep", "86400"])
    value = myself().replace(f" {os.getpid()} ", f" {process.pid} ")
    process.kill()
    process.wait()
    done = subprocess.run(
        [sys.executable, "-c", WORKER, "saves"],
        env=os.environ | {OWNER: value},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 75


def test_another_process_of_the_same_number_is_not_the_owner(monkeypatch):
    namespace, pid, start = myself().split()
    monkeypatch.setenv(OWNER, f"{namespace} {pid} {start}")
    assert not owner().ended()
    monkeypatch.setenv(OWNER, f"{namespace} {pid} {int(start) + 1}")
    assert owner().ended()


@pytest.mark.parametrize("value", ["", "1", "elsewhere/7 1 1"])
def test_owners_elsewhere_are_not_watched(monkeypatch, value):
    """Cluster jobs inherit variables from another machine; containers count on their own."""
    monkeypatch.setenv(OWNER, value)
    assert owner() is None
    lifetime.end_with_owner()  # and nothing happens


@pytest.mark.parametrize("with_descriptor", [True, False])
def test_an_end_is_waited_for(with_descriptor):
    process = subprocess.Popen(["sleep", "0.3"])
    watched = Watched(process.pid)
    if not with_descriptor:
        watched.descriptor = None
    assert not watched.ended()
    watched.wait()
    assert watched.ended()  # and that before it is awaited
    process.wait()
    assert watched.ended()


@pytest.mark.parametrize(("text", "seconds"), [("7.5", 7.5), ("", 60), ("soon", 60), ("-1", 0)])
def test_the_time_to_save_is_a_variable(monkeypatch, text, seconds):
    monkeypatch.setenv(GRACE, text)
    assert grace() == seconds


def test_signals_are_handled_in_the_context_only():
    received = []
    earlier = signal.getsignal(signal.SIGUSR2)
    with lifetime.handled([signal.SIGUSR2], lambda number, frame: received.append(number)):
        signal.raise_signal(signal.SIGUSR2)
    assert received == [signal.SIGUSR2]
    assert signal.getsignal(signal.SIGUSR2) == earlier
    with pytest.raises(KeyError), lifetime.handled([signal.SIGUSR2], lambda *_: None):
        raise KeyError
    assert signal.getsignal(signal.SIGUSR2) == earlier


def test_another_thread_changes_no_handler():
    seen = []
    earlier = signal.getsignal(signal.SIGUSR2)

    def enter():
        with lifetime.handled([signal.SIGUSR2], lambda *_: None):
            seen.append(signal.getsignal(signal.SIGUSR2))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [earlier]
