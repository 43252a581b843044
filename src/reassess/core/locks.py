"""Locks on files, by flock(2): the kernel releases one when its holder ends, however it ends.

This does without the package `filelock` for two reasons. Its locks by flock(2) are exclusive only,
so that two processes that merely check whether a lock is held would take each other for holders.
And it waits by polling, where the kernel wakes a waiter at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from reassess.core.errors import ReassessError

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


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
def refused_if_held(path: Path, subject: str) -> Iterator[None]:
    """Hold `path` locked, with the number of this process in it; do not wait.

    Args:
        path: the file to lock.
        subject: what is being run by the process that holds the lock, for the error's message.

    Raises:
        ReassessError: another process holds the lock, or the file system of `path` has none.
    """
    with _opened(path) as lock:
        if not _taken(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            lock.seek(0)
            raise ReassessError(
                f"{subject} is being run by process {lock.read().strip()}; wait for it or end it"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


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
