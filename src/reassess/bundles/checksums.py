"""The checksums of an archive (`SHA256SUMS`), and whether its files still match them.

Every file is listed, once and in order, but for the list itself and its signature. What is not
listed is as wrong as what was changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from reassess.bundles.plain import NAMED, empty_folders, plain_files, problem_of, same_name
from reassess.core.errors import ReassessError
from reassess.core.files import sha256_file, write_text

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
UNLISTED = (SUMS, SIGNATURE)
# Files that only packing writes: where one of them is, checksums belong beside it.
PACKED = (SUMS, SIGNATURE, "datapackage.json", "ro-crate-metadata.json", "ABOUT.md")
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def files_of(root: Path) -> list[str]:
    """The files of an archive, sorted, without the list of checksums and its signature.

    Raises:
        ReassessError: something in it is no regular file; names it.
    """
    return [name for name in plain_files(root) if name not in UNLISTED]


def write_sums(root: Path) -> None:
    """Write the checksums of all files, as `sha256sum -c` reads them."""
    lines = [f"{sha256_file(root / name)}  {name}\n" for name in files_of(root)]
    write_text(root / SUMS, "".join(lines))


def is_packed(root: Path) -> bool:
    """Whether a folder is a packed bundle, though perhaps a damaged one; else a grid's own."""
    return any(os.path.lexists(root / name) for name in PACKED)


def listed(root: Path) -> dict[str, str]:
    """The checksums of an archive by file; empty if it has none."""
    return _read(root)[0]


def tampered(root: Path) -> list[str]:
    """What in an archive is not as its checksums say: each file with what is wrong.

    Raises:
        ReassessError: something in it is no regular file; names it.
    """
    if not is_packed(root):
        return [
            f"{SUMS}: missing, because this is a grid's own folder and no packed bundle; "
            "`reassess bundle pack` makes one of it"
        ]
    sums, wrong = _read(root)
    there = set(files_of(root))
    for name, checksum in sums.items():
        if name not in there:
            wrong.append(f"{name}: missing, though {SUMS} lists it")
        elif sha256_file(root / name) != checksum:
            wrong.append(f"{name}: not the file that {SUMS} lists; it was changed or damaged")
    if (root / SUMS).is_file():
        wrong += [f"{name}: not listed in {SUMS}" for name in sorted(there - set(sums))]
        wrong += [f"{name}/: an empty folder; remove it" for name in empty_folders(root)]
    return wrong


def require_whole(root: Path, path: Path) -> None:
    """Refuse an archive whose files do not match its checksums.

    Args:
        root: its folder.
        path: its path, for the message.

    Raises:
        ReassessError: names the files.
    """
    wrong = tampered(root)
    if wrong:
        rest = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise ReassessError(f"{path} is not as it was packed: {'; '.join(wrong[:NAMED])}{rest}")


def _read(root: Path) -> tuple[dict[str, str], list[str]]:
    """The checksums by file, and what is wrong with their list."""
    try:
        text = (root / SUMS).read_bytes().decode()
    except FileNotFoundError:
        return {}, [f"{SUMS}: missing; nothing shows that the files are those that were packed"]
    except UnicodeDecodeError:
        return {}, [f"{SUMS}: no text in UTF-8"]
    *lines, last = text.split("\n")
    wrong = [f"{SUMS}: its last line is cut off"] if last else []
    sums: dict[str, str] = {}
    names: set[str] = set()
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if match is None:
            wrong.append(f"{SUMS}: line {number} is no checksum with a name")
            continue
        checksum, name = match.groups()
        problem = problem_of(name)
        if name in UNLISTED:
            problem = "a file that it cannot list"
        elif same_name(name) in names:
            problem = "a name that it lists twice"
        if problem:
            wrong.append(f"{SUMS}: line {number}: {name!r} is {problem}")
            continue
        names.add(same_name(name))
        sums[name] = checksum
    if list(sums) != sorted(sums):
        wrong.append(f"{SUMS}: its lines are not in the order of their names, as they are packed")
    return sums, wrong
