"""Calls of `symbolic` in worker processes, which limit their CPU time and memory.

Parsing and simplifying what a model wrote may never end, even inside a single call of C code, and
may run in any thread: only a separate process can be stopped then. The limit is CPU time that the
process itself takes, so that no other load on the machine decides a verdict. The processes belong
to the one that started them: a fork starts its own, and none outlives its owner.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from reassess.core.search_path import keep_out_working_folder

if TYPE_CHECKING:
    from reassess.verifier.worker_process import Worker

FUNCTIONS = "reassess.verifier.symbolic"  # the module whose functions the workers run
CPU_SECONDS = 5.0  # of one call; ordinary ones take some hundredths
REMEMBERED = 2**17  # results
MOST_WORKERS = 4  # of one process; each is as large as sympy, some 100 MiB


class Undecided(Exception):  # noqa: N818 - an outcome, no mistake
    """A call exceeds a limit or cannot be computed: what it compares is neither right nor wrong."""


@lru_cache(maxsize=REMEMBERED)
def run(function: str, *arguments: str) -> object:
    """Call a function of `symbolic` in a worker process; results are remembered.

    Any thread may call this. The first call starts a worker; calls at the same time start further
    ones, up to `available_workers`.

    Args:
        function: its name.
        arguments: its arguments.

    Raises:
        Undecided: the call takes more than `CPU_SECONDS`, or more memory than a worker may have,
            crashes, or raises an error.
        ReassessError: a worker cannot be started, cannot import the function, or is ended twice by
            a signal from outside.
    """
    with _workers.one() as worker:
        outcome, value = worker.call(FUNCTIONS, function, arguments, CPU_SECONDS)
    if outcome == "undecided":
        raise Undecided(str(value))
    return value


@atexit.register
def stop() -> None:
    """End the workers, if there are any; the next call starts others.

    A process that leaves by `os._exit`, which runs no exit handlers, calls this first; otherwise
    Python's resource tracker warns of leaked semaphores.
    """
    _workers.stop()


def available_workers() -> int:
    """How many workers this process may have: one for each of its cores, and at most four."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(MOST_WORKERS, cores)


class Workers:
    """The workers of a process: started when needed, each serving one call at a time."""

    def __init__(self, most: int) -> None:
        """Have no more than `most` of them."""
        self._most = most
        self.forget()

    def forget(self) -> None:
        """Have none; a fork leaves them to their owner."""
        self._places = threading.BoundedSemaphore(self._most)
        self._lock = threading.Lock()
        self._all: list[Worker] = []
        self._idle: list[Worker] = []

    @contextmanager
    def one(self) -> Iterator[Worker]:
        """A worker for one call; waits until there is one."""
        with self._places:
            worker = self._take()
            try:
                yield worker
            finally:
                with self._lock:
                    self._idle.append(worker)

    def _take(self) -> Worker:
        from reassess.verifier.worker_process import Worker

        keep_out_working_folder()
        with self._lock:
            if not self._idle:
                self._all.append(Worker())
                return self._all[-1]
            return self._idle.pop()

    def stop(self) -> None:
        """End all of them; the next call starts them again."""
        with self._lock:
            workers = list(self._all)
        for worker in workers:
            worker.stop()


_workers = Workers(available_workers())
os.register_at_fork(after_in_child=_workers.forget)
