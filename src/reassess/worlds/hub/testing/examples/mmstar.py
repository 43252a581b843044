"""Made-up rows in the layout of MMStar."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """One row."""
    return {
        "index": number,
        "question": (
            f"What stands beside {names('mmstar', number)}?\n"
            "Options: A: a cat, B: a dog, C: a cup, D: none"
        ),
        "image": image("mmstar", number),
        "answer": "ABCD"[number % 4],
        "category": "coarse perception",
        "l2_category": "image scene and topic",
        "meta_info": {"source": "stand-in"},
    }
