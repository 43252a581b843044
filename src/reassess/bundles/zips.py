"""Zip files: written so that equal files give equal bytes, and read with suspicion.

`pack` writes plain ones. An ordinary `zip -r` of an unpacked bundle is read too: with folders as
entries, all inside one folder, compressed in any way that the standard library knows.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from reassess.bundles.plain import problem_of, same_name
from reassess.core.errors import ReassessError
from reassess.core.files import is_disk_full, replacing

# The time of every file in an archive: a real one would make every archive differ.
DATE = (1980, 1, 1, 0, 0, 0)
LARGEST = 8 * 2**30  # bytes of an unpacked archive; a larger one is refused as an attack
MOST = 10_000  # entries
CHUNK = 2**20  # bytes that are unpacked at a time
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flags of an entry: its content, or the directory itself
ANCHOR = "bundle/study.json"  # every archive has it
UNREADABLE = (  # what the standard library raises of damaged archives
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    RuntimeError, UnicodeError, ValueError, OverflowError,
)  # fmt: skip


def write_zip(root: Path, names: Iterable[str], out: Path) -> None:
    """Write files of a folder, uncompressed and without their times and modes."""
    with (
        replacing(out) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name in names:
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, (root / name).read_bytes())


def unpack(path: Path, into: Path) -> None:
    """Unpack an archive: regular files below `into` only, each once, within a limit of size.

    Raises:
        ReassessError: it is no zip file, is damaged, or breaks one of these rules; names the entry.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment:
                raise ReassessError(f"{path} has a comment, which no checksum covers; refused")
            left = LARGEST
            for name, entry in _files(path, archive.infolist()).items():
                left -= _copy(path, archive, entry, into / name, left)
    except UNREADABLE as error:
        raise ReassessError(f"{path} is no readable archive ({error})") from error
    except OSError as error:
        if is_disk_full(error):
            raise ReassessError(
                f"{path} cannot be unpacked: {into.parent} is full; TMPDIR names another folder"
            ) from error
        raise ReassessError(f"{path} is no readable archive ({error})") from error


def _files(path: Path, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by name, without the folder around them.

    Raises:
        ReassessError: an entry is anything but a plain file or folder inside the archive, or two
            are one file; names it.
    """
    if len(entries) > MOST or sum(entry.file_size for entry in entries) > LARGEST:
        raise _too_large(path)
    for entry in entries:
        if problem := _problem_of(entry):
            raise _refused(path, entry, problem)
    top = _top([entry.filename for entry in entries])
    files: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.is_dir() and top.startswith(entry.filename):
            continue
        if not entry.filename.startswith(top):
            raise _refused(path, entry, f"not inside {top!r}, as the bundle is")
        name = entry.filename.removeprefix(top).removesuffix("/")
        if same_name(name) in seen:
            raise _refused(path, entry, "there twice, or in two spellings")
        seen.add(same_name(name))
        if not entry.is_dir():
            files[name] = entry
    folders = {same_name(str(parent)) for name in files for parent in Path(name).parents}
    for name, entry in files.items():
        if same_name(name) in folders:
            raise _refused(path, entry, "a file and a folder")
    if ANCHOR not in files:
        raise ReassessError(f"{path} is no bundle: it holds no {ANCHOR}")
    return files


def _top(names: list[str]) -> str:
    """The folder that a whole bundle is in, with a slash at its end; empty if there is none."""
    tops = [name.removesuffix(ANCHOR) for name in names if f"/{name}".endswith(f"/{ANCHOR}")]
    return tops[0] if len(tops) == 1 else ""


def _problem_of(entry: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry; None for a plain file or folder inside the archive."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\0" in entry.orig_filename:
        return "a name with an unprintable character"
    if problem := problem_of(entry.filename.removesuffix("/")):
        return problem
    if entry.flag_bits & ENCRYPTED:
        return "encrypted"
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return "a link or device, or not what its name says"
    if entry.comment:
        return "with a comment, which no checksum covers"
    return "a folder with content" if entry.is_dir() and entry.file_size else None


def _copy(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int
) -> int:
    """Unpack one file of at most `limit` bytes, whatever the archive says; return its size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with archive.open(entry) as source, target.open("xb") as copy:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise _too_large(path)
            copy.write(chunk)
    if size != entry.file_size:
        raise _refused(path, entry, f"of {size} bytes, though the archive states another size")
    return size


def _refused(path: Path, entry: zipfile.ZipInfo, problem: str) -> ReassessError:
    return ReassessError(
        f"{path}: its entry {entry.filename!r} is {problem}, and no plain file of a bundle; refused"
    )


def _too_large(path: Path) -> ReassessError:
    return ReassessError(
        f"{path} would unpack to more than {LARGEST // 2**30} GiB or {MOST} files; refused"
    )
