"""Locks on files, by flock(2): the kernel releases one when its holder ends, however it ends.

This does without the package `filelock` for two reasons. Its locks by flock(2) are exclusive only,
so that two processes that merely check whether a lock is held would take each other for holders.
And it waits by polling, where the kernel wakes a waiter at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from reassess.core.errors import ReassessError
from reassess.core.lifetime import grace, is_alive

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
MARGIN = 30.0  # seconds that what is being ended may take beyond its time to save


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold `path` locked; wait, and report it, while another process holds it.

    Raises:
        ReassessError: the file system of `path` has no locks.
    """
    with _opened(path) as lock:
        if not _taken(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            print(f"{path} is held by another job; waiting for it to end", file=sys.stderr)
            _taken(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def refused_if_held(path: Path, subject: str) -> Iterator[TextIO]:
    """Hold `path` locked, with the number and the host of this process in it.

    Whoever inherits the open file holds the lock, too. So it may be held by what a killed process
    has started: that is ending, and is waited for. Nobody else is.

    Args:
        path: the file to lock.
        subject: what is being run by the process that holds the lock, for the error's message.

    Yields:
        the open file.

    Raises:
        ReassessError: another process holds the lock, or the file system of `path` has none.
    """
    with _opened(path) as lock:
        if not _taken(lock, fcntl.LOCK_EX | fcntl.LOCK_NB) and not _taken_over(lock, subject):
            raise ReassessError(f"{subject} is being run by {_holder(lock)}; wait for it or end it")
        lock.truncate(0)
        lock.write(f"{os.getpid()} {socket.gethostname()}")
        lock.flush()
        try:
            yield lock
        finally:
            lock.truncate(0)  # nobody's, as long as the next holder has not written


def _taken_over(lock: TextIO, subject: str) -> bool:
    """Wait for what a killed holder has left; False if it lives, or lives elsewhere."""
    pid, host = _named(lock)
    if pid is None or host != socket.gethostname() or is_alive(pid):
        return False
    print(f"{subject}: an earlier run was killed and is still ending; waiting", file=sys.stderr)
    deadline = time.monotonic() + grace() + MARGIN
    while not _taken(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _holder(lock: TextIO) -> str:
    """Who holds a lock, in words."""
    pid, host = _named(lock)
    if pid is None:
        return "another process"
    where = f"host {host}" if host != socket.gethostname() else f"this host, {host}"
    ended = host == socket.gethostname() and not is_alive(pid)
    return f"process {pid} on {where}" + (", or by what it has left behind" if ended else "")


def _named(lock: TextIO) -> tuple[int | None, str]:
    """The process and the host that a lock's file names."""
    lock.seek(0)
    pid, _, host = lock.read().strip().partition(" ")
    return (int(pid) if pid.isdecimal() else None), host


def is_held(path: Path) -> bool:
    """Whether a process holds `path` locked. Others do not notice that it is being examined."""
    try:
        with path.open() as lock:
            return not _taken(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False


def _opened(path: Path) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+")


def _taken(lock: TextIO, how: int) -> bool:
    """Lock an open file; False if another process holds it and `how` does not wait."""
    try:
        fcntl.flock(lock, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise ReassessError(
                f"the file system of {lock.name} has no locks ({error.strerror}), so two jobs "
                "could train one cell at once; mount it with flock, or point `scratch:` at another"
            ) from error
        raise
    return True
