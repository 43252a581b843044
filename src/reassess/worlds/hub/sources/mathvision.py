"""MathVision test: one composed picture a row; in many rows the options are drawn and their texts are only letters."""

from collections.abc import Iterable, Mapping
from string import ascii_uppercase
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Show options by their texts unless these are the letters themselves."""
    answer, options = row["answer"].strip(), tuple(str(text) for text in row["options"] or ())
    if not answer:
        raise Dropped("no answer")
    question, picture = without_markers(row["question"]), picture_of(row["decoded_image"])
    if options and list(options) == list(ascii_uppercase[: len(options)]):
        yield Row(
            f"{question} (options {', '.join(options)} are in the picture)",
            answer,
            "option",
            picture,
            (),
            row["subject"],
        )
    else:
        yield Row(
            question, answer, "choice" if options else "math", picture, options, row["subject"]
        )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout: options by text, options drawn, and none in turn."""
    kind = number % 3
    return {
        "id": str(number),
        "question": f"Which number replaces {words('mathvision', number)}? <image1>",
        "options": (["10", "20", "30"], ["A", "B", "C", "D", "E"], [])[kind],
        "image": f"images/{number}.jpg",
        "decoded_image": image("mathvision", number),
        "answer": ("B", "D", f"\\frac{{{angle('mathvision', number)}}}{{7}}")[kind],
        "solution": None,
        "level": 1 + number % 5,
        "subject": "arithmetic",
    }


SOURCE = Source(
    repo="MathLLMs/MathVision",
    files=("data/test-*.parquet",),
    columns=("question", "options", "decoded_image", "answer", "subject"),
    licence="mit",
    convert=convert,
    example=example,
)
