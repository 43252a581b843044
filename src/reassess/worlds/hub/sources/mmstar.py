"""MMStar validation: four options as part of the question; the answer is a letter."""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The question is used with the options in it."""
    if not row["answer"].strip():
        raise Dropped("no answer")
    yield Row(
        row["question"].strip(),
        row["answer"].strip(),
        "option",
        image_of(row["image"]),
        family=row["category"],
    )


SOURCE = Source(
    repo="Lin-Chen/MMStar",
    files=("mmstar.parquet", "data/val-*.parquet", "val-*.parquet"),
    columns=("question", "image", "answer", "category"),
    licence="unknown",
    convert=convert,
)
