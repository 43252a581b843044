"""MathVerse testmini: 788 problems in five versions, from much text to none; options stand inside the question."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import image, words

IN_PICTURE = "Answer the question in the picture."


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Ask each version as it is; where the question is drawn, nothing of its text is given away."""
    answer = row["answer"].strip()
    if not answer:
        raise Dropped("no answer")
    kind = "option" if row["question_type"] == "multi-choice" else "math"
    yield Row(
        row["question"].strip() or IN_PICTURE,
        answer,
        kind,
        picture_of(row["image"]),
        family=row["problem_version"],
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    version = ("Text Dominant", "Vision Only")[number % 2]
    return {
        "sample_index": str(number),
        "problem_index": str(number // 2),
        "problem_version": version,
        "question": ""
        if number % 2
        else f"How large is {words('mathverse', number)}?\nChoices:\nA:40°\nB:60°",
        "image": image("mathverse", number),
        "answer": "B" if number % 2 == 0 else "2191.7 metres",
        "question_type": "multi-choice" if number % 2 == 0 else "free-form",
        "metadata": {"subject": "Plane Geometry"},
        "query_wo": "",
        "query_cot": "",
        "question_for_eval": f"How large is {words('mathverse', number)}?",
    }


SOURCE = Source(
    repo="AI4Math/MathVerse",
    files=("testmini.parquet", "testmini/testmini-*.parquet", "data/testmini-*.parquet"),
    columns=("problem_version", "question", "image", "answer", "question_type"),
    licence="mit",
    convert=convert,
    example=example,
)
