"""Eureka-Distill, the public set of traces that are foreign to the base models: its own questions, thought and box.

Its columns could not be looked at here. The layout that sets of this kind mostly have is read: turns under `messages`, pictures
under `images`; anything else stops with the columns that were found.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from reassess.verifier.grading import extract
from reassess.worlds.hub.items import Dropped, Row, only_picture, without_markers
from reassess.worlds.hub.source import Source
from reassess.worlds.hub.testing.drawing import angle, image, words


def convert(row: Mapping[str, Any]) -> Iterable[Row]:
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
        only_picture(row["images"] or []),
        trace=turns["assistant"].strip(),
    )


def example(number: int) -> dict[str, Any]:
    """Return a row of the layout that is read."""
    value = angle("eureka", number)
    trace = f"<think>The figure {words('eureka', number)} has two equal parts, so I double one.</think> \\boxed{{{value}}}"
    question = f"<image>How long is the path through {words('eureka', number)}?"
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": trace},
        ],
        "images": [image("eureka", number)],
    }


SOURCE = Source(
    repo="JierunChen/Eureka-Distill",
    files=("data/train-*.parquet", "train*.parquet", "*train*.json*"),
    columns=("messages", "images"),
    licence="unknown",
    convert=convert,
    example=example,
    notes="layout not verified",
)
