"""What each byte of a zip file is for: the entries tile it, and nothing lies beside them.

Some programs read a zip file by the directory at its end, others (`funzip`, whatever reads from a
pipe) from its start, and a shell runs what lies before it. Text before, between or behind the
entries, entries that the directory does not list, and fields that differ between an entry and the
directory are seen by some programs only, and no checksum of a file covers them. Nothing of this is
in a file of an ordinary zip program, and none of it is accepted.

Format: PKWARE's APPNOTE.TXT 6.3; extra fields: Info-ZIP's `proginfo/extrafld.txt`.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

END = struct.Struct("<4s4H2LH")  # of the file
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")  # of END_64
LISTED = struct.Struct("<4s6H3L5H2L")  # an entry in the directory
LOCAL = struct.Struct("<4s5H3L2H")  # the same before its content
IS_LATER = 0x8  # flag: size and checksum are behind the content too
IS_UTF8 = 0x800  # flag: of the name
WIDE = 0xFFFFFFFF  # the value is in the Zip64 field
ZIP64, UNICODE_NAME = 0x0001, 0x7075
# Extra fields that ordinary programs write, by number: sizes, times and owners.
EXTRAS = {
    ZIP64: rb"(.{8}){1,3}",
    0x000A: rb"\x00{4}\x01\x00\x18\x00.{24}",  # NTFS times
    0x5455: rb"[\x00-\x07](.{4}){0,3}",  # times
    0x5855: rb".{8}(.{4})?",  # times and owner, as older programs and macOS write them
    0x7855: rb"(.{4})?",  # owner
    0x7875: rb"\x01\x04.{4}\x04.{4}",  # owner
}


class LayoutError(ValueError):
    """A file is no zip file, or more than one; its text says what follows the file's name."""


@dataclass(frozen=True)
class Entry:
    """A file or folder, as the directory lists it.

    Attributes:
        name: a folder's has a slash at its end.
        stored_name: its bytes in the file.
        flags: how it is stored.
        method: how it is compressed.
        crc: checksum of the content.
        packed: bytes of the content in the zip file.
        size: bytes of the content.
        mode: kind and permissions, as Unix has them; 0 if unknown.
        has_comment: whether a comment is with it.
        offset: where it starts in the zip file.
    """

    name: str
    stored_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    has_comment: bool
    offset: int

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True)
class Directory:
    """The entries of a zip file, in its order, and where their list starts."""

    entries: list[Entry]
    start: int


def read_directory(file: BinaryIO, most: int) -> Directory:
    """Read the directory of a zip file, which must end it.

    Raises:
        LayoutError: there is none, something follows it, or it lists more than `most` entries.
    """
    count, start, end = _bounds(file)
    if count > most or end - start > most * 1024:
        raise LayoutError(f"holds more than {most} files, or very long names")
    try:
        return Directory(list(_listed(_read(file, start, end - start), count)), start)
    except (struct.error, UnicodeError) as error:
        raise LayoutError(f"has a damaged directory ({error})") from error


def require_tiled(file: BinaryIO, directory: Directory) -> dict[Entry, int]:
    """Where the content of each entry starts, if all lie one behind the other without a gap.

    Raises:
        LayoutError: there is anything beside them, or an entry's own header is not as listed.
    """
    ordered = sorted(directory.entries, key=lambda entry: entry.offset)
    ends = [*(entry.offset for entry in ordered), directory.start]
    if ends[0] != 0:
        raise LayoutError(f"has {ends[0]} bytes before its first entry")
    starts = {}
    for entry, end in zip(ordered, ends[1:], strict=True):
        starts[entry] = start = _content_of(file, entry)
        left = end - start - entry.packed
        if not 0 <= left <= max(map(len, _behind(entry))):
            problem = "overlaps the next one" if left < 0 else f"has {left} bytes behind it"
            raise LayoutError(f"has an entry {entry.name!r} that {problem}")
        if _read(file, start + entry.packed, left) not in _behind(entry):
            raise LayoutError(
                f"has an entry {entry.name!r} with other bytes behind it than its size"
            )
    return starts


def _bounds(file: BinaryIO) -> tuple[int, int, int]:
    """How many entries the directory has, where it starts and where it ends."""
    end = file.seek(0, SEEK_END) - END.size
    last = _read(file, max(end, 0), END.size)
    if not last.startswith(b"PK\5\6"):
        tail = _read(file, max(end - 2**16, 0), 2**16 + END.size)
        if b"PK\5\6" in tail:
            raise LayoutError("has a comment or other bytes behind its end")
        raise LayoutError("is no zip archive, or is cut off: it has no directory at its end")
    narrow = END.unpack(last)
    disk, first, here, count, size, start, comment = narrow[1:]
    locator = _read(file, end - LOCATOR.size, LOCATOR.size) if end >= LOCATOR.size else b""
    if locator.startswith(b"PK\6\7"):
        end -= LOCATOR.size + END_64.size
        wide = _read(file, end, END_64.size) if end >= 0 else b""
        if not wide.startswith(b"PK\6\6\x2c\0\0\0\0\0\0\0") or locator[4:] != struct.pack(
            "<LQL", 0, end, 1
        ):
            raise LayoutError("has other bytes between its directory and its end")
        disk, first, here, count, size, start = END_64.unpack(wide)[4:]
        largest = (0xFFFF,) * 4 + (WIDE,) * 2
        pairs = zip(narrow[1:7], END_64.unpack(wide)[4:], largest, strict=True)
        if any(one not in (other, limit) for one, other, limit in pairs):
            raise LayoutError("has two ends that differ")
    if disk or first or here != count or comment:
        raise LayoutError("is one of several parts, or says that more follows")
    if start + size != end:
        raise LayoutError("has other bytes before or behind its directory, or is cut off")
    return count, start, end


