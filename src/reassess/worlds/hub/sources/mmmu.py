"""MMMU validation: options and some reference answers are Python lists written as text.

An open question may have several right answers.
"""

import ast
import json
from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, only_image, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Rows with several images are left out, because an item has at most one."""
    options = tuple(str(text) for text in ast.literal_eval(row["options"]))
    answer = str(row["answer"]).strip()
    if answer in ("", "?"):
        raise Dropped("no answer")
    image = only_image([row[f"image_{place}"] for place in range(1, 8) if f"image_{place}" in row])
    if row["question_type"] == "multiple-choice":
        yield Row(
            without_markers(row["question"]), answer, "choice", image, options, row["subfield"]
        )
        return
    answers = ast.literal_eval(answer) if answer.startswith("[") else [answer]
    yield Row(
        without_markers(row["question"]),
        json.dumps([str(text) for text in answers]),
        "any",
        image,
        (),
        row["subfield"],
    )


SOURCE = Source(
    repo="MMMU/MMMU",
    files=("*/validation-*.parquet",),
    columns=("question", "options", "image_1", "answer", "question_type", "subfield"),
    licence="apache-2.0",
    convert=convert,
    notes="rows with several pictures are left out",
)
