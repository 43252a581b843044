"""GPQA diamond: one right and three wrong answers, put in an order that depends on the question alone."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from reassess.core.seeds import derive_seed
from reassess.worlds.hub.items import Row, option_letter
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import words

RIGHT, WRONG = "Correct Answer", ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Shuffle the options by a seed of the question, so that the same item always has the same letters."""
    options = [row[RIGHT].strip(), *(row[name].strip() for name in WRONG)]
    Random(derive_seed("gpqa", row["Question"])).shuffle(options)
    yield Row(
        row["Question"].strip(),
        option_letter(row[RIGHT], options),
        "choice",
        options=tuple(options),
        family="science",
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    return {
        "Question": f"Which particle is {words('gpqa', number)}?",
        RIGHT: "a muon",
        **{name: f"no {number} {place}" for place, name in enumerate(WRONG)},
        "Explanation": "",
    }


SOURCE = Source(
    repo="Idavidrein/gpqa",
    files=("gpqa_diamond.csv",),
    columns=("Question", RIGHT, *WRONG),
    licence="cc-by-4.0",
    convert=convert,
    example=example,
    gated=True,
)