def _listed(raw: bytes, count: int) -> Iterator[Entry]:
    """Yield the entries of a directory."""
    place = 0
    for _ in range(count):
        head = LISTED.unpack_from(raw, place)
        signature, _, _, flags, method, _, _, crc, packed, size = head[:10]
        *lengths, disk, _, attributes, offset = head[10:]
        place += LISTED.size
        parts = []
        for length in lengths:
            parts.append(raw[place : place + length])
            place += length
        stored_name, extra, comment = parts
        name = _name(stored_name, flags)
        if signature != b"PK\1\2" or place > len(raw) or disk:
            raise LayoutError("has a damaged directory")
        wide = _extras(extra, name, stored_name).get(ZIP64, b"")
        size, packed, offset = _widened(wide, (size, packed, offset), name)
        mode = attributes >> 16
        yield Entry(
            name, stored_name, flags, method, crc, packed, size, mode, bool(comment), offset
        )
    if place != len(raw):
        raise LayoutError("has other bytes behind the entries of its directory")


def _name(stored: bytes, flags: int) -> str:
    """A name; programs that do not say how they wrote it wrote UTF-8, or what MS-DOS did."""
    try:
        return stored.decode()
    except UnicodeError:
        if flags & IS_UTF8:
            raise
        return stored.decode("cp437")


def _widened(wide: bytes, narrow: tuple[int, ...], name: str) -> list[int]:
    """Numbers, of which those that do not fit are in the Zip64 field."""
    values = [value for (value,) in struct.iter_unpack("<Q", wide)]
    if len(values) != narrow.count(WIDE):
        raise LayoutError(f"has an entry {name!r} with more or fewer sizes than it needs")
    return [values.pop(0) if value == WIDE else value for value in narrow]


def _extras(raw: bytes, name: str, stored_name: bytes) -> dict[int, bytes]:
    """The extra fields of an entry by number."""
    fields: dict[int, bytes] = {}
    place = 0
    while place < len(raw):
        if len(raw) - place < 4:
            raise LayoutError(f"has an entry {name!r} with a damaged extra field")
        number, length = struct.unpack_from("<HH", raw, place)
        place += 4 + length
        content = raw[place - length : place]
        if number == UNICODE_NAME:  # a second name: only the same one
            good = content == struct.pack("<BL", 1, zlib.crc32(stored_name)) + stored_name
        else:
            shape = EXTRAS.get(number)
            good = shape is not None and re.fullmatch(shape, content, re.DOTALL) is not None
        if not good or number in fields or place > len(raw):
            raise LayoutError(
                f"has an entry {name!r} with an extra field 0x{number:04x}, which holds neither "
                "times nor owners nor sizes as zip programs write them"
            )
        fields[number] = content
    return fields


def _content_of(file: BinaryIO, entry: Entry) -> int:
    """Where the content of an entry starts, behind a header that says what the directory says."""
    head = _read(file, entry.offset, LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\3\4"):
        raise LayoutError(f"has no entry {entry.name!r} where its directory says")
    _, _, flags, method, _, _, crc, packed, size, of_name, of_extra = LOCAL.unpack(head)
    start = entry.offset + LOCAL.size
    if _read(file, start, of_name) != entry.stored_name:
        raise LayoutError(f"has an entry {entry.name!r} with another name than its directory lists")
    extra = _read(file, start + len(entry.stored_name), of_extra)
    wide = _extras(extra, entry.name, entry.stored_name).get(ZIP64, b"")
    sizes = [size, packed]
    if wide:
        values = [value for (value,) in struct.iter_unpack("<Q", wide)]
        sizes = [value if one == WIDE else one for one, value in zip(sizes, values, strict=False)]
        sizes += values
    stated = [crc, *sizes]
    listed = [entry.crc, *(entry.size, entry.packed) * (2 if wide else 1)]
    later = (0,) if entry.flags & IS_LATER else ()
    agree = len(stated) == len(listed) and all(
        one in (other, *later) for one, other in zip(stated, listed, strict=True)
    )
    if not agree or (flags, method) != (entry.flags, entry.method):
        raise LayoutError(
            f"has an entry {entry.name!r} with another size, checksum or method than its "
            "directory lists"
        )
    return start + len(entry.stored_name) + len(extra)


def _behind(entry: Entry) -> set[bytes]:
    """What may be behind the content of an entry: nothing, or checksum and sizes in four forms."""
    if not entry.flags & IS_LATER:
        return {b""}
    forms = [struct.pack("<LQQ", entry.crc, entry.packed, entry.size)]
    if max(entry.packed, entry.size) <= WIDE:
        forms.append(struct.pack("<LLL", entry.crc, entry.packed, entry.size))
    return {signature + form for signature in (b"", b"PK\7\x08") for form in forms}


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)
