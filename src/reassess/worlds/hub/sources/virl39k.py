"""ViRL39K: boxed answers; pictures lie in an archive beside the parquet file, so the file itself holds only their paths."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reassess.worlds.hub.items import Dropped, Row, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, picture, words

_BOX = re.compile(r"\\boxed\{(.*)\}\s*\Z", re.DOTALL)


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
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


def example(number: int) -> dict[str, Any]:
    """Return a row of the source's layout."""
    return {
        "question": f"<image>How wide is {words('virl39k', number)}?",
        "answer": f"\\boxed{{{angle('virl39k', number)}}}",
        "PassRate_32BTrained": 0.5,
        "PassRate_7BBase": 0.25,
        "category": "Spatial Reasoning",
        "source": "stand-in",
        "qid": f"stand-in-{number}",
        "image": [f"images/{number}.png"],
    }


def example_files(folder: Path, numbers: range) -> None:
    """Write the pictures that the example rows name."""
    import zipfile

    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for number in numbers:
            archive.writestr(f"images/{number}.png", picture("virl39k", number))


SOURCE = Source(
    repo="TIGER-Lab/ViRL39K",
    files=("39Krelease.parquet",),
    columns=("question", "answer", "image", "category"),
    licence="mit",
    convert=convert,
    example=example,
    archive="images.zip",
    example_files=example_files,
)
