"""Made-up rows in the layout of DynaMath."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names, seldom

EXPRESSIONS = ("y = 2x + 3", "3x^2", "[-1, 4]")


def row(number: int) -> RawRow:
    """In turn, a decimal and an option; in some rows an expression."""
    expression = seldom(number, "", EXPRESSIONS)
    kind = "text" if expression else ("float", "multiple choice")[number % 2]
    return {
        "id": str(number),
        "question": f"What is the slope of {names('dynamath', number)}?"
        + (" A: 1 B: 2" if number % 2 else ""),
        "image": f"images/{number}.png",
        "decoded_image": image("dynamath", number),
        "ground_truth": expression or ("0.333", "B")[number % 2],
        "answer_type": kind,
        "subject": "algebra",
        "knowledge_level": "high school",
    }
