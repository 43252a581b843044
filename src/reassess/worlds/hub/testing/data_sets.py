"""Stand-ins for public data sets: the same names, file formats and columns, made-up rows."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reassess.core.errors import ReassessError
from reassess.core.files import Json
from reassess.worlds.hub.items import HubItem, RawRow
from reassess.worlds.hub.pool import converted, item_of
from reassess.worlds.hub.source import find_source

ROWS = 48  # of each data set
EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    """Made-up rows of a source.

    Attributes:
        row: a row in the source's own layout, by number.
        archive: the members of the source's archive that belong to a row, by name.
    """

    row: Callable[[int], RawRow]
    archive: Callable[[int], dict[str, bytes]]

    def rows(self, count: int = ROWS) -> Iterator[Json]:
        """Yield rows as `read_rows` does, each with a reader of its members of the archive."""
        for number in range(count):
            yield {**self.row(number), "files": self.archive(number).__getitem__}


def find_example(name: str) -> Example:
    """The made-up rows of a source, from the module of the source's name.

    Raises:
        ReassessError: there is no such module, or it has no function `row`.
    """
    path = EXAMPLES / f"{name}.py"
    module = import_module(f"{__package__}.examples.{name}") if path.is_file() else None
    row = getattr(module, "row", None)
    if row is None:
        raise ReassessError(
            f"data source {name!r} has no example rows: write worlds/hub/testing/examples/"
            f"{name}.py with a function row(number) that returns a row in the source's layout"
        )
    return Example(row, getattr(module, "archive", lambda number: {}))


def write_data_set(name: str, folder: Path, rows: Iterable[RawRow] | None = None) -> Path:
    """Write a source in its own file format, under the first of its patterns; return the file.

    Args:
        name: the source.
        folder: the folder of the repository.
        rows: what to write; None: the example's rows, and its archive if it has one.
    """
    source, example = find_source(name), find_example(name)
    path = folder / source.files[0].replace("*", "00000")
    path.parent.mkdir(parents=True, exist_ok=True)
    if source.archive is not None and rows is None:
        with zipfile.ZipFile(folder / source.archive, "w") as opened:
            for number in range(ROWS):
                for member, content in example.archive(number).items():
                    opened.writestr(member, content)
    table = [dict(row) for row in rows or map(example.row, range(ROWS))]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as written:
            writer = csv.DictWriter(written, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    else:
        path.write_text("\n".join(map(json.dumps, table)) + "\n", encoding="utf-8")
    return path


def example_items(names: Iterable[str]) -> list[HubItem]:
    """The items that a pool holds of the stand-ins of those sources.

    Their answers are as adapters give them: for a choice, the letter alone.
    """
    return [
        replace(item_of(row, row_id, source), answer=row.answer)
        for name in names
        for source in (find_source(name),)
        for row_id, row in converted(name, source, find_example(name).rows(), _ignore)
    ]


def _ignore(name: str, reason: str, row: str) -> None:
    """Rows that an adapter leaves out are no items."""
