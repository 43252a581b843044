"""The checksums of an archive (`SHA256SUMS`), and whether its files still match them."""

from __future__ import annotations

from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import sha256_file, write_text

SUMS = "SHA256SUMS"


def files_of(root: Path) -> list[str]:
    """The files of an archive, sorted, without the list of checksums itself."""
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in files if name != SUMS)


def write_sums(root: Path) -> None:
    """Write the checksums of all files, as `sha256sum -c` reads them."""
    lines = [f"{sha256_file(root / name)}  {name}\n" for name in files_of(root)]
    write_text(root / SUMS, "".join(lines))


def listed(root: Path) -> dict[str, str]:
    """The checksums of an archive by file; empty for a grid's own folder, which has none."""
    sums = root / SUMS
    lines = sums.read_text().splitlines() if sums.is_file() else []
    parts = (line.partition("  ") for line in lines)
    return {name: checksum for checksum, _, name in parts}


def tampered(root: Path) -> list[str]:
    """The files of an archive that do not match its checksums, each with what is wrong."""
    wrong = []
    for name, checksum in listed(root).items():
        path = root / name
        if not path.is_file():
            wrong.append(f"{name}: missing, though {SUMS} lists it")
        elif sha256_file(path) != checksum:
            wrong.append(f"{name}: not the file that {SUMS} lists; it was changed or damaged")
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
        raise ReassessError(f"{path} is not as it was packed: {'; '.join(wrong)}")
