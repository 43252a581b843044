"""Made-up rows in the layout of MATH-500."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, names


def row(number: int) -> RawRow:
    """One row."""
    value = angle("math500", number)
    return {
        "problem": f"Compute ${value} + 1$ for {names('math500', number)}.",
        "solution": f"$\\boxed{{{value + 1}}}$",
        "answer": str(value + 1),
        "subject": "Algebra",
        "level": 1,
        "unique_id": f"test/algebra/{number}.json",
    }
