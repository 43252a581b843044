"""Zip files in which anything lies that no checksum covers, or that programs read differently."""

import io
import shutil
import struct
import subprocess
import zipfile
import zlib

import pytest

from reassess.bundles.zips import unpack, write_zip
from reassess.core.errors import ReassessError

FILES = {
    "SHA256SUMS": b"sums\n",
    "bundle/study.json": b'{"the": "study"}\n' * 3,
    "claims.json": b"[]\n" * 9,
}


@pytest.fixture
def folder(tmp_path):
    """The folder of something like a bundle."""
    for name, content in FILES.items():
        (tmp_path / "study" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "study" / name).write_bytes(content)
    return tmp_path / "study"


@pytest.fixture
def plain(folder, tmp_path):
    """The bytes of a plain archive, as packing writes it."""
    write_zip(folder, list(FILES), tmp_path / "plain.zip")
    return (tmp_path / "plain.zip").read_bytes()


def made(change=lambda entry: None, kind=zipfile.ZIP_DEFLATED, files=FILES, stream=None):
    """The bytes of a zip file whose entries are changed by a function."""
    memory = io.BytesIO()
    with zipfile.ZipFile(stream or memory, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = kind
            change(entry)
            archive.writestr(entry, content)
    return memory.getvalue()


def read(path):
    """What is unpacked of a zip file, by name."""
    into = path.with_suffix(".unpacked")
    unpack(path, into)
    return {
        one.relative_to(into).as_posix(): one.read_bytes()
        for one in into.rglob("*")
        if one.is_file()
    }


def refused(tmp_path, content, *told):
    """Check that a zip file is refused with its name, some texts, and what to do."""
    path = tmp_path / "evil.zip"
    path.write_bytes(content)
    with pytest.raises(ReassessError) as raised:
        unpack(path, tmp_path / "into")
    for text in (str(path), "Refused.", "zip -r", *told):
        assert text in str(raised.value)


def directory_of(content):
    """Where the directory of a zip file starts."""
    return int.from_bytes(content[-6:-2], "little")


def shifted(content, by, first=0):
    """A zip file whose directory says that all entries from `first` on lie further behind."""
    changed, place = bytearray(content), directory_of(content)
    for number in range(len(FILES)):
        offset = int.from_bytes(changed[place + 42 : place + 46], "little")
        if number >= first:
            changed[place + 42 : place + 46] = (offset + by).to_bytes(4, "little")
        place += 46 + sum(struct.unpack_from("<3H", changed, place + 28))
    changed[-6:-2] = (directory_of(content) + by).to_bytes(4, "little")
    return bytes(changed)


def longer(content, by, *, moved=True):
    """A zip file that says that its first entry is longer, and the others lie further behind."""
    place = directory_of(content)
    changed = bytearray(shifted(content, by if moved else 0, 1))
    packed = int.from_bytes(changed[place + 20 : place + 24], "little") + by
    changed[place + 20 : place + 24] = changed[18:22] = packed.to_bytes(4, "little")
    return bytes(changed)


def local_entry(name, content):
    """An entry without a directory."""
    whole = made(kind=zipfile.ZIP_STORED, files={name: content})
    return whole[: directory_of(whole)]


# --- what lies beside the entries -------------------------------------------------------------


def test_a_script_before_the_archive_is_refused(plain, tmp_path):
    """`sh evil.zip` would run it; zip programs read past it."""
    script = b"#!/bin/sh\necho owned; exit\n"
    refused(tmp_path, script + plain, "other bytes before")
    refused(tmp_path, script + shifted(plain, len(script)), f"{len(script)} bytes before its first")


@pytest.mark.parametrize("text", [b"\nEndorsed by everybody.\n", b"\0", b"PK\3\4 half a zip file"])
def test_text_behind_the_end_is_refused(plain, tmp_path, text):
    refused(tmp_path, plain + text, "behind its end")


def test_a_comment_is_refused_even_if_it_looks_like_an_end(plain, tmp_path):
    refused(tmp_path, plain[:-2] + b"\2\0ab", "comment")
    refused(tmp_path, plain[:-2] + b"\x16\0" + plain[-22:], "directory")


def test_a_second_archive_behind_the_end_is_refused(plain, tmp_path):
    refused(tmp_path, plain + plain, "before or behind its directory")
    refused(tmp_path, plain + plain[:100], "behind its end")


@pytest.mark.parametrize("name", ["bundle/ENDORSED.txt", "bundle/study.json"])
@pytest.mark.parametrize("place", ["first", "between", "last"])
def test_an_entry_that_the_directory_does_not_list_is_refused(plain, tmp_path, name, place):
    """`funzip` would read it, the first one, instead of the bundle's."""
    hidden = local_entry(name, b'{"another": "study"}')
    second = plain.index(b"PK\3\4", 4)
    at, first = {"first": (0, 0), "between": (second, 1), "last": (directory_of(plain), 9)}[place]
    moved = shifted(plain, len(hidden), first)
    refused(tmp_path, moved[:at] + hidden + moved[at:], "bytes be")


def test_entries_that_overlap_are_refused(tmp_path):
    refused(tmp_path, longer(made(), 1, moved=False), "overlaps")


def test_bytes_behind_the_end_of_a_deflated_content_are_refused(tmp_path):
    """They are a part of the entry, but no program shows them."""
    hidden = b"Endorsed by everybody."
    content = longer(made(), len(hidden))
    entry = content.index(b"PK\3\4", 4)
    refused(tmp_path, content[:entry] + hidden + content[entry:], "longer than its content")


def test_a_deflated_content_that_is_cut_off_is_refused(tmp_path):
    content = longer(made(), -1)
    entry = content.index(b"PK\3\4", 4)
    refused(tmp_path, content[: entry - 1] + content[entry:], "cut off")


# --- what stands twice ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "told"),
    [(6, "method"), (8, "method"), (14, "checksum"), (18, "size"), (22, "size"), (30, "name")],
)
def test_a_header_that_differs_from_the_directory_is_refused(plain, tmp_path, field, told):
    changed = bytearray(plain)
    changed[field] ^= 2
    refused(tmp_path, bytes(changed), told, "'SHA256SUMS'")
    zeroed = bytearray(plain)
    zeroed[18:26] = bytes(8)  # legitimate only where the size is behind the content
    refused(tmp_path, bytes(zeroed), "size")


