"""Passing a SIGTERM that Snakemake receives on to the training jobs below it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil


def forward_to_trainers() -> None:
    """Hand a SIGTERM that this Snakemake gets to the trainers below it, so that they save and leave.

    Slurm signals the processes it started itself and no others: of a job's step that is a Snakemake, which takes SIGTERM as a word
    to start nothing more, and tells nobody.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(
        writer, warn_on_full_buffer=False
    )  # beside whatever handler Snakemake sets
    threading.Thread(target=_forward, args=(reader,), daemon=True).start()


def _forward(reader: int) -> None:
    while heard := os.read(reader, 1):
        if heard[0] == signal.SIGTERM:
            terminate(trainers())


def terminate(processes: Sequence[psutil.Process]) -> None:
    """Send SIGTERM to processes; some may have ended meanwhile."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()


def trainers() -> list[psutil.Process]:
    """Return the training jobs below this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            words = process.cmdline()
            if "train" in words and any(Path(word).name == "reassess" for word in words):
                found.append(process)
    return found
