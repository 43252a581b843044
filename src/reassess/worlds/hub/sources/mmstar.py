"""MMStar validation: four options inside the question, the gold is a letter."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Ask the question with its options as they stand in it."""
    if not row["answer"].strip():
        raise Dropped("no answer")
    yield Row(
        row["question"].strip(),
        row["answer"].strip(),
        "option",
        picture_of(row["image"]),
        family=row["category"],
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    return {
        "index": number,
        "question": f"What stands beside {words('mmstar', number)}?\nOptions: A: a cat, B: a dog, C: a cup, D: none",
        "image": image("mmstar", number),
        "answer": "ABCD"[number % 4],
        "category": "coarse perception",
        "l2_category": "image scene and topic",
        "meta_info": {"source": "stand-in"},
    }


SOURCE = Source(
    repo="Lin-Chen/MMStar",
    files=("mmstar.parquet", "data/val-*.parquet", "val-*.parquet"),
    columns=("question", "image", "answer", "category"),
    licence="unknown",
    convert=convert,
    example=example,
)
