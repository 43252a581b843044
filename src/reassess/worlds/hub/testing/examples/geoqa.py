"""Made-up rows in the layout of `geoqa`."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names


def row(number: int) -> RawRow:
    """Return a row of the source's layout."""
    return {
        "image": image("geoqa", number),
        "problem": f"As shown in the figure, line {names('geoqa', number)} is given. What is the angle at its foot?",
        "solution": f"<answer> {angle('geoqa', number)}° </answer>",
    }
