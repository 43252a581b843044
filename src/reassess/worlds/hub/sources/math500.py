"""MATH-500: competition problems in words, answers in LaTeX."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Row
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Take problem and answer as they are."""
    yield Row(row["problem"].strip(), row["answer"].strip(), "math", family=row["subject"])


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    value = angle("math500", number)
    return {
        "problem": f"Compute ${value} + 1$ for {words('math500', number)}.",
        "solution": f"$\\boxed{{{value + 1}}}$",
        "answer": str(value + 1),
        "subject": "Algebra",
        "level": 1,
        "unique_id": f"test/algebra/{number}.json",
    }


SOURCE = Source(
    repo="HuggingFaceH4/MATH-500",
    files=("test.jsonl",),
    columns=("problem", "answer", "subject"),
    licence="unknown",
    convert=convert,
    example=example,
)
