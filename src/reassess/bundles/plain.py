"""What may be in an archive: regular files with ordinary names, in folders or in a zip file."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from reassess.core.errors import ReassessError

WRITABLE = 0o222
SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
NAMED = 10  # of many problems, how many are named
KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def problem_of(name: str) -> str | None:
    """What is wrong with a file's name in an archive; None for a relative one in normal form.

    A name must mean the same file everywhere: no drive, no backslash, nothing unprintable.
    """
    parts = name.split("/")
    if name.startswith("/"):
        return "an absolute path"
    if not all(parts) or {".", ".."} & set(parts):
        return "no path in normal form"
    if set("\\:") & set(name) or not name.isprintable():
        return "a name with a backslash, a colon or an unprintable character"
    if any(part != part.strip() for part in parts):
        return "a name with spaces around it"
    return None


def same_name(name: str) -> str:
    """A key that two names share if some file system takes them for one file."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def plain_files(root: Path) -> list[str]:
    """The files below a folder, sorted.

    A file that has another name elsewhere (a hard link) is accepted if nobody may write to it, as
    in stores that keep equal files once.

    Raises:
        ReassessError: there is anything but folders and regular files, or a file has an odd name;
            names them.
    """
    names, wrong = [], []
    for entry in _entries(root):
        name = Path(entry.path).relative_to(root).as_posix()
        about = entry.stat(follow_symlinks=False)
        kind = stat.S_IFMT(about.st_mode)
        problem = problem_of(name)
        if kind == stat.S_IFREG and about.st_nlink > 1 and about.st_mode & WRITABLE:
            problem = "a hard link, whose content may change from elsewhere"
        elif kind not in (stat.S_IFREG, stat.S_IFDIR):
            problem = KINDS.get(kind, "no regular file")
        elif kind == stat.S_IFREG and about.st_mode & SPECIAL:
            problem = "set to run as its owner or group, or sticky (`chmod 644` it)"
        if problem:
            wrong.append(f"{name!r} is {problem}")
        elif kind == stat.S_IFREG:
            names.append(name)
    if wrong:
        rest = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise ReassessError(
            f"{root} holds what no archive holds: {'; '.join(sorted(wrong)[:NAMED])}{rest}. "
            "Nothing was read; remove or replace them"
        )
    return sorted(names)


def empty_folders(root: Path) -> list[str]:
    """The folders below a folder that hold no file at any depth, sorted.

    Raises:
        ReassessError: a folder cannot be read.
    """
    folders: set[Path] = set()
    full: set[Path] = set()
    for entry in _entries(root):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            folders.add(path)
        else:
            full.update(path.parents)
    return sorted(path.relative_to(root).as_posix() for path in folders - full)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield everything below a folder; no link is followed.

    Raises:
        ReassessError: a folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(Path(entry.path))
    except OSError as error:
        raise ReassessError(f"{folder} cannot be read ({error.strerror})") from error
