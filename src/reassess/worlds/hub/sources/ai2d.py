"""AI2D's questions from The Cauldron, which has them for training; `lmms-lab/ai2d` holds the test split alone.

The layout (one picture, several turns of user and assistant) is that of the whole collection; this part of it could not be looked
at here. A row that does not read as question, choices and letter is dropped and counted.
"""

import re
from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, only_image
from reassess.worlds.hub.source import Source

_TURN = re.compile(
    r"(?:Question:)?\s*(?P<question>.*?)\s*Choices:\s*(?P<choices>.*?)(?:\n\s*Answer with the letter.*)?\Z",
    re.DOTALL,
)
_CHOICE = re.compile(r"^\s*[A-Z][.)]\s*(.+?)\s*$", re.MULTILINE)
_LETTER = re.compile(r"(?:Answer:)?\s*([A-Z])\.?\s*\Z")


def convert(row: RawRow) -> Iterable[Row]:
    """Make a row of each turn."""
    picture = only_image(row["images"])
    for turn in row["texts"]:
        asked, said = _TURN.match(turn["user"]), _LETTER.match(turn["assistant"])
        if asked is None or said is None:
            raise Dropped("a turn is not question, choices and letter")
        options = tuple(_CHOICE.findall(asked["choices"]))
        if ord(said.group(1)) - ord("A") >= len(options):
            raise Dropped("the answer is not among the choices")
        yield Row(asked["question"], said.group(1), "choice", picture, options, family="diagram")


SOURCE = Source(
    repo="HuggingFaceM4/the_cauldron",
    files=("ai2d/train-*.parquet",),
    columns=("images", "texts"),
    licence="unknown",
    convert=convert,
    notes="layout not verified",
)
