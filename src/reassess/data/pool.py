"""The pool: every split as one parquet file in frozen order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from reassess.core.errors import ReassessError
from reassess.core.files import Json, canonical_json, read_parquet, write_parquet
from reassess.core.images import open_image
from reassess.data.items import WithImage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from PIL.Image import Image

ItemT = TypeVar("ItemT", bound="DataclassInstance")
# Of an item, what the tables of a bundle hold too.
GOLDS = ("id", "answer", "answer_kind", "family", "hops", "filled")
BATCH = 256  # rows of a split that are read at a time to be hashed


class SplitHashes(TypedDict):
    """What a bundle records of a split.

    Fields:
        items: how many.
        golds_hash: of the columns `GOLDS`, by id.
        content_hash: of everything, images too, in the split's order.
    """

    items: int
    golds_hash: str
    content_hash: str


def write_pool(path: Path, items: Sequence[DataclassInstance]) -> None:
    """Write a split; items are dataclasses of one type."""
    import pandas as pd

    columns = [field.name for field in fields(items[0])] if items else []
    write_parquet(path, pd.DataFrame([asdict(item) for item in items], columns=columns))


def read_pool(path: Path, item_type: type[ItemT]) -> list[ItemT]:
    """Read a split back as items of that type, in its frozen order.

    Raises:
        ReassessError: the file is missing, damaged, or lacks a column.
    """
    frame = read_parquet(path)
    columns = [field.name for field in fields(item_type)]
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ReassessError(
            f"{path} lacks the columns {', '.join(missing)}; delete it and rerun to make it again"
        )
    rows = frame[columns].astype(object).where(frame[columns].notna(), None).to_dict("records")
    return [item_type(**{str(name): value for name, value in row.items()}) for row in rows]


def content_hashes(path: Path) -> SplitHashes:
    """Hash a split; it is read a few rows at a time, because of its images.

    Raises:
        ReassessError: the file is missing or damaged.
    """
    return hashes_of(rows_of(path))


def hashes_of(rows: Iterable[Mapping[str, object]]) -> SplitHashes:
    """Hash items, given as the fields of each, in the order of their split."""
    content, golds, count = hashlib.sha256(), [], 0
    for row in rows:
        line = canonical_json({name: _hashable(value) for name, value in row.items()})
        content.update(line.encode("utf-8", "surrogatepass") + b"\n")
        golds.append([row.get(name) for name in GOLDS])
        count += 1
    return {
        "items": count,
        "golds_hash": golds_hash(golds),
        "content_hash": content.hexdigest(),
    }


def golds_hash(rows: Iterable[Sequence[object]]) -> str:
    """Hash the values of `GOLDS` of each item, whatever their order; None where there is none."""
    lines = sorted(canonical_json([_hashable(value) for value in row]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _hashable(value: object) -> object:
    """A field's value as JSON has it, the same from an item, from parquet and from pandas."""
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if hasattr(value, "tolist"):  # of numpy
        value = value.tolist()
    if isinstance(value, float):  # pandas' integers beside missing ones are floats
        return None if isnan(value) else int(value) if value.is_integer() else value
    return value


def rows_of(path: Path) -> Iterator[Json]:
    """Yield the rows of a split, or of another table, as it is read a few rows at a time.

    Raises:
        ReassessError: the file is missing or damaged; names it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield from batch.to_pylist()
    except FileNotFoundError as error:
        raise ReassessError(f"missing file {path}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise ReassessError(
            f"{path} is not a readable parquet file ({error}); delete it and rerun to make it again"
        ) from error


def decode_image(item: WithImage) -> Image:
    """An item's image, as RGB.

    Raises:
        ReassessError: there is none, or its bytes are no image; names the item.
    """
    if not item.image:
        raise ReassessError(f"item {item.id}: its image is missing")
    try:
        with open_image(item.image) as opened:
            return opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise ReassessError(f"item {item.id}: its image does not decode ({error})") from error
