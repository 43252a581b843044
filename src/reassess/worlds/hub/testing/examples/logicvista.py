"""Made-up rows in the layout of `logicvista`."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """Return a row of the source's layout: one letter, two letters, and no answer in turn."""
    return {
        "question": f"Which figures continue {names('logicvista', number)}? A, B, C or D?",
        "answer": ("B", "B, D", "")[number % 3],
        "reasoning": "",
        "image": image("logicvista", number),
        "skill": ["inductive"],
    }
