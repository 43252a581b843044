"""Made-up rows in the layout of We-Math."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """One row."""
    return {
        "ID": str(number),
        "split": "testmini",
        "knowledge concept": "Area",
        "question": f"What is the area of {names('wemath', number)}?",
        "option": "A. 10; B. 20; C. 30; D. 40; E. No correct answer",
        "answer": "ABCDE"[number % 5],
        "image_path": image("wemath", number),
        "key": "2steps_1",
    }
