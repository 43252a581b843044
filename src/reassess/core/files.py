"""Files that are either complete or absent: atomic writes, readable errors, stable hashes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reassess.core.errors import ReassessError
from reassess.core.remedies import remedy

if TYPE_CHECKING:
    import pandas as pd


Json = dict[str, Any]  # a JSON object whose fields its readers know
DISK_FULL = (  # in messages of errors that have no `errno`
    "No space left",
    "Disk quota exceeded",
    "os error 28",
    "os error 122",
    "file write failed",
)
# What is raised of content whose parts do not fit each other, or are not of the expected shape.
MALFORMED = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` on success, remove it on failure.

    A crash or a full disk leaves the old file or none, never a part of the new one. The file has
    the mode that the umask (or the folder's default access list) gives, whoever wrote it.

    Raises:
        ReassessError: the disk is full or the folder cannot be written; names `path`.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = new_file(path.parent, f".{path.name}.", path.suffix)
        mode = usual_mode(temporary)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        set_mode(temporary, mode)  # safetensors puts a file of its own, of mode 0600, in its place
        temporary.replace(path)
    except OSError as error:
        raise ReassessError(
            f"cannot write {path}: {error.strerror or error}; nothing was left half-written"
            + "".join(f"; {fix}" for fix in [remedy(error)] if fix)
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def new_file(folder: Path, prefix: str, suffix: str = "") -> Path:
    """Make an empty file of a name that nobody uses, with the mode that the umask gives.

    (`tempfile` makes files that only their owner can read.)
    """
    while True:
        path = folder / f"{prefix}{secrets.token_hex(4)}{suffix}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
        except FileExistsError:
            continue
        return path


def usual_mode(file: Path) -> int:
    """The permissions of a file that was just made by `new_file`."""
    return stat.S_IMODE(file.stat().st_mode)


def set_mode(path: Path, mode: int) -> None:
    """Give a file a mode, if it has another: some file systems refuse any change."""
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def set_usual_modes(folder: Path) -> None:
    """Give every file below a folder the mode that the umask gives.

    Libraries write some files so that only their owner can read them.
    """
    if not folder.is_dir():
        return
    sample = new_file(folder, ".mode.")
    mode = usual_mode(sample)
    sample.unlink()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            set_mode(path, mode)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write `frame` atomically; equal frames become equal bytes."""
    write_with(path, lambda temporary: frame.to_parquet(temporary, index=False, compression="zstd"))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path, then rename that file over `path`."""
    with replacing(path) as temporary:
        write(temporary)


def read_json(path: Path) -> Json:
    """Read a JSON object.

    Raises:
        ReassessError: the file is missing or no JSON; names it.
    """
    try:
        content: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReassessError(f"missing file {path}") from error
    except (ValueError, RecursionError) as error:  # of text, numbers and depth
        raise ReassessError(
            f"{path} is not readable JSON ({error}); delete it and rerun to make it again"
        ) from error
    return content


def read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a parquet file.

    Raises:
        ReassessError: the file is missing, truncated or no parquet file; names it.
    """
    import pandas as pd

    with reading_parquet(path, "; delete it and rerun to make it again"):
        return pd.read_parquet(path, columns=columns)


def parquet_columns(path: Path) -> list[str]:
    """The columns of a parquet file.

    Raises:
        ReassessError: the file is missing, truncated or no parquet file; names it.
    """
    import pyarrow.parquet as pq

    with reading_parquet(path):
        return [str(name) for name in pq.read_schema(path).names]


@contextmanager
def reading_parquet(path: Path, advice: str = "") -> Iterator[None]:
    """Say of errors within what is wrong with the parquet file that is read.

    Args:
        path: the file.
        advice: what follows the message.

    Raises:
        ReassessError: the file is missing, truncated or no parquet file; names it.
    """
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise ReassessError(f"missing file {path}") from error
    except (pa.ArrowException, OSError, *MALFORMED) as error:
        raise ReassessError(f"{path} is not a readable parquet file ({error}){advice}") from error


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that a disk or quota was full.

    It may come from Python, safetensors or torch, or may have been raised from such an error.
    """
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(
            sign in str(cause) for sign in DISK_FULL
        ):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def canonical_json(value: object) -> str:
    """The canonical JSON of `value`, of which spec hashes are taken: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_text(text: str) -> str:
    """The SHA-256 of `text` in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
