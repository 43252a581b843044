"""MATH-500: competition problems in words, answers in LaTeX."""

from collections.abc import Iterable

from reassess.worlds.hub.items import RawRow, Row
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Problem and answer are used as they are."""
    yield Row(row["problem"].strip(), row["answer"].strip(), "math", family=row["subject"])


SOURCE = Source(
    repo="HuggingFaceH4/MATH-500",
    files=("test.jsonl",),
    columns=("problem", "answer", "subject"),
    licence="unknown",
    convert=convert,
)
