"""LogicVista, from its mirror on the hub: options inside the question; a few golds are several letters, one is empty."""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Ask for the set of letters; the one gold that is a number stays a number."""
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
