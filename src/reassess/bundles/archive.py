"""`reassess bundle`: a study in one file that can be sent, archived, checked, redrawn and merged.

Beside the bundle's tables it holds figures, tables and claims drawn from them, the versions they
were drawn with, descriptions (`reassess.bundles.description`), checksums (`SHA256SUMS`) and perhaps
their signature. The same bundle gives the same bytes. Unpacked, it is a folder of the same layout,
which is read in the same way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reassess.bundles import signing
from reassess.bundles.checksums import (
    SIGNATURE,
    SUMS,
    UNLISTED,
    files_of,
    is_packed,
    listed,
    require_whole,
    write_sums,
)
from reassess.bundles.description import describe
from reassess.bundles.dictionary import TABLES
from reassess.bundles.drawings import draw_all
from reassess.bundles.plain import NAMED, empty_folders, plain_files
from reassess.bundles.zips import unpack, write_zip
from reassess.core.errors import ReassessError
from reassess.core.files import replacing
from reassess.figures import draw_figures

CONTENT = {"study.json", *(f"{name}.parquet" for name in TABLES)}  # of the folder of tables
TEMPORARY = "reassess-bundle-"


def pack(bundle: Path, out: Path, sign: Path | None = None) -> None:
    """Draw everything from a bundle and write the archive.

    Args:
        bundle: the folder of the bundle's tables.
        out: the archive: a zip file if its name ends so, else a folder. An existing one is
            replaced, in a folder file by file.
        sign: an SSH key that signs the checksums; see `signing.sign`.

    Raises:
        ReassessError: the bundle is damaged or holds other files, `out` cannot be written or is a
            folder with other files, or the key cannot sign.
    """
    if sign is not None:
        signing.require_key(sign)
    if out.suffix != ".zip":
        _require_free(out)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as temporary:
        root = Path(temporary)
        _copy_tables(bundle, root / "bundle")
        with _naming(root / "bundle", bundle):
            draw_all(root / "bundle", root)
            describe(root)
        write_sums(root)
        if sign is not None:
            signing.sign(root, sign)
        names = [SUMS, *([SIGNATURE] if sign is not None else []), *files_of(root)]
        if out.suffix == ".zip":
            write_zip(root, names, out)
        else:
            _replace(root, names, out)


def _copy_tables(bundle: Path, into: Path) -> None:
    names = plain_files(bundle)
    _require_none(bundle, set(names) - CONTENT, "no part of a bundle: remove them")
    into.mkdir()
    for name in names:
        shutil.copyfile(bundle / name, into / name)


def _require_free(out: Path) -> None:
    """Refuse a folder with files that no archive has put there."""
    if out.is_dir():
        others = set(plain_files(out)) - set(UNLISTED) - set(listed(out))
        _require_none(out, others, "no part of an archive: pack into a folder of its own")


def _require_none(folder: Path, names: set[str], problem: str) -> None:
    if names:
        named = ", ".join(sorted(names)[:NAMED])
        raise ReassessError(
            f"{folder} holds {len(names)} files that are {problem} "
            f"({named}{' ...' if len(names) > NAMED else ''})"
        )


def _replace(root: Path, names: Sequence[str], out: Path) -> None:
    for name in plain_files(out) if out.is_dir() else []:
        if name not in names:  # of an earlier archive
            (out / name).unlink()
    for folder in reversed(empty_folders(out) if out.is_dir() else []):
        (out / folder).rmdir()
    for name in names:
        with replacing(out / name) as temporary:
            shutil.copyfile(root / name, temporary)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder of an archive.

    A file is unpacked into a temporary folder; errors that name a file there, inside the `with`
    too, name `path` instead. A folder is yielded itself, or the one around it if it holds a
    bundle's tables. Either way it has been checked that there are regular files only.

    Raises:
        ReassessError: there is no such archive, it is damaged, or it holds what `pack` never
            writes.
    """
    if path.is_dir():
        yield _folder(path)
        return
    if not path.is_file():
        raise ReassessError(f"no bundle {path}")
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as temporary:
        root = Path(temporary)
        with _naming(root, path):
            unpack(path, root)
            yield root


@contextmanager
def frozen(path: Path) -> Iterator[Path]:
    """Yield the folder of an archive, as `opened` does, which nobody else can change meanwhile.

    What is read twice is the same twice: a packed folder is copied, as a file is unpacked, into a
    folder that only this user can enter.
    """
    with opened(path) as root:
        if path.is_file() or not is_packed(root):
            yield root
            return
        with tempfile.TemporaryDirectory(prefix=TEMPORARY) as temporary:
            copy = Path(temporary) / "copy"
            shutil.copytree(root, copy, symlinks=True)  # a link that came meanwhile is found there
            with _naming(copy, path):
                yield copy


def _folder(path: Path) -> Path:
    """The root of a bundle in a folder: the folder itself, or the one around its tables."""
    if (path / "bundle/study.json").is_file():
        root = path
    elif (path / "study.json").is_file() and path.resolve().name == "bundle":
        root = path.parent if path.name == "bundle" else path.resolve().parent
    else:
        raise ReassessError(
            f"{path} is no bundle: neither it nor its folder bundle/ has a study.json"
        )
    if is_packed(root):
        plain_files(root)
    elif (root / "bundle").is_symlink():
        raise ReassessError(f"{root / 'bundle'} is a symbolic link; name the folder that it is of")
    else:  # a grid's own folder, which holds much more
        plain_files(root / "bundle")
    return root


def renamed(text: str, root: Path, path: Path) -> str:
    """A text in which files of `path`, which the user knows, replace those of `root`.

    Args:
        text: of an error or a report.
        root: a temporary folder.
        path: the archive that was unpacked there, or the folder that was copied there.
    """
    for folder in (root.resolve(), root):
        text = text.replace(f"{folder}/", f"{path}{'/' if path.is_dir() else '!'}")
        text = text.replace(str(folder), str(path))
    return text


@contextmanager
def _naming(root: Path, path: Path) -> Iterator[None]:
    """Name files of `path` in errors about files of `root`."""
    try:
        yield
    except ReassessError as error:
        error.args = (renamed(str(error), root, path),)
        raise


def redraw(path: Path, out: Path, figures: Sequence[str] = ()) -> None:
    """Draw figures, tables and claims of an archive into `out`.

    Args:
        path: the archive, or a grid's own folder.
        out: the folder to draw into.
        figures: only these figures; none: everything.

    Raises:
        ReassessError: the archive is damaged, changed, or of a newer version.
    """
    with opened(path) as root:
        if is_packed(root):
            require_whole(root, path)
        if figures:
            draw_figures(root / "bundle", out, list(figures))
        else:
            draw_all(root / "bundle", out)
