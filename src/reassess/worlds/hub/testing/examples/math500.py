"""Made-up rows in the layout of MATH-500."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, names, seldom

ANSWERS = (
    "\\left( 2, \\frac{\\pi}{3} \\right)",
    "a - b",
    "\\text{Oliver}",
    "3 + 2i",
    "41_6",
    "10\\%",
    "(-\\infty, 2)\\cup (5, \\infty)",
    "\\sqrt[3]{9}",
)


def row(number: int) -> RawRow:
    """One row."""
    value = angle("math500", number)
    return {
        "problem": f"Compute ${value} + 1$ for {names('math500', number)}.",
        "solution": f"$\\boxed{{{value + 1}}}$",
        "answer": seldom(number, str(value + 1), ANSWERS),
        "subject": "Algebra",
        "level": 1,
        "unique_id": f"test/algebra/{number}.json",
    }
