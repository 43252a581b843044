"""Made-up rows in the layout of Geometry3K in EasyR1's packaging."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names, seldom

ANSWERS = (
    "2 \\sqrt { 221 }",
    "\\frac { 45 } { 2 }",
    "12 \\pi",
    "51.9",
    "\\frac { 8 \\sqrt { 3 } } { 3 }",
)


def row(number: int) -> RawRow:
    """One row."""
    value = angle("geometry3k", number)
    return {
        "images": [image("geometry3k", number)],
        "problem": f"<image>Find x in the figure {names('geometry3k', number)}.",
        "answer": seldom(number, str(value), ANSWERS),
        "id": number,
        "choices": [str(value + step) for step in (0, 5, 10, 15)],
        "ground_truth": "A",
    }
