"""One worker process: its start, its limits, and its end.

A call finds the same hash seed and the same random numbers each time, so that sympy takes the same
path.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import threading
import time
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Literal

from pebble import ProcessExpired, ProcessPool

from reassess.core.errors import ReassessError
from reassess.core.lifetime import die_with_parent

MEMORY = 2**30  # bytes of data that a worker may have
START_SECONDS = 1800.0  # in which a living process must have started, on however busy a machine

OUT_OF_MEMORY = 77  # exit code
# What a process does to itself; another one sends other signals.
CRASHES = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)

# The value of a call; or why there is none, or that it cannot even be imported.
Outcome = tuple[Literal["done", "undecided", "lacking"], object]


class Worker:
    """One process, behind a pool of one, that is started by a call and again after its end."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._pool: ProcessPool | None = None
        self._ended = threading.Event()

    def call(
        self, module: str, function: str, arguments: tuple[str, ...], cpu_seconds: float
    ) -> Outcome:
        """Call a function; a second time if the process ends for no reason of its own.

        A call that exceeds a limit, crashes, or raises an error is undecided.

        Raises:
            ReassessError: the process cannot be started, cannot import the function, or is ended
                both times by a signal from outside.
        """
        task = (module, function, arguments, cpu_seconds)
        try:
            return self._call(task)
        except (OSError, RuntimeError):
            self.stop()  # a signal to the whole job may have ended it
        try:
            return self._call(task)
        except ProcessExpired as error:
            cause = _name_of(error.exitcode)
            if -error.exitcode in CRASHES:
                return "undecided", f"it ends by {cause}"
            self.stop()
            raise ReassessError(f"the worker of math-verify was ended twice by {cause}") from error
        except (OSError, RuntimeError) as error:
            self.stop()
            raise ReassessError(f"the worker of math-verify does not start: {error}") from error

    def _call(self, task: tuple[str, str, tuple[str, ...], float]) -> Outcome:
        pool = self._started(task[0])
        try:
            outcome, value = _result(pool, pool.schedule(_execute, task))
        except ProcessExpired as error:
            if error.exitcode == -signal.SIGPROF:
                return "undecided", f"it takes more than {task[-1]} s of CPU time"
            if error.exitcode == OUT_OF_MEMORY:
                return "undecided", f"it takes more than {MEMORY >> 20} MiB of memory"
            raise
        except BaseException:
            self.stop()  # it may still be at work, for nobody
            raise
        if outcome == "lacking":
            raise ReassessError(f"the worker of math-verify cannot import it: {value}")
        return outcome, value

    def _started(self, module: str) -> ProcessPool:
        if self._pool is not None and self._pool.active:
            return self._pool
        self.stop()
        self._pool = ProcessPool(1, initializer=_warm_up, initargs=[module], context=_Context())
        self._ended = threading.Event()
        started: Future[bool] = Future()
        threading.Thread(target=_hold, args=(self._pool, started, self._ended), daemon=True).start()
        started.result()
        return self._pool

    def stop(self) -> None:
        """End the process if there is one; the next call starts another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()
            self._ended.set()


def _hold(pool: ProcessPool, started: Future[bool], ended: threading.Event) -> None:
    """Start a pool in a thread that stays until its end.

    The kernel ends a process with the thread that started it (see `end_with_owner`).
    """
    try:
        started.set_result(pool.active)  # the first look starts it
    except Exception as error:
        started.set_exception(error)
    else:
        ended.wait()


def _result(pool: ProcessPool, future: Future[Outcome]) -> Outcome:
    """Wait for the end of a call, however long it takes on the clock."""
    deadline = time.monotonic() + START_SECONDS
    while not wait([future], timeout=1.0).done:
        if not pool.active:
            raise BrokenProcessPool("it ended before the comparison")
        if time.monotonic() > deadline and not future.running():
            raise BrokenProcessPool(f"it did not within {START_SECONDS:.0f} s")
    return future.result()


def _name_of(exit_code: int) -> str:
    """What an exit code of a process means."""
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


class _WorkerProcess(SpawnProcess):
    """A process that does not import its owner's script, and that no fork of the owner touches."""

    def start(self) -> None:
        """Start without `__main__`, since a script may lack the guard needed to import it again.

        The hash seed is set for the new process alone; `os.environ`, which other threads may read,
        keeps its value.
        """
        self.owner = os.getpid()
        with _starting:
            main, seed = sys.modules["__main__"], os.environ.get("PYTHONHASHSEED")
            sys.modules["__main__"] = ModuleType("__main__")
            os.putenv("PYTHONHASHSEED", "0")
            try:
                super().start()
            finally:
                sys.modules["__main__"] = main
                if seed is None:
                    os.unsetenv("PYTHONHASHSEED")
                else:
                    os.putenv("PYTHONHASHSEED", seed)

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


_starting = threading.Lock()


def _new_lock() -> None:
    global _starting  # noqa: PLW0603 - another thread may have held it when the process was forked
    _starting = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)


# --- in the worker -------------------------------------------------------------------------------


def _warm_up(module: str) -> None:
    """Set the limits, and import what calls need, outside the limit of the first of them."""
    end_with_owner()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    with suppress(ImportError):  # `_execute` reports it
        getattr(importlib.import_module(module), "warm_up", lambda: None)()
    with suppress(ValueError, OSError):  # a lower limit is in force
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def end_with_owner() -> None:
    """End this process with the one that started it.

    On Linux the kernel kills it with the thread that started it, whatever it is busy with.
    Elsewhere a thread waits for the end of its pipe, as it does here should the kernel fail to; in
    the midst of C code the limit of CPU time comes first.
    """
    owner = multiprocessing.parent_process()
    if owner is not None:
        die_with_parent(owner.pid or 0)
        threading.Thread(target=_follow, args=(owner,), daemon=True).start()


def _follow(owner: BaseProcess) -> None:
    owner.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _execute(module: str, function: str, arguments: tuple[str, ...], cpu_seconds: float) -> Outcome:
    """Call a function; the signal of the timer ends the process, since it has no handler."""
    try:
        act = getattr(importlib.import_module(module), function)
    except ImportError as error:
        return "lacking", str(error)
    random.seed(0)
    if (sympy_random := sys.modules.get("sympy.core.random")) is not None:
        sympy_random.seed(0)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        return "done", act(*arguments)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # what is left of the memory is not what another call would find
    except ImportError as error:
        return "lacking", str(error)
    except Exception as error:
        return "undecided", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
