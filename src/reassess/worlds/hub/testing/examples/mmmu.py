"""Made-up rows in the layout of MMMU."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names, seldom

ANSWERS = ("['24/7', '3.429']", "$63,020", "Yes", "-1.5%", "1.06 ft/s", "['plaza', 'plazas']")


def row(number: int) -> RawRow:
    """In turn, a choice and an open question."""
    choice = number % 2 == 0
    no_images: dict[str, object] = {f"image_{place}": None for place in range(2, 8)}
    return {
        "id": f"validation_Accounting_{number}",
        "question": f"<image 1> What follows from {names('mmmu', number)}?",
        "options": "['yes', 'no', 'both']" if choice else "[]",
        "explanation": "",
        "image_1": image("mmmu", number),
        **no_images,
        "img_type": "['Plots']",
        "answer": "C" if choice else seldom(number, "['0.5', '1/2']", ANSWERS),
        "topic_difficulty": "Easy",
        "question_type": "multiple-choice" if choice else "open",
        "subfield": "Accounting",
    }
