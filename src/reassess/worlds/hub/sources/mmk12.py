"""MMK12's training split: school questions with free answers in LaTeX."""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Question and answer are used as they are."""
    if not row["answer"].strip():
        raise Dropped("no answer")
    yield Row(
        without_markers(row["question"]),
        row["answer"].strip(),
        "math",
        image_of(row["image"]),
        family=row["subject"],
    )


SOURCE = Source(
    repo="FanqingM/MMK12",
    files=("data/train-*.parquet", "train*.parquet"),
    columns=("image", "question", "answer", "subject"),
    licence="apache-2.0",
    convert=convert,
)