@pytest.mark.parametrize("field", [4, 6, 8, 12, 16])
def test_an_end_that_is_not_of_this_directory_is_refused(plain, tmp_path, field):
    changed = bytearray(plain)
    changed[len(plain) - 22 + field] ^= 1
    refused(tmp_path, bytes(changed))


# --- extra fields, modes, flags ---------------------------------------------------------------


def field(number, content):
    return struct.pack("<HH", number, len(content)) + content


def unicode_name(stored, name):
    return field(0x7075, struct.pack("<BL", 1, zlib.crc32(stored)) + name)


@pytest.mark.parametrize(
    ("extra", "number"),
    [
        (unicode_name(b"claims.json", b"../../claims.json"), "0x7075"),
        (field(0x9999, b"endorsed"), "0x9999"),
        (field(0x6375, b"\1\0\0\0\0a comment"), "0x6375"),
        (field(0x5455, b"endorsed"), "0x5455"),
        (field(0x7875, b"endorsed by"), "0x7875"),
        (field(0x000A, b"endorsed by everybody of the lab"), "0x000a"),
        (field(0x7855, b"") * 2, "0x7855"),
        (b"xyz", "damaged extra field"),
        (field(0x5455, b"")[:3] + b"\1", "extra field"),
    ],
)
def test_extra_fields_that_no_zip_program_writes_are_refused(tmp_path, extra, number):
    def add(entry):
        entry.extra = extra if entry.filename == "claims.json" else b""

    refused(tmp_path, made(add), number, "'claims.json'")


@pytest.mark.parametrize(
    "extra",
    [
        field(0x5455, b"\3" + bytes(8)) + field(0x7875, b"\1\4\1\2\3\4\4\1\2\3\4"),
        field(0x000A, b"\0\0\0\0\1\0\x18\0" + b"t" * 24),
        field(0x5855, bytes(12)),
        field(0x5855, bytes(8)) + field(0x7855, b""),
        unicode_name(b"claims.json", b"claims.json"),
    ],
)
def test_times_and_owners_are_accepted(tmp_path, extra):
    def add(entry):
        entry.extra = extra if entry.filename == "claims.json" else b""

    (tmp_path / "good.zip").write_bytes(made(add))
    assert read(tmp_path / "good.zip") == FILES


@pytest.mark.parametrize("bit", [0o4000, 0o2000, 0o1000])
def test_modes_that_lend_rights_are_refused_and_no_mode_is_applied(tmp_path, bit):
    def set_mode(mode):
        return lambda entry: setattr(entry, "external_attr", mode << 16)

    refused(tmp_path, made(set_mode(0o100755 | bit)), "owner or group")
    (tmp_path / "good.zip").write_bytes(made(set_mode(0o100777)))
    unpack(tmp_path / "good.zip", tmp_path / "good")
    assert (tmp_path / "good/claims.json").stat().st_mode & 0o111 == 0


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compression_that_not_every_program_reads_is_refused(tmp_path, kind):
    refused(tmp_path, made(kind=kind), f"method {kind}")


def test_an_empty_folder_is_refused(tmp_path):
    def as_folder(entry):
        if entry.is_dir():
            entry.external_attr, entry.compress_type = 0o40755 << 16, zipfile.ZIP_STORED

    files = {**FILES, "figures/retracted/": b""}
    refused(tmp_path, made(as_folder, files=files), "an empty folder", "'figures/retracted/'")


