"""LogicVista, from its mirror on the hub: options inside the question; a few golds are several letters, one is empty."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Ask for the set of letters; the one gold that is a number stays a number."""
    answer = str(row["answer"] or "").strip()
    if not answer:
        raise Dropped("no answer")
    kind = (
        "options"
        if all(part.strip().isalpha() and len(part.strip()) == 1 for part in answer.split(","))
        else "math"
    )
    yield Row(row["question"].strip(), answer, kind, picture_of(row["image"]), family="logic")


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout: one letter, two letters, and no answer in turn."""
    return {
        "question": f"Which figures continue {words('logicvista', number)}? A, B, C or D?",
        "answer": ("B", "B, D", "")[number % 3],
        "reasoning": "",
        "image": image("logicvista", number),
        "skill": ["inductive"],
    }


SOURCE = Source(
    repo="lscpku/LogicVista",
    files=("data/test-*.parquet", "test-*.parquet"),
    columns=("question", "answer", "image"),
    licence="apache-2.0",
    convert=convert,
    example=example,
    notes="columns of the mirror not verified",
)
