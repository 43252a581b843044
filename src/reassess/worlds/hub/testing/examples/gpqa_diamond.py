"""Made-up rows in the layout of GPQA diamond."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.sources.gpqa_diamond import RIGHT, WRONG
from reassess.worlds.hub.testing.drawing import names, seldom

ANSWERS = ("10^-4 eV", "$\\frac{1}{2}$", "C. elegans", "Both are right")


def row(number: int) -> RawRow:
    """One row."""
    return {
        "Question": f"Which particle is {names('gpqa', number)}?",
        RIGHT: seldom(number, "a muon", ANSWERS),
        **{name: f"no {number} {place}" for place, name in enumerate(WRONG)},
        "Explanation": "",
    }
