"""Made-up rows in the layout of `wemath`."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names


def row(number: int) -> RawRow:
    """Return a row of the source's layout."""
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
