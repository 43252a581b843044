"""GSM8K: the gold stands after four hashes, with thousands separators."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Take the number after the hashes."""
    _, hashes, gold = row["answer"].rpartition("####")
    if not hashes:
        raise Dropped("no answer")
    yield Row(row["question"].strip(), gold.strip().replace(",", ""), "number", family="arithmetic")


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    value = 1000 + angle("gsm8k", number)
    return {
        "question": f"{words('gsm8k', number)} has {value} coins and gets none. How many are there?",
        "answer": f"There are <<{value}+0={value}>>{value}.\n#### {value:,}",
    }


SOURCE = Source(
    repo="openai/gsm8k",
    files=("main/test-*.parquet",),
    columns=("question", "answer"),
    licence="mit",
    convert=convert,
    example=example,
)
