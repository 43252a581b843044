"""Made-up rows in the layout of MMK12."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names, seldom

ANSWERS = (
    "3; 4",
    "2\\sqrt{3}",
    "15 \\text{ cm}",
    "BD",
    "0.5米/秒",
    "x=2 或 x=-3",
    "(1) 3；(2) \\frac{5}{2}",
    "120°",
)
OPTIONS = " A. a lamp B. a coil C. a fuse D. a motor"


def row(number: int) -> RawRow:
    """A fraction; in some rows several answers, units, or letters of options."""
    value = angle("mmk12", number)
    answer = seldom(number, f"\\frac{{{value}}}{{2}}", ANSWERS)
    return {
        "id": str(number),
        "image": image("mmk12", number),
        "question": (
            f"In the circuit {names('mmk12', number)} half of {value} flows. "
            f"How much is that?{OPTIONS if answer == 'BD' else ''} <image>"
        ),
        "answer": answer,
        "subject": "physics",
    }
