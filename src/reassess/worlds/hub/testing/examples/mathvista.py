"""Made-up rows in the layout of MathVista."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names, seldom

TEXTS = ("Yes", "2 years", "[1, 2]")


def row(number: int) -> RawRow:
    """In turn, a choice, an integer and a decimal; in some rows a text."""
    text = seldom(number, "", TEXTS)
    kind = number % 3
    return {
        "pid": str(number),
        "question": f"What is read off at {names('mathvista', number)}?",
        "image": f"images/{number}.jpg",
        "decoded_image": image("mathvista", number),
        "choices": ["left", "right"] if kind == 0 else None,
        "unit": "cm" if kind == 1 else None,
        "precision": 1.0 if kind == 2 and not text else None,
        "answer": text or ("right", str(angle("mathvista", number)), "1.2")[kind],
        "question_type": "multi_choice" if kind == 0 else "free_form",
        "answer_type": "text" if text else ("text", "integer", "float")[kind],
        "metadata": {"task": "figure question answering", "source": "stand-in"},
    }
