"""Processes that end with the one they work for, however that one ends.

A process that is killed can tell nobody. So each process that works for another watches it, by its
number and the time of its start; its number alone may be in use again. The number is handed down in
a variable of the environment, since shells stand between. On Linux a descriptor (`pidfd_open`)
reports the end at once; elsewhere it is looked for twice a second.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

OWNER = "REASSESS_OWNER"  # the process that the process with this variable works for
GRACE = "REASSESS_STOP_SECONDS"  # seconds in which what is to end may save
DEFAULT_GRACE = 60.0
POLL = 0.5  # seconds between two looks where the kernel reports no end
KILLING = 30.0  # seconds after which what SIGKILL does not end is given up

# prctl(2)
PDEATHSIG, CHILD_SUBREAPER = 1, 36


def grace() -> float:
    """Seconds in which processes that are told to end may save, before they are killed."""
    try:
        return max(0.0, float(os.environ[GRACE]))
    except (KeyError, ValueError):
        return DEFAULT_GRACE


def not_ignored(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Those signals that the caller of this process does not let it ignore.

    `nohup` ignores SIGHUP, and a shell SIGINT for what it runs in the background; they stay so.
    """
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def handled(
    numbers: Iterable[signal.Signals], handle: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Handle signals inside the context; the earlier handlers return afterwards.

    Outside of the main thread, which alone may set handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def myself() -> str:
    """This process, as the value of `OWNER` for those that work for it."""
    return f"{_namespace()} {os.getpid()} {_start_of(os.getpid())}"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; one that has ended and was not awaited does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    fields = _stat(pid)
    return fields[:1] not in (["Z"], ["X"])


class Watched:
    """A process whose end is waited for."""

    def __init__(self, pid: int, start: str = "") -> None:
        """Watch a process.

        Args:
            pid: its number.
            start: the time of its start as the kernel counts it; empty if unknown.
        """
        self.pid = pid
        self._start = start or _start_of(pid)
        self.descriptor: int | None = None  # readable once it has ended
        if sys.platform == "linux":
            with suppress(OSError):
                self.descriptor = os.pidfd_open(pid)

    def ended(self) -> bool:
        """Whether it has ended."""
        return not is_alive(self.pid) or _start_of(self.pid) != self._start

    def wait(self) -> None:
        """Wait for its end."""
        while not self.ended():
            if self.descriptor is None:
                time.sleep(POLL)
            else:
                select.select([self.descriptor], [], [])


def owner() -> Watched | None:
    """The process that this one works for, if it was given one that this machine can watch."""
    try:
        namespace, pid, start = os.environ.get(OWNER, "").split()
    except ValueError:
        return None
    return Watched(int(pid), start) if namespace == _namespace() else None


def end_with_owner() -> None:
    """Receive SIGTERM when the owner ends, and SIGKILL once there was time to save.

    What this process has started is killed with it.
    """
    watched = owner()
    if watched is None:
        return
    adopt_orphans()
    wake_at_death_of_parent()
    threading.Thread(target=_follow, args=(watched,), daemon=True).start()


def _follow(watched: Watched) -> None:
    watched.wait()
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace())
    kill_below()
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends; only Linux can.

    Args:
        parent: the number of the process that has started this one, which may have ended before.
    """
    if _prctl(PDEATHSIG, signal.SIGKILL) and os.getppid() != parent:
        os._exit(1)


def wake_at_death_of_parent() -> None:
    """Let this process continue, if it is stopped, when its parent ends, so that it notices."""
    _prctl(PDEATHSIG, signal.SIGCONT)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends, so that they can be found."""
    _prctl(CHILD_SUBREAPER, 1)


def below() -> list[psutil.Process]:
    """The processes below this one that have not ended."""
    import psutil

    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill_below() -> None:
    """Kill all processes below this one, those that are being started included."""
    deadline = time.monotonic() + KILLING
    while (left := below()) and time.monotonic() < deadline:
        terminate(left, signal.SIGKILL)
        time.sleep(0.02)


def terminate(processes: Iterable[psutil.Process], number: int = signal.SIGTERM) -> None:
    """Send a signal to processes; some may have ended meanwhile."""
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


def resume(processes: Iterable[psutil.Process]) -> None:
    """Let processes continue that are stopped; those that are not do not notice."""
    terminate(processes, signal.SIGCONT)


def _prctl(option: int, value: int) -> bool:
    """Whether the kernel has this call and has done it."""
    return sys.platform == "linux" and bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty where there is none."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _start_of(pid: int) -> str:
    """When a process started, in ticks since the machine did; "?" where nothing tells."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else "?"


def _namespace() -> str:
    """What numbers of processes mean here: the machine's start, and the container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return "?"
