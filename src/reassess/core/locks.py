"""Locks that end with their holder, however it ends."""

from __future__ import annotations

import errno
import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reassess.core.errors import ReassessError

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold `path` locked; wait, and say so, while another process holds it.

    Raises:
        ReassessError: the file system of `path` has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path} is held by another job; waiting for it to end", file=sys.stderr)
            _lock(handle, fcntl.LOCK_EX)
        yield


def _lock(handle: IO[str], how: int) -> None:
    try:
        fcntl.flock(handle, how)
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise ReassessError(
                f"the file system of {handle.name} has no locks ({error.strerror}), so two jobs could train one cell at once; "
                "mount it with flock, or point `scratch:` at another one"
            ) from error
        raise


def is_held(path: Path) -> bool:
    """Return whether a process holds `path` locked."""
    try:
        with path.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
