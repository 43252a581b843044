"""MathVista testmini: choices by their text, numbers with a stated precision."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, option_letter, picture_of
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Turn the choice's text into its letter; write the gold with the decimals that count, and say how many."""
    answer, question = str(row["answer"] or "").strip(), row["question"].strip()
    if not answer:
        raise Dropped("no answer")
    if row["unit"]:
        question += f" (Unit: {row['unit']})"
    picture, family = picture_of(row["decoded_image"]), str(row["metadata"]["task"])
    if row["question_type"] == "multi_choice":
        options = tuple(row["choices"])
        yield Row(question, option_letter(answer, options), "choice", picture, options, family)
        return
    kind = "math"
    if row["answer_type"] in ("integer", "float"):
        kind, decimals = "number", int(row["precision"] or 0)
        answer = f"{float(answer):.{decimals}f}"
        question += f" Give {decimals} decimal{'s' if decimals > 1 else ''}." if decimals else ""
    yield Row(question, answer, kind, picture, family=family)


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout: a choice, an integer and a decimal in turn."""
    kind = number % 3
    return {
        "pid": str(number),
        "question": f"What is read off at {words('mathvista', number)}?",
        "image": f"images/{number}.jpg",
        "decoded_image": image("mathvista", number),
        "choices": ["left", "right"] if kind == 0 else None,
        "unit": "cm" if kind == 1 else None,
        "precision": 1.0 if kind == 2 else None,
        "answer": ("right", str(angle("mathvista", number)), "1.2")[kind],
        "question_type": "multi_choice" if kind == 0 else "free_form",
        "answer_type": ("text", "integer", "float")[kind],
        "metadata": {"task": "figure question answering", "source": "stand-in"},
    }


SOURCE = Source(
    repo="AI4Math/MathVista",
    files=("data/testmini-*.parquet",),
    columns=(
        "question",
        "decoded_image",
        "choices",
        "unit",
        "precision",
        "answer",
        "question_type",
        "answer_type",
        "metadata",
    ),
    licence="cc-by-sa-4.0",
    convert=convert,
    example=example,
)
