"""GeoQA in R1-V's packaging: the solution column is the tagged answer without reasoning.

Questions are translated from Chinese, answers are not: `6√{3}米` becomes LaTeX.
"""

import re
from collections.abc import Iterable

from reassess.worlds.hub.answers import plain
from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The answer is the content of its tag."""
    tagged = re.search(r"<answer>(.*?)</answer>", row["solution"], re.DOTALL)
    if tagged is None or not tagged.group(1).strip():
        raise Dropped("no answer in the solution")
    question = without_markers(row["problem"])
    yield Row(
        question,
        plain(tagged.group(1), question),
        "math",
        image_of(row["image"]),
        family="geometry",
    )


SOURCE = Source(
    repo="leonardPKU/GEOQA_R1V_Train_8K",
    files=("data/train-*.parquet",),
    columns=("image", "problem", "solution"),
    licence="apache-2.0",
    convert=convert,
)
