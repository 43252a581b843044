"""ViRL39K: boxed answers; pictures lie in an archive beside the parquet file, so the file itself holds only their paths."""

import re
from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, without_markers
from reassess.worlds.hub.source import Source

_BOX = re.compile(r"\\boxed\{(.*)\}\s*\Z", re.DOTALL)


def convert(row: RawRow) -> Iterable[Row]:
    """Open the box; rows whose answer is one letter ask for an option of the question's own text."""
    found = _BOX.search(row["answer"])
    if found is None:
        raise Dropped("the answer is not boxed")
    if len(row["image"]) != 1:
        raise Dropped("several pictures" if row["image"] else "no picture")
    answer = found.group(1).strip()
    kind = "option" if re.fullmatch(r"[A-J]", answer) else "math"
    yield Row(
        without_markers(row["question"]),
        answer,
        kind,
        row["files"](row["image"][0]),
        family=row["category"],
    )


SOURCE = Source(
    repo="TIGER-Lab/ViRL39K",
    files=("39Krelease.parquet",),
    columns=("question", "answer", "image", "category"),
    licence="mit",
    convert=convert,
    archive="images.zip",
)
