"""What an adapter is: one file that maps the rows of a public data set to the pool's schema."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from reassess.config.names import is_file_pattern
from reassess.core.errors import ReassessError, unknown
from reassess.core.files import Json
from reassess.grid.benchmarks import Benchmark
from reassess.worlds.hub.items import Dropped, RawRow, Row

SOURCES = Path(__file__).parent / "sources"


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        repo: name on the hub.
        files: patterns of its files within the repository; the first that matches anything is used.
        columns: required columns; if the data set changed upstream, reading it fails and names
            those that are missing.
        licence: as its card states; `unknown` where the card is silent.
        convert: turns one of its rows into rows of the pool; raises `Dropped` for a row to leave
            out.
        gated: whether access has to be requested on the hub.
        archive: a zip file beside the rows that holds their images; each row then has a function
            under `files` that returns a member's bytes by name.
        notes: what a reader of the pool's report should know.
    """

    repo: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    licence: str
    convert: Callable[[RawRow], Iterable[Row]]
    gated: bool = False
    archive: str | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse a pattern that could match outside the repository."""
        for pattern in (*self.files, *([self.archive] if self.archive else [])):
            if not is_file_pattern(pattern):
                raise ReassessError(
                    f"{self.repo}: {pattern!r} is no pattern of files: folders and names of ASCII "
                    "letters, digits, `.`, `_`, `-` and `*`, and no `..`"
                )


def source_names() -> list[str]:
    """The names of all adapters."""
    return sorted(path.stem for path in SOURCES.glob("[!_]*.py"))


def find_source(name: str) -> Source:
    """The adapter of that name.

    Raises:
        ReassessError: no such file.
    """
    names = source_names()
    if name not in names:
        raise ReassessError(unknown("data source", name, names))
    source: Source = import_module(f"reassess.worlds.hub.sources.{name}").SOURCE
    return source


def benchmark_source(benchmark: Benchmark) -> str:
    """The adapter that a benchmark's file names.

    Raises:
        ReassessError: it names none.
    """
    name = benchmark.metadata.get("source")
    if not isinstance(name, str):
        raise ReassessError(
            f"{benchmark.source}: metadata.source is missing: name the adapter of its rows"
        )
    return name


# --- reading a snapshot ----------------------------------------------------------------------


def read_rows(snapshot: Path, source: Source) -> Iterator[Json]:
    """Yield the rows of a source from the snapshot of its repository, in the order of its files.

    Raises:
        ReassessError: no file matches, a file is damaged, or a column is missing.
    """
    readers = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".json": _read_json,
        ".jsonl": _read_json,
    }
    with _archive(snapshot, source) as member:
        for path in _files(snapshot, source):
            for row in readers[path.suffix](path, source):
                yield row | {"files": member}


@contextmanager
def _archive(snapshot: Path, source: Source) -> Iterator[Callable[[str], bytes]]:
    """Open a source's archive and yield a function from a member's name to its bytes.

    Nothing is unpacked: a member's name is only ever looked up, so none can leave the folder.
    """
    if source.archive is None:
        yield lambda name: b""
        return
    path = snapshot / source.archive
    try:
        with zipfile.ZipFile(path) as opened:
            names = set(opened.namelist())

            def member(name: str) -> bytes:
                if name not in names:
                    raise Dropped("its picture is not in the archive")
                return opened.read(name)

            yield member
    except (OSError, zipfile.BadZipFile) as error:
        raise ReassessError(
            f"{path} is missing or damaged ({error}); fetch {source.repo} again"
        ) from error


def _files(snapshot: Path, source: Source) -> list[Path]:
    for pattern in source.files:
        matches = sorted(snapshot.glob(pattern))
        if matches:
            return matches
    present = sorted(
        str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()
    )
    raise ReassessError(
        f"{source.repo}: no file matches {' or '.join(source.files)}; the snapshot has "
        f"{', '.join(present[:10]) or 'none'}"
    )


def _read_parquet(path: Path, source: Source) -> Iterator[Json]:
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


def _read_json(path: Path, source: Source) -> Iterator[Json]:
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


def _read_csv(path: Path, source: Source) -> Iterator[Json]:
    with path.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        _require(source, list(reader.fieldnames or ()), path)
        yield from reader


def _require(source: Source, present: list[str], path: Path) -> None:
    missing = [name for name in source.columns if name not in present]
    if missing:
        raise ReassessError(
            f"{source.repo}: {path.name} lacks the columns {', '.join(missing)} "
            f"(it has {', '.join(present)}): the data set changed upstream; pin an earlier commit "
            "or fix its adapter"
        )
