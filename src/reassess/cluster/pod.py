"""The first process of a Kubernetes pod: it runs a job script and passes signals on.

    python -m reassess.cluster.pod SECONDS SCRIPT

The shell that a pod would start otherwise passes no signal on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from reassess.workflow import signals

SAVE_SECONDS = 300  # before its time limit a trainer receives SIGTERM


def run(seconds: int, script: str) -> int:
    """Run a job script; return its exit code, or 128 plus the number of the signal that ended it.

    SIGTERM goes to the trainer, which saves and leaves, or to the whole job where nothing trains.
    The trainer also receives it some time before the limit of `seconds`.
    """
    received: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def on_sigterm(number: int, frame: object) -> None:
        received.append(number)
        for job in started:
            _pass_on(job)

    signal.signal(signal.SIGTERM, on_sigterm)
    job = subprocess.Popen(["bash", "-c", script], start_new_session=True)
    started.append(job)
    if received:  # before there was a job to pass it on to
        _pass_on(job)
    limit = threading.Timer(max(seconds - SAVE_SECONDS, seconds / 2), _save)
    limit.daemon = True
    limit.start()
    code = job.wait()
    return code if code >= 0 else 128 - code


def _save() -> None:
    signals.terminate(signals.trainers())


def _pass_on(job: subprocess.Popen[bytes]) -> None:
    if trainers := signals.trainers():
        signals.terminate(trainers)
        return
    # The group as a whole: a list of processes would miss one that is just being forked.
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2]))
