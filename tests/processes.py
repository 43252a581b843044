"""Processes that run beside a test, and waiting for them.

A busy machine makes everything slower and stops nothing. So a wait has no limit in seconds that it
could miss: it fails when what it watches has made no progress for a long time.
"""

import os
import subprocess
import time
from pathlib import Path

import psutil

STALLED = 600  # seconds without any progress after which a wait fails
LONGEST = 4 * 3600  # seconds after which it fails whatever progresses
PATIENCE = 1800  # seconds for a process that leaves nothing to watch
POLL = 0.2  # seconds between two looks at a condition
LOOK = 2.0  # seconds between two looks at what progresses


def trainers_in(folder):
    """The ids of the processes that train a grid in this folder."""
    listed = subprocess.run(
        ["pgrep", "-f", "reassess job train --cell"], capture_output=True, text=True
    ).stdout.split()
    return [
        int(pid)
        for pid in listed
        if os.path.realpath(f"/proc/{pid}/cwd") == os.path.realpath(folder)
    ]


def command_of(process):
    """The words that a process (of psutil) was started with; none if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def files_below(folder):
    """A value that changes when a file below a folder is written, made or removed.

    Logs, heartbeats, trainer checkpoints and results are among them.
    """
    count, size, newest = 0, 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = Path(place, name).stat()
            except OSError:  # removed meanwhile
                continue
            count, size = count + 1, size + status.st_size
            newest = max(newest, status.st_mtime_ns)
    return count, size, newest


def wait_until(condition, what, progress=lambda: None, stalled=STALLED, also=lambda: ""):
    """Wait for a condition, and return its value.

    Args:
        condition: a function; the wait ends when its value is true.
        what: what is waited for, in words.
        progress: a function whose value changes as long as there is progress, such as
            `lambda: files_below(folder)`.
        stalled: seconds without a change of that value after which the wait fails.
        also: a function whose text is added to the error.

    Raises:
        AssertionError: there is no progress any more, or none that leads to the condition.
    """
    began = moved = looked = time.monotonic()
    before = progress()
    while not (value := condition()):
        now = time.monotonic()
        if now - looked > LOOK:
            looked = now
            if (state := progress()) != before:
                before, moved = state, now
            assert now - moved < stalled, f"{what}: no progress for {stalled} s {also()}"
            assert now - began < LONGEST, f"{what}: not within {LONGEST} s {also()}"
        time.sleep(POLL)
    return value


def wait_for_end(process, what, **options):
    """Wait for the end of a process as `wait_until` does; kill it if that fails.

    Returns:
        its exit code.
    """
    try:
        wait_until(lambda: process.poll() is not None, what, **options)
    except AssertionError:
        process.kill()
        process.wait()
        raise
    return process.returncode


def complete_checkpoints(folder):
    """The updates of the complete trainer checkpoints of a run that is not over."""
    return sorted(
        int(path.parent.name.rpartition("-")[2])
        for path in Path(folder).glob("checkpoint-*/history.json")
    )
