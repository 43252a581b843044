"""MMK12's training split: school questions with free answers in LaTeX."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Take question and answer as they are."""
    if not row["answer"].strip():
        raise Dropped("no answer")
    yield Row(
        without_markers(row["question"]),
        row["answer"].strip(),
        "math",
        picture_of(row["image"]),
        family=row["subject"],
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    value = angle("mmk12", number)
    return {
        "id": str(number),
        "image": image("mmk12", number),
        "question": f"In the circuit {words('mmk12', number)} half of {value} flows. How much is that? <image>",
        "answer": f"\\frac{{{value}}}{{2}}",
        "subject": "physics",
    }


SOURCE = Source(
    repo="FanqingM/MMK12",
    files=("data/train-*.parquet", "train*.parquet"),
    columns=("image", "question", "answer", "subject"),
    licence="apache-2.0",
    convert=convert,
    example=example,
)
