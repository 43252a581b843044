"""Made-up rows in the layout of GSM8K."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, names


def row(number: int) -> RawRow:
    """One row."""
    value = 1000 + angle("gsm8k", number)
    return {
        "question": (
            f"{names('gsm8k', number)} has {value} coins and gets none. How many are there?"
        ),
        "answer": f"There are <<{value}+0={value}>>{value}.\n#### {value:,}",
    }
