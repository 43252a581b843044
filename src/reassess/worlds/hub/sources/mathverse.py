"""MathVerse testmini: 788 problems in five versions, from much text to none.

Options are part of the question.
"""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of
from reassess.worlds.hub.source import Source

IN_PICTURE = "Answer the question in the picture."


def convert(row: RawRow) -> Iterable[Row]:
    """Each version is used as it is; where the question is drawn, none of its text is given."""
    answer = row["answer"].strip()
    if not answer:
        raise Dropped("no answer")
    kind = "option" if row["question_type"] == "multi-choice" else "math"
    yield Row(
        row["question"].strip() or IN_PICTURE,
        answer,
        kind,
        image_of(row["image"]),
        family=row["problem_version"],
    )


SOURCE = Source(
    repo="AI4Math/MathVerse",
    files=("testmini.parquet", "testmini/testmini-*.parquet", "data/testmini-*.parquet"),
    columns=("problem_version", "question", "image", "answer", "question_type"),
    licence="mit",
    convert=convert,
)
