"""MMK12's training split: school questions with free answers in LaTeX.

They are translated from Chinese; the answers to several blanks are set apart by semicolons.
"""

from collections.abc import Iterable

from reassess.worlds.hub.answers import kind_of, plain
from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The answer is written in LaTeX; letters of options that the question lists are options."""
    if not row["answer"].strip():
        raise Dropped("no answer")
    question = without_markers(row["question"])
    answer, kind = kind_of(plain(row["answer"], question), question)
    yield Row(question, answer, kind, image_of(row["image"]), family=row["subject"])


SOURCE = Source(
    repo="FanqingM/MMK12",
    files=("data/train-*.parquet", "train*.parquet"),
    columns=("image", "question", "answer", "subject"),
    licence="apache-2.0",
    convert=convert,
)
