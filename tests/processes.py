"""What tests ask of processes that run beside them."""

import os
import subprocess
import time
from pathlib import Path

PATIENCE = 420  # seconds for anything on a machine that several tests share


def trainers_in(folder):
    """Return the processes that train a grid in this folder."""
    found = subprocess.run(
        ["pgrep", "-f", "reassess train --cell"], capture_output=True, text=True
    ).stdout.split()
    return [
        int(pid)
        for pid in found
        if os.path.realpath(f"/proc/{pid}/cwd") == os.path.realpath(folder)
    ]


def wait_until(condition, what, seconds=PATIENCE, also=lambda: ""):
    """Wait for a condition and return what it found.

    Raises:
        AssertionError: it did not come in time; with `what`, and what `also` has to say then.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s {also()}"
        time.sleep(0.2)
    return found


def complete_checkpoints(folder):
    """Return the updates of the complete trainer checkpoints of a run that is not over."""
    return sorted(
        int(path.parent.name.rpartition("-")[2])
        for path in Path(folder).glob("checkpoint-*/history.json")
    )
