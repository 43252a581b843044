"""Made-up rows in the layout of GeoQA in R1-V's packaging."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names


def row(number: int) -> RawRow:
    """One row."""
    return {
        "image": image("geoqa", number),
        "problem": (
            f"As shown in the figure, line {names('geoqa', number)} is given. "
            "What is the angle at its foot?"
        ),
        "solution": f"<answer> {angle('geoqa', number)}° </answer>",
    }
