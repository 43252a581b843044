"""Geometry3K in EasyR1's packaging: a diagram, a question, four choices; the answer is the text of the right one."""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Row, only_picture, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Ask for the value; the choices are not shown, as in EasyR1."""
    yield Row(
        without_markers(row["problem"]),
        row["answer"].strip(),
        "math",
        only_picture(row["images"]),
        family="geometry",
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    value = angle("geometry3k", number)
    return {
        "images": [image("geometry3k", number)],
        "problem": f"<image>Find x in the figure {words('geometry3k', number)}.",
        "answer": str(value),
        "id": number,
        "choices": [str(value + step) for step in (0, 5, 10, 15)],
        "ground_truth": "A",
    }


SOURCE = Source(
    repo="hiyouga/geometry3k",
    files=("data/train-*.parquet",),
    columns=("images", "problem", "answer"),
    licence="mit",
    convert=convert,
    example=example,
)
