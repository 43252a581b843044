"""DynaMath: 501 seed questions in ten variants each."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Numbers count within .001, as the authors' rule has it; options stand inside the question."""
    answer = str(row["ground_truth"]).strip()
    if not answer:
        raise Dropped("no answer")
    kind = {"float": "near", "multiple choice": "option"}.get(row["answer_type"], "math")
    yield Row(
        row["question"].strip(),
        answer,
        kind,
        picture_of(row["decoded_image"]),
        family=row["subject"],
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    return {
        "id": str(number),
        "question": f"What is the slope of {words('dynamath', number)}?"
        + (" A: 1 B: 2" if number % 2 else ""),
        "image": f"images/{number}.png",
        "decoded_image": image("dynamath", number),
        "ground_truth": "B" if number % 2 else "0.333",
        "answer_type": "multiple choice" if number % 2 else "float",
        "subject": "algebra",
        "knowledge_level": "high school",
    }


SOURCE = Source(
    repo="DynaMath/DynaMath_Sample",
    files=("data/sample_variant*-*.parquet",),
    columns=("question", "decoded_image", "ground_truth", "answer_type", "subject"),
    licence="apache-2.0",
    convert=convert,
    example=example,
)
