"""Symbolic comparison by math-verify, in a worker process with a time limit for each comparison.

Parsing and simplifying what a model wrote may never end, even inside a single call of C code, and
may run in any thread: only a separate process can be stopped then. The process belongs to the one
that started it: a fork starts its own, and none outlives its owner.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import signal
import sys
import threading
import time
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType

from pebble import ProcessExpired, ProcessPool

from reassess.core.errors import ReassessError

START_SECONDS = 60.0  # for the worker to start and import math-verify
ORPHAN_SECONDS = 5  # beyond the limit, after which a worker whose owner was killed ends itself


class _Worker:
    """The worker of this process, behind a pool of one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None

    def compare(self, extracted: str, answer: str, seconds: float) -> bool:
        """As `equal_in_mathematics`."""
        with self._lock:
            try:
                return self._compare(extracted, answer, seconds)
            except (OSError, RuntimeError):
                self.stop()  # a signal to the whole job may have ended the worker: compare again
            try:
                return self._compare(extracted, answer, seconds)
            except ProcessExpired:
                return False  # it is this comparison that ends the worker
            except (OSError, RuntimeError) as error:
                self.stop()
                raise ReassessError(f"the worker of math-verify does not start: {error}") from error

    def _compare(self, extracted: str, answer: str, seconds: float) -> bool:
        if self._pool is None or not self._pool.active:
            self.stop()
            self._pool = ProcessPool(max_workers=1, initializer=_warm_up, context=_Context())
        future = self._pool.schedule(_compare, (extracted, answer, seconds), timeout=seconds)
        deadline = time.monotonic() + START_SECONDS + seconds
        while not wait([future], timeout=1.0).done:
            if not self._pool.active or time.monotonic() > deadline:
                raise BrokenProcessPool("it ended, or took too long, before the comparison")
        try:
            return future.result()
        except TimeoutError:
            return False
        except ImportError as error:
            raise ReassessError(f"the worker of math-verify cannot import it: {error}") from error

    def stop(self) -> None:
        """End the process if there is one; the next comparison starts another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()

    def forget(self) -> None:
        """In a fork: leave the process to its owner."""
        self._lock, self._pool = threading.Lock(), None


_worker = _Worker()
os.register_at_fork(after_in_child=_worker.forget)


def equal_in_mathematics(extracted: str, answer: str, seconds: float) -> bool:
    """Whether math-verify calls the two equal; False if it fails or takes longer than `seconds`.

    The worker starts with the first call, and again after one that took too long. Text is parsed as
    LaTeX, never evaluated as code.

    Raises:
        ReassessError: the worker cannot be started, or cannot import math-verify.
    """
    return _worker.compare(extracted, answer, seconds)


@atexit.register
def stop() -> None:
    """End the worker if there is one.

    A process that leaves by `os._exit`, which runs no exit handlers, calls this first; otherwise
    Python's resource tracker warns of leaked semaphores.
    """
    _worker.stop()


class _WorkerProcess(SpawnProcess):
    """A process that does not import its owner's script, and that no fork of the owner touches."""

    def start(self) -> None:
        """Start without `__main__`, since a script may lack the guard needed to import it again."""
        self.owner = os.getpid()
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main

    def terminate(self) -> None:
        """Kill: inside a long call of C code, Python does not handle SIGTERM."""
        if self.owner == os.getpid():
            self.kill()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end; the exit handlers of a fork call this, too, and return at once."""
        if self.owner == os.getpid():
            super().join(timeout)

    def is_alive(self) -> bool:
        """Whether the process runs, to its owner."""
        return self.owner == os.getpid() and super().is_alive()


class _Context(SpawnContext):
    Process = _WorkerProcess  # type: ignore[assignment]


def _warm_up() -> None:
    """Prepare the worker outside the time limit; `_compare` reports a failed import."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # warns that it has no time limit
    with suppress(ImportError):
        import math_verify  # noqa: F401


def _compare(extracted: str, answer: str, seconds: float) -> bool:
    from math_verify import parse, verify

    signal.alarm(math.ceil(seconds) + ORPHAN_SECONDS)  # ends the process, also inside C code
    try:
        gold = parse(f"${answer}$", parsing_timeout=None)
        prediction = parse(f"${extracted}$", parsing_timeout=None)
        return bool(verify(gold, prediction, timeout_seconds=None))
    except Exception:
        return False  # what cannot be parsed is wrong
    finally:
        signal.alarm(0)
