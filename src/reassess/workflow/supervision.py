"""What a run's own processes promise: one run of a grid at a time, and none outlives its end."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from reassess.core import lifetime
from reassess.core.errors import ReassessError
from reassess.core.lifetime import below, resume, terminate
from reassess.core.locks import refused_if_held
from reassess.grid.study import Grid
from reassess.workflow.signals import (
    OrderlyEnd,
    follow_signals,
    forward_to_trainers,
    heeded,
    is_job,
)

LOCK = "REASSESS_RUN_LOCK"  # the descriptor by which a Snakemake has the lock of its `reassess run`
LEAVING = 30.0  # seconds in which a process must leave once all below it has ended

_held = ExitStack()  # until the process ends


@contextmanager
def only_run(grid: Grid) -> Iterator[int]:
    """Be the only run of a grid inside the context.

    Yields:
        the descriptor of the lock. A child that inherits it holds the lock as long as it lives.

    Raises:
        ReassessError: another run of this grid is in progress.
    """
    with refused_if_held(_lock(grid), f"grid {grid.config.grid!r}") as lock:
        yield lock.fileno()


def supervise(grid: Grid, local: bool) -> None:
    """In a Snakemake that begins to run jobs: hold the grid's lock, and end them with it.

    Args:
        grid: what it makes.
        local: whether its jobs are processes of this machine. A cluster's jobs continue without it.

    Raises:
        WorkflowError: another run of this grid is in progress.
    """
    if not _inherited(_lock(grid)):
        try:
            _held.enter_context(only_run(grid))
        except ReassessError as error:
            from snakemake.exceptions import WorkflowError

            raise WorkflowError(str(error)) from error
    if not local:
        os.environ.pop(lifetime.OWNER, None)
        forward_to_trainers()
        return
    os.environ[lifetime.OWNER] = lifetime.myself()
    lifetime.adopt_orphans()
    end = OrderlyEnd(is_job, then=_Leaving().begin)
    atexit.register(end.leave)
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        numbers = heeded()
        follow_signals(lambda number: end.receive(number) if number in numbers else None)


class _Leaving:
    """What makes this process leave some time after all below it has ended."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._timer: threading.Timer | None = None

    def begin(self, code: int) -> None:
        """Leave with an exit code, unless the process has by then, or `stop` is called."""
        self._timer = threading.Timer(LEAVING, os._exit, [code])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Do not leave."""
        if self._timer is not None:
            self._timer.cancel()


@contextmanager
def ending_on_signals(local: bool) -> Iterator[OrderlyEnd]:
    """End what runs below this process on a signal; wait for that end when the context is left.

    Args:
        local: whether jobs are processes of this machine. Those of a cluster are none of ours:
            SIGTERM ends only the Snakemake here, and SIGINT lets it cancel them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield OrderlyEnd(is_job)  # only the main thread may set handlers
        return
    if local:
        lifetime.adopt_orphans()
    me = os.getpid()
    leaving = _Leaving()  # this process may be busy with what no signal interrupts
    end = OrderlyEnd(lambda process: is_job(process) or process.ppid() == me, then=leaving.begin)

    def handle(number: int, frame: object) -> None:
        if end.received is None:
            _announce(number, local)
            if not local and number == signal.SIGINT:
                end.number = signal.SIGINT
        end.receive(number)

    suspending = lifetime.not_ignored((signal.SIGTSTP,))
    with lifetime.handled(heeded(), handle), lifetime.handled(suspending, _suspend):
        try:
            yield end
        finally:
            end.wait()
            leaving.stop()


def _announce(number: int, local: bool) -> None:
    """Say what is going on; the output may be gone, as where a terminal was closed."""
    what = "trainers save" if local else "jobs on the cluster are left to Snakemake"
    again = f"the same signal again ends everything at once, as do {lifetime.grace():.0f} s"
    with suppress(OSError):
        os.write(2, f"\n{signal.Signals(number).name}: {what}; {again}\n".encode())


def _suspend(number: int, frame: object) -> None:
    """Stop together with what runs below, which a terminal's Ctrl-Z does not reach."""
    processes = below()
    terminate(processes, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    resume(processes)


def _lock(grid: Grid) -> Path:
    return grid.paths.scratch / "run.lock"


def _inherited(lock: Path) -> bool:
    """Whether this process has the open lock of the `reassess run` that started it."""
    try:
        return os.path.samestat(os.fstat(int(os.environ[LOCK])), lock.stat())
    except (KeyError, ValueError, OSError):
        return False
