"""Forwarding a SIGTERM that Snakemake receives to the training jobs below it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil


def forward_to_trainers() -> None:
    """Forward a SIGTERM that this Snakemake receives, so that trainers save and exit.

    Slurm signals only the processes that it started itself. In a job's step that is a Snakemake,
    which on SIGTERM merely starts nothing more, and forwards the signal to nobody.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Beside whatever handler Snakemake sets.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_forward, args=(reader,), daemon=True).start()


def _forward(reader: int) -> None:
    while received := os.read(reader, 1):
        if received[0] == signal.SIGTERM:
            terminate(trainers())


def terminate(processes: Sequence[psutil.Process]) -> None:
    """Send SIGTERM to processes; some may have ended meanwhile."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()


def trainers() -> list[psutil.Process]:
    """The training jobs below this process."""
    return [process for process in psutil.Process().children(recursive=True) if _trains(process)]


def _trains(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        command = process.cmdline()
        return "train" in command and any(Path(word).name == "reassess" for word in command)
    return False
