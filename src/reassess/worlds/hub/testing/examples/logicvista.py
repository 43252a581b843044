"""Made-up rows in the layout of LogicVista's mirror."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """In turn, one letter, two letters, and no answer."""
    return {
        "question": f"Which figures continue {names('logicvista', number)}? A, B, C or D?",
        "answer": ("B", "B, D", "")[number % 3],
        "reasoning": "",
        "image": image("logicvista", number),
        "skill": ["inductive"],
    }
