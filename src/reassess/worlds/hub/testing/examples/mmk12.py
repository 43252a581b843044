"""Made-up rows in the layout of MMK12."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names


def row(number: int) -> RawRow:
    """One row."""
    value = angle("mmk12", number)
    return {
        "id": str(number),
        "image": image("mmk12", number),
        "question": (
            f"In the circuit {names('mmk12', number)} half of {value} flows. "
            "How much is that? <image>"
        ),
        "answer": f"\\frac{{{value}}}{{2}}",
        "subject": "physics",
    }
