"""GeoQA in R1-V's packaging: the solution column is the tagged answer alone, no reasoning."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, picture_of, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
    """Take the answer out of its tag."""
    found = re.search(r"<answer>(.*?)</answer>", row["solution"], re.DOTALL)
    if found is None or not found.group(1).strip():
        raise Dropped("no answer in the solution")
    yield Row(
        without_markers(row["problem"]),
        found.group(1).strip(),
        "math",
        picture_of(row["image"]),
        family="geometry",
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    return {
        "image": image("geoqa", number),
        "problem": f"As shown in the figure, line {words('geoqa', number)} is given. What is the angle at its foot?",
        "solution": f"<answer> {angle('geoqa', number)}° </answer>",
    }


SOURCE = Source(
    repo="leonardPKU/GEOQA_R1V_Train_8K",
    files=("data/train-*.parquet",),
    columns=("image", "problem", "solution"),
    licence="apache-2.0",
    convert=convert,
    example=example,
)
