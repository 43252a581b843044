"""Made-up rows in the layout of MathVerse."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import image, names, seldom

ANSWERS = ("17.3 ft", "y=x^2-2 x-3", "x=-4", "(-\\infty,4]", "$\\angle C=117^\\circ$", "Yes")


def row(number: int) -> RawRow:
    """One row."""
    version = ("Text Dominant", "Vision Only")[number % 2]
    return {
        "sample_index": str(number),
        "problem_index": str(number // 2),
        "problem_version": version,
        "question": ""
        if number % 2
        else f"How large is {names('mathverse', number)}?\nChoices:\nA:40°\nB:60°",
        "image": image("mathverse", number),
        "answer": "B" if number % 2 == 0 else seldom(number, "2191.7 metres", ANSWERS),
        "question_type": "multi-choice" if number % 2 == 0 else "free-form",
        "metadata": {"subject": "Plane Geometry"},
        "query_wo": "",
        "query_cot": "",
        "question_for_eval": f"How large is {names('mathverse', number)}?",
    }
