"""`reassess bundle`: a study in one file that can be sent, archived, checked, redrawn and merged.

Beside the bundle's tables it holds figures, tables and claims drawn from them, the versions they
were drawn with, descriptions (`reassess.bundles.description`) and checksums (`SHA256SUMS`). The
same bundle gives the same bytes. Unpacked, it is a folder of the same layout, which is read in the
same way.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reassess.bundles.checksums import SUMS, files_of, require_whole, write_sums
from reassess.bundles.description import describe
from reassess.bundles.drawings import DRAWN, draw_all
from reassess.core.errors import ReassessError
from reassess.core.files import replacing

# The time of every file in an archive: a real one would make every archive differ.
DATE = (1980, 1, 1, 0, 0, 0)
LARGEST = 8 * 2**30  # bytes of an unpacked archive; a larger one is refused as an attack


def pack(bundle: Path, out: Path) -> None:
    """Draw everything from a bundle and write the archive.

    Args:
        bundle: the folder of the bundle's tables.
        out: the archive: a zip file if its name ends so, else a folder. An existing one is
            replaced, in a folder file by file.

    Raises:
        ReassessError: the bundle is damaged, or `out` cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="reassess-bundle-") as temporary:
        root = Path(temporary)
        shutil.copytree(bundle, root / "bundle")
        draw_all(root / "bundle", root)
        describe(root)
        write_sums(root)
        if out.suffix == ".zip":
            _zip(root, out)
        else:
            _replace(root, out)


def _zip(root: Path, out: Path) -> None:
    with (
        replacing(out) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name in [SUMS, *files_of(root)]:
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, (root / name).read_bytes())


def _replace(root: Path, out: Path) -> None:
    for folder in ("bundle", *DRAWN):
        shutil.rmtree(out / folder, ignore_errors=True)
    for name in [SUMS, *files_of(root)]:
        with replacing(out / name) as temporary:
            shutil.copyfile(root / name, temporary)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder of an archive.

    A file is unpacked into a temporary folder. A folder is yielded itself, or the one around it if
    it holds a bundle's tables.

    Raises:
        ReassessError: there is no such archive, it is damaged, or it holds what `pack` never
            writes.
    """
    if path.is_dir():
        if (path / "bundle/study.json").is_file():
            yield path
        elif (path / "study.json").is_file():
            yield path.resolve().parent
        else:
            raise ReassessError(
                f"{path} is no bundle: neither it nor its folder bundle/ has a study.json"
            )
        return
    if not path.is_file():
        raise ReassessError(f"no bundle {path}")
    with tempfile.TemporaryDirectory(prefix="reassess-bundle-") as temporary:
        _unpack(path, Path(temporary))
        yield Path(temporary)


def _unpack(path: Path, into: Path) -> None:
    """Unpack an archive: regular files below `into` only, each once, within a limit of size.

    Raises:
        ReassessError: it is no zip file, is damaged, or breaks one of these rules; names the entry.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise ReassessError(
                    f"{path} would unpack to more than {LARGEST // 2**30} GiB; refused"
                )
            names: set[str] = set()
            for entry in entries:
                if entry.filename in names or not _is_plain(entry):
                    raise ReassessError(
                        f"{path}: its entry {entry.filename!r} is no plain file inside the "
                        "archive; refused"
                    )
                names.add(entry.filename)
                target = into / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise ReassessError(f"{path} is no readable archive ({error})") from error


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a regular file with a relative path that stays inside the archive."""
    parts = entry.filename.split("/")
    inside = "\\" not in entry.filename and all(parts) and not {".", ".."} & set(parts)
    return inside and stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG)


def redraw(path: Path, out: Path) -> None:
    """Draw figures, tables and claims of an archive into `out`.

    Raises:
        ReassessError: the archive is damaged, changed, or of a newer version.
    """
    with opened(path) as root:
        require_whole(root, path)
        draw_all(root / "bundle", out)
