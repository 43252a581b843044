"""We-Math testmini: options in one string, the gold is a letter."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import image, words

_OPTION = re.compile(r"\s*([A-H])\.\s*(.*?)\s*(?:;\s*(?=[A-H]\.)|;?\s*\Z)", re.DOTALL)


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Take the options apart at their letters."""
    found = _OPTION.findall(row["option"])
    letters = [letter for letter, _ in found]
    if (
        letters != [chr(ord("A") + place) for place in range(len(letters))]
        or row["answer"].strip() not in letters
    ):
        raise Dropped("options or answer do not read as letters")
    options = tuple(text for _, text in found)
    yield Row(
        row["question"].strip(),
        row["answer"].strip(),
        "choice",
        picture_of(row["image_path"]),
        options,
        row["key"],
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    return {
        "ID": str(number),
        "split": "testmini",
        "knowledge concept": "Area",
        "question": f"What is the area of {words('wemath', number)}?",
        "option": "A. 10; B. 20; C. 30; D. 40; E. No correct answer",
        "answer": "ABCDE"[number % 5],
        "image_path": image("wemath", number),
        "key": "2steps_1",
    }


SOURCE = Source(
    repo="We-Math/We-Math",
    files=("data/testmini-*.parquet", "testmini-*.parquet"),
    columns=("question", "option", "answer", "image_path", "key"),
    licence="cc-by-nc-4.0",
    convert=convert,
    example=example,
)
