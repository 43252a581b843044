"""Made-up rows in the layout of ViRL39K."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, names, png


def row(number: int) -> RawRow:
    """One row."""
    return {
        "question": f"<image>How wide is {names('virl39k', number)}?",
        "answer": f"\\boxed{{{angle('virl39k', number)}}}",
        "PassRate_32BTrained": 0.5,
        "PassRate_7BBase": 0.25,
        "category": "Spatial Reasoning",
        "source": "stand-in",
        "qid": f"stand-in-{number}",
        "image": [f"images/{number}.png"],
    }


def archive(number: int) -> dict[str, bytes]:
    """The members of the archive that belong to a row, by name."""
    return {f"images/{number}.png": png("virl39k", number)}
