"""AI2D's questions from The Cauldron, whose rows are for training.

`lmms-lab/ai2d` has the test split only. The layout (one image, several turns of user and assistant)
is that of the whole collection; this part of it could not be inspected. A row that cannot be parsed
as question, choices and letter is dropped and counted.
"""

import re
from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, only_image
from reassess.worlds.hub.source import Source

_TURN = re.compile(
    r"(?:Question:)?\s*(?P<question>.*?)\s*Choices:\s*(?P<choices>.*?)"
    r"(?:\n\s*Answer with the letter.*)?\Z",
    re.DOTALL,
)
_CHOICE = re.compile(r"^\s*[A-Z][.)]\s*(.+?)\s*$", re.MULTILINE)
_LETTER = re.compile(r"(?:Answer:)?\s*([A-Z])\.?\s*\Z")


def convert(row: RawRow) -> Iterable[Row]:
    """Each turn becomes a row."""
    image = only_image(row["images"])
    for turn in row["texts"]:
        question, reply = _TURN.match(turn["user"]), _LETTER.match(turn["assistant"])
        if question is None or reply is None:
            raise Dropped("a turn is not question, choices and letter")
        options, letter = tuple(_CHOICE.findall(question["choices"])), reply.group(1)
        if ord(letter) - ord("A") >= len(options):
            raise Dropped("the answer is not among the choices")
        yield Row(question["question"], letter, "choice", image, options, family="diagram")


SOURCE = Source(
    repo="HuggingFaceM4/the_cauldron",
    files=("ai2d/train-*.parquet",),
    columns=("images", "texts"),
    licence="unknown",
    convert=convert,
    notes="layout not verified",
)
