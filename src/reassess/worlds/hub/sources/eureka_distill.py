"""Eureka-Distill, the public set of traces that are foreign to the base models: its own questions, thought and box.

Its columns could not be looked at here. The layout that sets of this kind mostly have is read: turns under `messages`, pictures
under `images`; anything else stops with the columns that were found.
"""

from collections.abc import Iterable

from reassess.verifier.extraction import extract
from reassess.worlds.hub.items import Dropped, RawRow, Row, only_image, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Take the first user turn as the question, the first assistant turn as the trace, and the trace's own box as the answer.

    Only right completions were kept by those who made the set, so the box of a trace is its gold.
    """
    turns = {str(turn["role"]): str(turn["content"]) for turn in reversed(row["messages"])}
    if "user" not in turns or "assistant" not in turns:
        raise Dropped("no user or no assistant turn")
    answer = extract(turns["assistant"])
    if answer is None:
        raise Dropped("no answer in the trace")
    kind = "option" if len(answer) == 1 and answer.isalpha() else "math"
    yield Row(
        without_markers(turns["user"]),
        answer,
        kind,
        only_image(row["images"] or []),
        trace=turns["assistant"].strip(),
    )


SOURCE = Source(
    repo="JierunChen/Eureka-Distill",
    files=("data/train-*.parquet", "train*.parquet", "*train*.json*"),
    columns=("messages", "images"),
    licence="unknown",
    convert=convert,
    notes="layout not verified",
)
