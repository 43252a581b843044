"""What is installed, by the RECORD that each wheel brought with it.

A RECORD lists the files of a distribution with their SHA-256 (the packaging guide's "Recording
installed projects"). Installers add lines to it (their own name, console scripts, compiled files),
so its bytes differ between pip, uv and two folders. `record_digest` leaves those lines out: the
digest of an installed distribution is that of the wheel it came from.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypedDict

from reassess.core.errors import ReassessError

# What an installer writes into `*.dist-info`.
_INSTALLERS = frozenset(
    (
        b"RECORD",
        b"RECORD.jws",
        b"RECORD.p7s",
        b"INSTALLER",
        b"REQUESTED",
        b"direct_url.json",
        b"provenance_url.json",
        b"uv_build.json",
        b"uv_cache.json",
    )
)
_IN_LIBRARY = (b"purelib", b"platlib")  # parts of a wheel's `.data` that land beside its packages
_CODE = (".py", ".pth", ".so", ".pyd", ".egg-link")
# Files of the folder of packages that no RECORD names: uv's for virtual environments, and ours.
_EXPECTED = frozenset(("_virtualenv.py", "_virtualenv.pth", "zz_reassess_shim.pth"))


class Distribution(NamedTuple):
    """An installed distribution."""

    name: str  # canonical: lower case, words separated by `-`
    version: str  # with its local part, such as `2.13.0+cpu`
    folder: Path  # its `*.dist-info`

    @property
    def record(self) -> Path:
        """The list of its files."""
        return self.folder / "RECORD"

    @property
    def editable(self) -> bool:
        """Whether it is a link to a folder of sources, so that its RECORD says nothing."""
        try:
            address = json.loads((self.folder / "direct_url.json").read_text(encoding="utf-8"))
            return bool(address["dir_info"]["editable"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def tags(self) -> frozenset[str]:
        """The interpreter, ABI and platform tags of its wheel."""
        try:
            text = (self.folder / "WHEEL").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return frozenset()
        return frozenset(re.findall(r"^Tag: (\S+)", text, re.MULTILINE))


class Build(TypedDict):
    """Which build of a distribution ran."""

    version: str
    record: str


class Environment(TypedDict):
    """What was installed where a job ran."""

    hash: str  # of name, version and `record_digest` of every distribution
    distributions: int
    torch: Build | None


def canonical(name: str) -> str:
    """A distribution's name as all spellings of it compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(folders: list[str] | None = None) -> list[Distribution]:
    """All installed distributions, by name; the first on the search path counts.

    Args:
        folders: where to look instead of `sys.path`.
    """
    found: dict[str, Distribution] = {}
    for folder in sys.path if folders is None else folders:
        if not Path(folder).is_absolute():
            continue
        for info in sorted(Path(folder).glob("*.dist-info")):
            name, _, version = info.name.removesuffix(".dist-info").partition("-")
            found.setdefault(canonical(name), Distribution(canonical(name), version, info))
    return [found[name] for name in sorted(found)]


def record_digest(record: bytes) -> str:
    """SHA-256 over path, hash and size of every file that the wheel itself brought.

    Args:
        record: the RECORD of a wheel, or the one that an installer made of it.
    """
    text = record.replace(b"\r", b"")
    special = {line for part in (b".dist-info/", b".data/") for line in _lines_with(text, part)}
    kept = {line for line in text.split(b"\n") if line[-2:] != b",," and line[:3] != b"../"}
    kept -= special | {b""}
    kept |= {brought for line in special if (brought := _brought(line))}
    return hashlib.sha256(b"\n".join(sorted(kept))).hexdigest()


def _lines_with(text: bytes, part: bytes) -> Iterator[bytes]:
    """The lines that contain `part`: many times faster than asking each of 60,000 lines."""
    found = text.find(part)
    while found >= 0:
        end = text.find(b"\n", found)
        end = len(text) if end < 0 else end
        yield text[text.rfind(b"\n", 0, found) + 1 : end]
        found = text.find(part, end)


