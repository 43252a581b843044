"""Made-up rows in the layout of Geometry3K in EasyR1's packaging."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names


def row(number: int) -> RawRow:
    """One row."""
    value = angle("geometry3k", number)
    return {
        "images": [image("geometry3k", number)],
        "problem": f"<image>Find x in the figure {names('geometry3k', number)}.",
        "answer": str(value),
        "id": number,
        "choices": [str(value + step) for step in (0, 5, 10, 15)],
        "ground_truth": "A",
    }
