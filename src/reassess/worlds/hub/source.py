"""What an adapter is: one file that maps the rows of a public data set to the pool's schema."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from reassess.core.errors import ReassessError, unknown
from reassess.worlds.hub.items import Dropped, Row

SOURCES = Path(__file__).parent / "sources"


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        repo: name on the hub.
        files: patterns of its files within the repository; the first that matches anything is used.
        columns: columns that must be there: a source that changed upstream stops with their names.
        licence: as its card says; `unknown` where it is silent.
        convert: makes the pool's rows of one of its rows; raises `Dropped` for one that is left out.
        gated: whether access has to be asked for on the hub.
        example: rows of the source's own layout for the stand-in, drawn by number.
        archive: a zip file beside the rows that holds their pictures; rows then get a reader of it under `files`.
        example_files: writes the archive of the stand-in, for the rows of those numbers.
        notes: what a reader of the pool's report should know.
    """

    repo: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    licence: str
    convert: Callable[[Mapping[str, Any]], Iterable[Row]]
    example: Callable[[int], Mapping[str, Any]]
    gated: bool = False
    archive: str | None = None
    example_files: Callable[[Path, range], None] | None = None
    notes: str = ""


def source_names() -> list[str]:
    """Return the names of all adapters."""
    return sorted(path.stem for path in SOURCES.glob("[!_]*.py"))


def find_source(name: str) -> Source:
    """Return an adapter.

    Raises:
        ReassessError: no such file.
    """
    known = source_names()
    if name not in known:
        raise ReassessError(unknown("data source", name, known))
    found: Source = import_module(f"reassess.worlds.hub.sources.{name}").SOURCE
    return found


def read_rows(snapshot: Path, source: Source) -> Iterator[dict[str, Any]]:
    """Yield the rows of a source from the snapshot of its repository, in the order of its files.

    Raises:
        ReassessError: no file matches, a file is damaged, or a column is not there.
    """
    readers = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".json": _read_json,
        ".jsonl": _read_json,
    }
    with _archive(snapshot, source) as files:
        for path in _files(snapshot, source):
            for row in readers[path.suffix](path, source):
                yield row | {"files": files}


@contextmanager
def _archive(snapshot: Path, source: Source) -> Iterator[Callable[[str], bytes]]:
    """Give a reader of the files in a source's archive. Nothing is unpacked: a member's name is only ever looked up."""
    if source.archive is None:
        yield lambda name: b""
        return
    path = snapshot / source.archive
    try:
        with zipfile.ZipFile(path) as opened:
            names = set(opened.namelist())

            def read(name: str) -> bytes:
                if name not in names:
                    raise Dropped("its picture is not in the archive")
                return opened.read(name)

            yield read
    except (OSError, zipfile.BadZipFile) as error:
        raise ReassessError(
            f"{path} is missing or damaged ({error}); fetch {source.repo} again"
        ) from error


def _files(snapshot: Path, source: Source) -> list[Path]:
    for pattern in source.files:
        found = sorted(snapshot.glob(pattern))
        if found:
            return found
    there = sorted(
        str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()
    )
    raise ReassessError(
        f"{source.repo}: no file matches {' or '.join(source.files)}; the snapshot has {', '.join(there[:10]) or 'none'}"
    )


def _read_parquet(path: Path, source: Source) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ReassessError(
            f"{path} is not a readable parquet file ({error}); fetch {source.repo} again"
        ) from error
    _require(source, opened.schema_arrow.names, path)
    for batch in opened.iter_batches(batch_size=64):
        yield from batch.to_pylist()


def _read_json(path: Path, source: Source) -> Iterator[dict[str, Any]]:
    import json

    text = path.read_text(encoding="utf-8")
    try:
        rows = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if path.suffix == ".jsonl"
            else json.loads(text)
        )
    except ValueError as error:
        raise ReassessError(
            f"{path} is not valid JSON ({error}); fetch {source.repo} again"
        ) from error
    if rows:
        _require(source, list(rows[0]), path)
    yield from rows


def _read_csv(path: Path, source: Source) -> Iterator[dict[str, Any]]:
    import csv

    with path.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        _require(source, list(reader.fieldnames or ()), path)
        yield from reader


def _require(source: Source, there: list[str], path: Path) -> None:
    lacking = [name for name in source.columns if name not in there]
    if lacking:
        raise ReassessError(
            f"{source.repo}: {path.name} lacks the columns {', '.join(lacking)} (it has {', '.join(there)}): the set changed "
            "upstream; pin an earlier commit or mend its adapter"
        )