def _brought(line: bytes) -> bytes | None:
    """A line as it is after installation; None if an installer writes or moves the file."""
    top, _, below = line.lstrip(b'"').partition(b"/")
    if line.endswith(b",,") or top == b"..":
        return None
    if top.endswith(b".dist-info"):
        return None if below.partition(b",")[0].strip(b'"') in _INSTALLERS else line
    if not top.endswith(b".data"):
        return line
    kind, _, path = below.partition(b"/")
    return (b'"' if line[:1] == b'"' else b"") + path if kind in _IN_LIBRARY else None


def installed_digest(distribution: Distribution) -> str:
    """`record_digest` of an installed distribution; `none` if it has no RECORD."""
    try:
        return record_digest(distribution.record.read_bytes())
    except OSError:
        return "none"


@cache
def environment() -> Environment:
    """What is installed in the environment of this process.

    Read once per process, from the RECORDs alone: whether files still agree with those is for
    `damaged`. Links to a checkout are left out, since a manifest names the commit.
    """
    total, count, torch = hashlib.sha256(), 0, None
    for one in distributions():
        if one.editable:
            continue
        digest = installed_digest(one)
        total.update(f"{one.name} {one.version} {digest}\n".encode())
        count += 1
        if one.name == "torch":
            torch = Build(version=one.version, record=digest)
    return Environment(hash=total.hexdigest(), distributions=count, torch=torch)


def damaged(distribution: Distribution) -> Iterator[str]:
    """Files that are not as the distribution's RECORD lists them, with what is wrong.

    Every file is read. Files that have no hash there (compiled Python, the RECORD itself) are not
    looked at.
    """
    try:
        lines = list(csv.reader(distribution.record.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        yield f"{distribution.record} cannot be read"
        return
    for line in lines:
        if len(line) != 3 or not line[1]:
            continue
        path = distribution.folder.parent / line[0]
        problem = _problem(path, line[1], line[2])
        if problem:
            yield f"{path} {problem}"


def _problem(path: Path, listed: str, size: str) -> str | None:
    algorithm, _, digest = listed.partition("=")
    try:
        if size and path.stat().st_size != int(size):
            return f"has {path.stat().st_size} bytes, listed are {size}"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).digest()
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError) as error:
        return f"cannot be compared ({error})"
    same = base64.urlsafe_b64encode(found).rstrip(b"=").decode() == digest.rstrip("=")
    return None if same else "has other content than was installed"


def unlisted(installed: list[Distribution]) -> Iterator[Path]:
    """Code beside the packages that no distribution lists, so that nothing says where it is from.

    Compiled Python (`__pycache__`) and what virtual environments put there is left out.
    """
    for folder in sorted({one.folder.parent for one in installed}):
        listed = set(_EXPECTED)
        for one in installed:
            if one.folder.parent == folder and one.record.is_file():
                text = one.record.read_text(encoding="utf-8", errors="replace")
                listed.update(line[0] for line in csv.reader(text.splitlines()) if line)
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name.endswith(_CODE) and name not in listed and path.is_file():
                yield path


class Wheel(NamedTuple):
    """A wheel file."""

    file: str
    sha256: str
    name: str
    version: str
    record: str  # its `record_digest`


def read_wheel(path: Path) -> Wheel:
    """Name, version, hash and RECORD of a wheel, after comparing its files with that RECORD.

    Raises:
        ReassessError: it is no wheel, or does not agree with its own RECORD.
    """
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (
                one for one in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", one)
            )
            record = archive.read(name)
            for line in csv.reader(record.decode().splitlines()):
                if len(line) != 3 or not line[1]:
                    continue
                algorithm, _, digest = line[1].partition("=")
                with archive.open(line[0]) as file:
                    found = hashlib.file_digest(file, algorithm).digest()  # type: ignore[arg-type]
                if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != digest.rstrip("="):
                    raise ReassessError(f"{path}: {line[0]} is not what its RECORD lists")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ReassessError(f"{path} is not a readable wheel ({error})") from error
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    distribution, _, version = name.partition(".dist-info/")[0].partition("-")
    return Wheel(path.name, sha256, canonical(distribution), version, record_digest(record))
