"""What helps against the errors of a file system: one line for each kind."""

from __future__ import annotations

import errno
import re

_ELSEWHERE = "point `results:` or `scratch:` in the config at another folder"
_REMEDIES = {
    errno.ENOSPC: f"the disk is full: free some space, or {_ELSEWHERE}",
    errno.EDQUOT: f"your quota is used up: free some space (`quota -s` shows it), or {_ELSEWHERE}",
    errno.EROFS: f"nothing can be written there: {_ELSEWHERE}",
    errno.EACCES: f"your user has no right to it: change the folder's rights, or {_ELSEWHERE}",
    errno.EPERM: f"your user has no right to it: change the folder's rights, or {_ELSEWHERE}",
    errno.EFBIG: "a limit on the size of files: raise it by `ulimit -f unlimited`",
    errno.EMFILE: "too many open files in one process: raise the limit, `ulimit -n 4096`",
    errno.ENFILE: "too many open files on this machine: close other programs",
    errno.ENAMETOOLONG: f"the path is too long: {_ELSEWHERE}",
    errno.ENOTDIR: f"a part of the path is a file: remove it, or {_ELSEWHERE}",
    errno.EIO: "the disk or the network file system failed: its owner can say why; then run again",
    errno.ESTALE: "the network file system lost the file: run again",
}


def remedy(error: BaseException) -> str | None:
    """What helps against an error of the file system; None if it is another kind of error.

    Libraries raise such errors as exceptions of their own: the number is then read from the text,
    `[errno 28]` (Arrow) or `(os error 28)` (safetensors), or from what the error was raised from.
    """
    cause: BaseException | None = error
    while cause is not None:
        number = cause.errno if isinstance(cause, OSError) else None
        named = re.search(r"\b(?:errno|os error) (\d+)", str(cause), re.IGNORECASE)
        for one in (number, int(named[1]) if named else None):
            if one in _REMEDIES:
                return _REMEDIES[one]
        cause = cause.__cause__
    return None
