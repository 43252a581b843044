"""GPQA diamond: one right and three wrong answers, in an order decided by the question alone."""

from collections.abc import Iterable
from random import Random

from reassess.core.seeds import derive_seed
from reassess.worlds.hub.items import RawRow, Row, option_letter
from reassess.worlds.hub.source import Source

RIGHT, WRONG = "Correct Answer", ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def convert(row: RawRow) -> Iterable[Row]:
    """Options are shuffled by a seed of the question, so an item always has the same letters."""
    options = [row[RIGHT].strip(), *(row[name].strip() for name in WRONG)]
    Random(derive_seed("gpqa", row["Question"])).shuffle(options)
    yield Row(
        row["Question"].strip(),
        option_letter(row[RIGHT], options),
        "choice",
        options=tuple(options),
        family="science",
    )


SOURCE = Source(
    repo="Idavidrein/gpqa",
    files=("gpqa_diamond.csv",),
    columns=("Question", RIGHT, *WRONG),
    licence="cc-by-4.0",
    convert=convert,
    gated=True,
)
