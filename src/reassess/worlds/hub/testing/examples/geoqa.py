"""Made-up rows in the layout of GeoQA in R1-V's packaging."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names, seldom

ANSWERS = ("2√{2}", "6√{3}米", "3√{3}cm", "100√{3}m", "4√{3}cm²", "9米", "25π", "4:9")
MEASURES = ("How large is it, if one side is 5 m long?",)


def row(number: int) -> RawRow:
    """An angle; in some rows a length, an area or a ratio."""
    angles = f"{angle('geoqa', number)}°"
    return {
        "image": image("geoqa", number),
        "problem": (
            f"As shown in the figure, line {names('geoqa', number)} is given. "
            f"{seldom(number, 'What is the angle at its foot?', MEASURES)}"
        ),
        "solution": f"<answer> {seldom(number, angles, ANSWERS)} </answer>",
    }
