"""DynaMath: 501 seed questions in ten variants each."""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Numbers are right within 0.001, the authors' rule; options are part of the question."""
    answer = str(row["ground_truth"]).strip()
    if not answer:
        raise Dropped("no answer")
    kind = {"float": "near", "multiple choice": "option"}.get(row["answer_type"], "math")
    yield Row(
        row["question"].strip(),
        answer,
        kind,
        image_of(row["decoded_image"]),
        family=row["subject"],
    )


SOURCE = Source(
    repo="DynaMath/DynaMath_Sample",
    files=("data/sample_variant*-*.parquet",),
    columns=("question", "decoded_image", "ground_truth", "answer_type", "subject"),
    licence="apache-2.0",
    convert=convert,
)
