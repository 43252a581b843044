"""We-Math testmini: options in one string; the answer is a letter."""

import re
from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of
from reassess.worlds.hub.source import Source

_OPTION = re.compile(r"\s*([A-H])\.\s*(.*?)\s*(?:;\s*(?=[A-H]\.)|;?\s*\Z)", re.DOTALL)


def convert(row: RawRow) -> Iterable[Row]:
    """The string of options is split at their letters."""
    matches = _OPTION.findall(row["option"])
    letters = [letter for letter, _ in matches]
    if (
        letters != [chr(ord("A") + place) for place in range(len(letters))]
        or row["answer"].strip() not in letters
    ):
        raise Dropped("options or answer do not read as letters")
    options = tuple(text for _, text in matches)
    yield Row(
        row["question"].strip(),
        row["answer"].strip(),
        "choice",
        image_of(row["image_path"]),
        options,
        row["key"],
    )


SOURCE = Source(
    repo="We-Math/We-Math",
    files=("data/testmini-*.parquet", "testmini-*.parquet"),
    columns=("question", "option", "answer", "image_path", "key"),
    licence="cc-by-nc-4.0",
    convert=convert,
)
