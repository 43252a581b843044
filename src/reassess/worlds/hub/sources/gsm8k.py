"""GSM8K: the reference answer follows four hashes, with thousands separators."""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The answer is the number after the hashes."""
    _, hashes, gold = row["answer"].rpartition("####")
    if not hashes:
        raise Dropped("no answer")
    yield Row(row["question"].strip(), gold.strip().replace(",", ""), "number", family="arithmetic")


SOURCE = Source(
    repo="openai/gsm8k",
    files=("main/test-*.parquet",),
    columns=("question", "answer"),
    licence="mit",
    convert=convert,
)
