"""LogicVista, from its mirror on the hub: options are part of the question.

A few reference answers are several letters, and one is empty.
"""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The answer is a set of letters; the one that is a number stays a number."""
    answer = str(row["answer"] or "").strip()
    if not answer:
        raise Dropped("no answer")
    kind = (
        "options"
        if all(part.strip().isalpha() and len(part.strip()) == 1 for part in answer.split(","))
        else "math"
    )
    yield Row(row["question"].strip(), answer, kind, image_of(row["image"]), family="logic")


SOURCE = Source(
    repo="lscpku/LogicVista",
    files=("data/test-*.parquet", "test-*.parquet"),
    columns=("question", "answer", "image"),
    licence="apache-2.0",
    convert=convert,
    notes="columns of the mirror not verified",
)
