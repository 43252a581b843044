"""The processes below this one, and how they are told to end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from reassess.core import lifetime
from reassess.core.lifetime import below, kill_below, resume, terminate

__all__ = [
    "ENDING",
    "OrderlyEnd",
    "follow_signals",
    "forward_to_trainers",
    "heeded",
    "is_job",
    "terminate",
    "trainers",
]

# What ends a run: a scheduler or service manager, a terminal's Ctrl-C, a closed terminal.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
REPEATED = 1.0  # seconds after which a signal is a second one; `timeout` sends each one twice
LOOK = 0.2  # seconds between two looks at what still runs


def heeded() -> list[signal.Signals]:
    """The signals that end a run, without those that its caller lets it ignore."""
    return lifetime.not_ignored(ENDING)


def forward_to_trainers() -> None:
    """Forward a SIGTERM that this Snakemake receives, so that trainers save and exit.

    Slurm signals only the processes that it started itself. In a job's step that is a Snakemake,
    which on SIGTERM merely starts nothing more, and forwards the signal to nobody.
    """

    def act(number: int) -> None:
        if number == signal.SIGTERM:
            terminate(trainers())

    follow_signals(act)


def follow_signals(act: Callable[[int], None]) -> None:
    """Call a function in a thread for each signal received, beside whatever handlers are set."""
    if threading.current_thread() is not threading.main_thread():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def read() -> None:
        while received := os.read(reader, 1):
            act(received[0])

    threading.Thread(target=read, daemon=True).start()


class OrderlyEnd:
    """The end of what runs below this process: first it may save, then it is killed.

    Attributes:
        received: the signal that began it; None before.
        number: the signal that the processes receive.
    """

    def __init__(
        self,
        tell: Callable[[psutil.Process], bool],
        number: int = signal.SIGTERM,
        then: Callable[[int], None] = lambda code: None,
    ) -> None:
        """Prepare it.

        Args:
            tell: which of the processes receive the signal.
            number: the signal that they receive.
            then: what is done once none is left, with 128 and the number of the signal received.
        """
        self.received: int | None = None
        self._tell, self.number, self._then = tell, number, then
        self._began = 0.0
        self._at_once = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def receive(self, received: int) -> None:
        """Begin, at a first signal; at a second one kill what is left, or leave if nothing is."""
        if self.received is None:
            self.received, self._began = received, time.monotonic()
            self._thread.start()
        elif time.monotonic() - self._began > REPEATED:
            self._at_once.set()
            if not self._thread.is_alive():
                os._exit(128 + self.received)

    def wait(self) -> None:
        """Wait until nothing is left, if it has begun."""
        if self.received is not None:
            self._thread.join()

    def leave(self) -> None:
        """Wait as `wait` does; all that is left by now is told, as nothing is waited for."""
        self._tell = lambda process: True
        self.wait()

    def _run(self) -> None:
        told: set[psutil.Process] = set()
        deadline = self._began + lifetime.grace()
        while left := below():
            if self._at_once.is_set() or time.monotonic() > deadline:
                kill_below()
                break
            new = {process for process in left if process not in told and self._is_told(process)}
            terminate(new, self.number)
            told |= new
            resume(left)
            self._at_once.wait(LOOK)
        self._then(128 + (self.received or 0))

    def _is_told(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return self._tell(process)
        return False  # it has ended meanwhile


def trainers() -> list[psutil.Process]:
    """The training jobs below this process."""
    return [process for process in psutil.Process().children(recursive=True) if _trains(process)]


def is_job(process: psutil.Process) -> bool:
    """Whether a process is `reassess job`; the shell around it is not."""
    return _runs(process, "job")


def _trains(process: psutil.Process) -> bool:
    return _runs(process, "train")


def _runs(process: psutil.Process, word: str) -> bool:
    with suppress(psutil.Error):
        command = process.cmdline()
        return word in command and any(Path(part).name == "reassess" for part in command)
    return False
