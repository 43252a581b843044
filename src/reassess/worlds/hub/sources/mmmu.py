"""MMMU validation: options and some golds are Python lists written as text; open golds may allow several answers."""

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, only_picture, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Read the lists; rows with several pictures are left out, because an item here has one."""
    options = tuple(str(text) for text in ast.literal_eval(row["options"]))
    answer = str(row["answer"]).strip()
    if answer in ("", "?"):
        raise Dropped("no answer")
    picture = only_picture(
        [row[f"image_{place}"] for place in range(1, 8) if f"image_{place}" in row]
    )
    if row["question_type"] == "multiple-choice":
        yield Row(
            without_markers(row["question"]), answer, "choice", picture, options, row["subfield"]
        )
        return
    golds = ast.literal_eval(answer) if answer.startswith("[") else [answer]
    yield Row(
        without_markers(row["question"]),
        json.dumps([str(gold) for gold in golds]),
        "any",
        picture,
        (),
        row["subfield"],
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout: a choice and an open question in turn."""
    choice = number % 2 == 0
    pictures: dict[str, Any] = {f"image_{place}": None for place in range(2, 8)}
    return {
        "id": f"validation_Accounting_{number}",
        "question": f"<image 1> What follows from {words('mmmu', number)}?",
        "options": "['yes', 'no', 'both']" if choice else "[]",
        "explanation": "",
        "image_1": image("mmmu", number),
        **pictures,
        "img_type": "['Plots']",
        "answer": "C" if choice else "['0.5', '1/2']",
        "topic_difficulty": "Easy",
        "question_type": "multiple-choice" if choice else "open",
        "subfield": "Accounting",
    }


SOURCE = Source(
    repo="MMMU/MMMU",
    files=("*/validation-*.parquet",),
    columns=("question", "options", "image_1", "answer", "question_type", "subfield"),
    licence="apache-2.0",
    convert=convert,
    example=example,
    notes="rows with several pictures are left out",
)
