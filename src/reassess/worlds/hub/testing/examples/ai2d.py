"""Made-up rows in the layout of AI2D in The Cauldron."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """One row."""
    choices = "A. a leaf\nB. a root\nC. a stem"
    turn = {
        "user": (
            f"Question: What is shown at {names('ai2d', number)}?\n"
            f"Choices:\n{choices}\nAnswer with the letter."
        ),
        "assistant": f"Answer: {'ABC'[number % 3]}",
        "source": "AI2D",
    }
    return {"images": [image("ai2d", number)], "texts": [turn]}
