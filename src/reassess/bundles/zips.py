"""Zip files: written so that equal files give equal bytes, and read with suspicion.

`pack` writes plain ones. An ordinary `zip -r` of an unpacked bundle is read too: with folders as
entries, all inside one folder, with times and owners, stored or deflated, written to a file or into
a pipe. Every byte has a known purpose (`reassess.bundles.zip_layout`); times, owners and modes are
the only ones that no checksum covers, and none of them is applied.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from reassess.bundles.plain import SPECIAL, problem_of, same_name
from reassess.bundles.zip_layout import Entry, LayoutError, read_directory, require_tiled
from reassess.core.errors import ReassessError
from reassess.core.files import is_disk_full, replacing

# The time of every file in an archive: a real one would make every archive differ.
DATE = (1980, 1, 1, 0, 0, 0)
LARGEST = 8 * 2**30  # bytes of an unpacked archive; a larger one is refused as an attack
MOST = 10_000  # entries
CHUNK = 2**20  # bytes that are unpacked at a time
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flags of an entry: its content, or the directory itself
KNOWN = 0x2 | 0x4 | 0x8 | 0x800  # flags: how well it is deflated, sizes behind it, a name in UTF-8
STORED, DEFLATED = 0, 8  # what every program reads
ANCHOR = "bundle/study.json"  # every archive has it
REMEDY = (
    "Refused. If you know where it comes from, unpack it and zip the folder again "
    "(`zip -r -X new.zip FOLDER`); else get another copy"
)


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
        with path.open("rb") as file:
            directory = read_directory(file, MOST)
            files = _files(path, directory.entries)
            starts = require_tiled(file, directory)
            targets = {entry: into / name for name, entry in files.items()}
            left = LARGEST
            for entry, start in starts.items():
                file.seek(start)
                left -= _copy(path, file, entry, targets.get(entry), left)
    except LayoutError as error:
        raise ReassessError(f"{path} {error}. {REMEDY}") from error
    except zlib.error as error:
        raise ReassessError(f"{path} is no readable archive ({error}). {REMEDY}") from error
    except OSError as error:
        if is_disk_full(error):
            raise ReassessError(
                f"{path} cannot be unpacked: {into.parent} is full; TMPDIR names another folder"
            ) from error
        raise ReassessError(f"{path} is no readable archive ({error})") from error


def _files(path: Path, entries: list[Entry]) -> dict[str, Entry]:
    """The files of an archive by name, without the folder around them.

    Raises:
        ReassessError: an entry is anything but a plain file or folder inside the archive, or two
            are one file; names it.
    """
    if len(entries) > MOST or sum(entry.size for entry in entries) > LARGEST:
        raise _too_large(path)
    for entry in entries:
        if problem := _problem_of(entry):
            raise _refused(path, entry, problem)
    top = _top([entry.name for entry in entries])
    files: dict[str, Entry] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.is_dir() and top.startswith(entry.name):
            continue
        if not entry.name.startswith(top):
            raise _refused(path, entry, f"not inside {top!r}, as the bundle is")
        name = entry.name.removeprefix(top).removesuffix("/")
        if same_name(name) in seen:
            raise _refused(path, entry, "there twice, or in two spellings")
        seen.add(same_name(name))
        if not entry.is_dir():
            files[name] = entry
    folders = {same_name(str(parent)) for name in files for parent in Path(name).parents}
    for entry in entries:
        name = same_name(entry.name.removeprefix(top).removesuffix("/"))
        if not entry.is_dir() and name in folders:
            raise _refused(path, entry, "a file and a folder")
        if entry.is_dir() and name not in folders and not top.startswith(entry.name):
            raise _refused(path, entry, "an empty folder, which no checksum covers")
    if ANCHOR not in files:
        raise ReassessError(f"{path} is no bundle: it holds no {ANCHOR}")
    return files


def _top(names: list[str]) -> str:
    """The folder that a whole bundle is in, with a slash at its end; empty if there is none."""
    tops = [name.removesuffix(ANCHOR) for name in names if f"/{name}".endswith(f"/{ANCHOR}")]
    return tops[0] if len(tops) == 1 else ""


def _problem_of(entry: Entry) -> str | None:
    """What is wrong with an entry; None for a plain file or folder inside the archive."""
    kind = stat.S_IFMT(entry.mode)
    problems = {
        problem_of(entry.name.removesuffix("/")): True,
        "encrypted": entry.flags & ENCRYPTED,
        f"compressed in a way that not every program reads (method {entry.method})": (
            entry.flags & ~KNOWN or entry.method not in (STORED, DEFLATED)
        ),
        "a link or device, or not what its name says": (
            kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG)
        ),
        "set to run as its owner or group, or sticky": entry.mode & SPECIAL and not entry.is_dir(),
        "with a comment, which no checksum covers": entry.has_comment,
        "a folder with content": entry.is_dir() and entry.size,
    }
    return next((problem for problem, found in problems.items() if problem and found), None)


def _copy(path: Path, file: BinaryIO, entry: Entry, target: Path | None, limit: int) -> int:
    """Unpack one file of at most `limit` bytes, whatever the archive says; return its size.

    A folder has no target; it must hold nothing.
    """
    size = checksum = 0
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
    with nullcontext() if target is None else target.open("xb") as copy:
        for chunk in _content(path, file, entry):
            size += len(chunk)
            checksum = zlib.crc32(chunk, checksum)
            if size > limit:
                raise _too_large(path)
            if copy is not None:
                copy.write(chunk)
    if (size, checksum) != (entry.size, entry.crc):
        raise _refused(path, entry, f"damaged ({size} bytes; the archive states others)")
    return size


def _content(path: Path, file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """Yield the content of an entry, at whose start the file is, in pieces of limited size."""
    left = entry.packed
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while left and (piece := file.read(min(CHUNK, left))):
        left -= len(piece)
        if entry.method == STORED:
            yield piece
            continue
        while piece and not inflate.eof:
            yield inflate.decompress(piece, CHUNK)
            piece = inflate.unconsumed_tail
        if inflate.eof:
            break
    if entry.method == DEFLATED:
        yield inflate.flush()
        if not inflate.eof:
            raise _refused(path, entry, "damaged (its content is cut off)")
        if left or inflate.unused_data:
            raise _refused(path, entry, "longer than its content")


def _refused(path: Path, entry: Entry, problem: str) -> ReassessError:
    return ReassessError(
        f"{path}: its entry {entry.name!r} is {problem}, and no plain file of a bundle. {REMEDY}"
    )


def _too_large(path: Path) -> ReassessError:
    return ReassessError(
        f"{path} would unpack to more than {LARGEST // 2**30} GiB or {MOST} files; refused"
    )
