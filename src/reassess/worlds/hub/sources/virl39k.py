"""ViRL39K: boxed answers; the parquet file has the paths of images in an archive beside it."""

import re
from collections.abc import Iterable

from reassess.worlds.hub.answers import kind_of, plain
from reassess.worlds.hub.items import Dropped, RawRow, Row, without_markers
from reassess.worlds.hub.source import Source

_BOX = re.compile(r"\\boxed\{(.*)\}\s*\Z", re.DOTALL)


def convert(row: RawRow) -> Iterable[Row]:
    """The answer is the content of the box; letters are options that the question's text lists."""
    boxed = _BOX.search(row["answer"])
    if boxed is None:
        raise Dropped("the answer is not boxed")
    if len(row["image"]) != 1:
        raise Dropped("several pictures" if row["image"] else "no picture")
    question = without_markers(row["question"])
    answer, kind = kind_of(plain(boxed.group(1), question), question)
    yield Row(question, answer, kind, row["files"](row["image"][0]), family=row["category"])


SOURCE = Source(
    repo="TIGER-Lab/ViRL39K",
    files=("39Krelease.parquet",),
    columns=("question", "answer", "image", "category"),
    licence="mit",
    convert=convert,
    archive="images.zip",
)
