"""Geometry3K in EasyR1's packaging: a diagram, a question, four choices.

The answer is the text of the right choice.
"""

from collections.abc import Iterable

from reassess.worlds.hub.items import RawRow, Row, only_image, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The question is for the value; the choices are not shown, as in EasyR1."""
    yield Row(
        without_markers(row["problem"]),
        row["answer"].strip(),
        "math",
        only_image(row["images"]),
        family="geometry",
    )


SOURCE = Source(
    repo="hiyouga/geometry3k",
    files=("data/train-*.parquet",),
    columns=("images", "problem", "answer"),
    licence="mit",
    convert=convert,
)
