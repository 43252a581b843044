"""Eureka-Distill: public traces that are foreign to the base models, with their own questions.

Its columns could not be inspected. The usual layout of such sets is expected: turns under
`messages`, images under `images`; for any other, reading fails and names the columns it has.
"""

from collections.abc import Iterable

from reassess.verifier.extraction import extract
from reassess.worlds.hub.answers import kind_of
from reassess.worlds.hub.items import Dropped, RawRow, Row, only_image, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """The first user turn is the question, the first assistant turn the trace.

    The authors kept only correct completions, so a trace's boxed answer is its reference answer.
    """
    turns = {str(turn["role"]): str(turn["content"]) for turn in reversed(row["messages"])}
    if "user" not in turns or "assistant" not in turns:
        raise Dropped("no user or no assistant turn")
    answer = extract(turns["assistant"])
    if answer is None:
        raise Dropped("no answer in the trace")
    question = without_markers(turns["user"])
    answer, kind = kind_of(answer, question)
    yield Row(
        question,
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
