"""The pool: every split as one parquet file in frozen order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reassess.core.errors import ReassessError
from reassess.core.files import read_parquet, write_parquet
from reassess.data.items import WithImage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from PIL.Image import Image

ItemT = TypeVar("ItemT", bound="DataclassInstance")


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


def decode_image(item: WithImage) -> Image:
    """An item's image, as RGB.

    Raises:
        ReassessError: there is none, or its bytes are no image; names the item.
    """
    from PIL import Image, UnidentifiedImageError

    if not item.image:
        raise ReassessError(f"item {item.id}: its image is missing")
    try:
        with Image.open(BytesIO(item.image)) as opened:
            return opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ReassessError(f"item {item.id}: its image does not decode ({error})") from error
