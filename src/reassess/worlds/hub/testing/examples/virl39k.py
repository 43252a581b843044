"""Made-up rows in the layout of ViRL39K."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, names, png, seldom

ANSWERS = (
    "2\\sqrt{3}",
    "12 \\text{ cm}",
    "AC",
    "\\text{No}",
    "1:2",
    "40\\%",
    "\\$8",
    "x=3",
)
OPTIONS = " A: in the first B: in the second C: in the third"


def row(number: int) -> RawRow:
    """A number; in some rows an expression, a quantity, a word, or letters of options."""
    answer = seldom(number, str(angle("virl39k", number)), ANSWERS)
    options = OPTIONS if answer == "AC" else ""
    return {
        "question": f"<image>How wide is {names('virl39k', number)}?{options}",
        "answer": f"\\boxed{{{answer}}}",
        "PassRate_32BTrained": 0.5,
        "PassRate_7BBase": 0.25,
        "category": "Spatial Reasoning",
        "source": "stand-in",
        "qid": f"stand-in-{number}",
        "image": [f"images/{number}.png"],
    }


def archive(number: int) -> dict[str, bytes]:
    """The members of the archive that belong to a row, by name."""
    return {f"images/{number}.png": png("virl39k", number)}