# --- ordinary zip files -----------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A file that can only be written to, from its start to its end."""

    def __init__(self, path):
        self.file = path.open("wb")

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)

    def close(self):
        self.file.close()
        super().close()


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("wide", [False, True])
def test_a_zip_file_written_into_a_pipe_reads_the_same(tmp_path, kind, wide):
    """Sizes and checksums are behind the contents."""
    with Pipe(tmp_path / "pipe.zip") as pipe, zipfile.ZipFile(pipe, "w", kind) as archive:
        for name, content in FILES.items():
            with archive.open(name, "w", force_zip64=wide) as entry:
                entry.write(content)
        archive.writestr("bundle/", b"")
    assert read(tmp_path / "pipe.zip") == FILES
    content = (tmp_path / "pipe.zip").read_bytes()
    behind = content.index(b"PK\7\x08")
    for place in (behind + 4, behind + 8):  # checksum, size
        changed = bytearray(content)
        changed[place] ^= 1
        refused(tmp_path, bytes(changed), "other bytes behind it")


def test_a_descriptor_may_lack_its_signature(tmp_path):
    with Pipe(tmp_path / "pipe.zip") as pipe:
        made(stream=pipe)
    content = (tmp_path / "pipe.zip").read_bytes()
    for number in range(len(FILES)):
        at = content.index(b"PK\7\x08")
        content = shifted(content, -4, number + 1)
        content = content[:at] + content[at + 4 :]
    (tmp_path / "pipe.zip").write_bytes(content)
    assert read(tmp_path / "pipe.zip") == FILES


@pytest.mark.parametrize("folder_of", [None, "study"])
def test_an_archive_of_shutil_reads_the_same(folder, tmp_path, folder_of):
    root = folder if folder_of is None else tmp_path
    made_by_shutil = shutil.make_archive(str(tmp_path / "shutil"), "zip", root, folder_of)
    assert read(tmp_path / made_by_shutil) == FILES


@pytest.mark.parametrize("many", [False, True])
def test_a_zip64_file_reads_the_same(tmp_path, monkeypatch, many):
    """As if a file or their number were too large for the original format."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1 if many else 9)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2**31 if many else 20)
    content = made(lambda entry: setattr(entry, "file_size", 0), kind=zipfile.ZIP_STORED)
    assert b"PK\6\6" in content
    (tmp_path / "wide.zip").write_bytes(content)
    assert read(tmp_path / "wide.zip") == FILES
    at = content.index(b"PK\6\7")
    refused(tmp_path, content[:at] + b"hidden" + content[at:], "between its directory and its end")
    for place in (at + 8, content.index(b"PK\6\6") + 32):
        changed = bytearray(content)
        changed[place] ^= 1
        refused(tmp_path, bytes(changed))


@pytest.mark.skipif(shutil.which("zip") is None, reason="zip is not installed")
@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize("options", ["-r", "-rX", "-r0", "-r9", "-rD", "-r -fd", "-r -fz"])
def test_a_zip_file_of_info_zip_reads_the_same(folder, tmp_path, options, pipe):
    if pipe and "-fz" in options:
        pytest.skip("zip 3.0 writes no readable file then")
    out = tmp_path / "info.zip"
    command = ["zip", "-q", *options.split(), "-" if pipe else str(out), folder.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    if pipe:
        out.write_bytes(done.stdout)
    assert read(out) == FILES


def test_every_changed_byte_is_refused_or_is_of_a_time_owner_or_mode(plain, tmp_path):
    """Nothing else may be free: of each changed byte the archive is refused, or reads the same."""
    path = tmp_path / "changed.zip"
    free = []
    for place in range(len(plain)):
        changed = bytearray(plain)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        shutil.rmtree(tmp_path / "changed.unpacked", ignore_errors=True)
        try:
            assert read(path) == FILES
            free.append(place)
        except ReassessError:
            continue
    allowed = set()
    at = 0
    for name, content in FILES.items():
        allowed |= set(range(at + 4, at + 6)) | set(range(at + 10, at + 14))  # version, time
        at += 30 + len(name) + len(content)
    assert at == directory_of(plain)
    for name in FILES:
        allowed |= {*range(at + 4, at + 8), *range(at + 12, at + 16), *range(at + 36, at + 42)}
        at += 46 + len(name)
    assert set(free) <= allowed


def test_no_number_of_a_damaged_archive_stops_it_with_another_error(tmp_path):
    """Whatever is written in a field, it is an error that names the file."""
    content = made()
    for place in range(len(content)):
        for value in (0, 0xFF):
            path = tmp_path / "damaged.zip"
            path.write_bytes(content[:place] + bytes([value]) * 4 + content[place + 4 :])
            shutil.rmtree(tmp_path / "into", ignore_errors=True)
            try:
                unpack(path, tmp_path / "into")
            except ReassessError as error:
                assert str(path) in str(error)
