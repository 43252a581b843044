"""Made-up rows in the layout of MathVision."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names, seldom

ANSWERS = ("2 \\sqrt{3}", "8: 00", "10101", "1,4,5", "75^\\circ")


def row(number: int) -> RawRow:
    """In turn, options by text, options drawn, and no options."""
    kind = number % 3
    free = seldom(number, f"\\frac{{{angle('mathvision', number)}}}{{7}}", ANSWERS)
    return {
        "id": str(number),
        "question": f"Which number replaces {names('mathvision', number)}? <image1>",
        "options": (["10", "20", "30"], ["A", "B", "C", "D", "E"], [])[kind],
        "image": f"images/{number}.jpg",
        "decoded_image": image("mathvision", number),
        "answer": ("B", "D", free)[kind],
        "solution": None,
        "level": 1 + number % 5,
        "subject": "arithmetic",
    }
