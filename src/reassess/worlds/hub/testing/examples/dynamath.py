"""Made-up rows in the layout of DynaMath."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """One row."""
    return {
        "id": str(number),
        "question": f"What is the slope of {names('dynamath', number)}?"
        + (" A: 1 B: 2" if number % 2 else ""),
        "image": f"images/{number}.png",
        "decoded_image": image("dynamath", number),
        "ground_truth": "B" if number % 2 else "0.333",
        "answer_type": "multiple choice" if number % 2 else "float",
        "subject": "algebra",
        "knowledge_level": "high school",
    }
