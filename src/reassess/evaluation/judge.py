"""Second scores beside the greedy, rule-based one: several samples an item, and a model that judges. Both are off by default.

A judge reads question, reference and answer and says yes or no. It is a second opinion with its own name and version, reported
apart; it never replaces the rule-based score, which a figure is drawn from. What it says is compared with two words and not
evaluated in any other way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reassess.core.files import sha256_text
from reassess.data.items import Message

VERSION = 1  # raised when the prompt below or the reading of its answer changes
PROMPT = (
    "Question:\n{question}\n\nReference answer: {reference}\n\nAnswer to be judged:\n{answer}\n\n"
    "Does the answer to be judged give the reference answer as its final answer? Reply with one word, yes or no."
)
LONGEST = 4000  # characters of an answer that a judge reads, from its end
BUDGET = 8  # tokens of a judge's reply


@dataclass(frozen=True)
class Asked:
    """What a judge is asked of one item: a question in words, in the shape of a pool item."""

    id: str
    question: str
    image: None = None


class JudgePrompts:
    """The judge's prompts: the text alone, in a user's turn."""

    keep_pixels = True

    def prompt(self, item: Asked) -> list[Message]:
        """Return the chat messages."""
        return [{"role": "user", "content": [{"type": "text", "text": item.question}]}]


def asked_of(predictions: pd.DataFrame, questions: dict[tuple[str, str], str]) -> list[Asked]:
    """Return what a judge is asked of each prediction; `questions` by benchmark and item."""
    return [
        Asked(
            f"{row['benchmark']}/{row['id']}",
            PROMPT.format(
                question=questions[(row["benchmark"], row["id"])],
                reference=row["answer"],
                answer=row["completion"].rpartition("</think>")[2].strip()[-LONGEST:],
            ),
        )
        for row in predictions.to_dict("records")
    ]


def with_replies(predictions: pd.DataFrame, replies: Sequence[str]) -> pd.DataFrame:
    """Return benchmark, item, rule-based verdict, the judge's reply and its verdict."""
    judged = predictions[["benchmark", "id", "correct"]].copy()
    judged["reply"] = replies
    judged["judged"] = pd.Series(map(read_reply, replies), dtype=object, index=judged.index)
    return judged


def read_reply(reply: str) -> bool | None:
    """Return what a judge said: yes, no, or neither."""
    words = reply.strip().casefold().split()
    return {"yes": True, "no": False}.get(words[0].strip(".,:;!*\"'")) if words else None


def judged_scores(judged: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return by benchmark the share that the judge calls right, counting a reply that is neither word as wrong, and their share."""
    found = {}
    for name, rows in judged.groupby("benchmark", sort=False):
        replies = rows["judged"].tolist()
        agreeing = sum(
            reply == right for reply, right in zip(replies, rows["correct"].tolist(), strict=True)
        )
        found[str(name)] = {
            "n": len(replies),
            "accuracy": sum(reply is True for reply in replies) / len(replies),
            "unclear": sum(reply is None for reply in replies) / len(replies),
            "agreement": agreeing / len(replies),
        }
    return found


def prompt_hash() -> str:
    """Return the hash of the judge's prompt, which stands with every judged score."""
    return sha256_text(PROMPT)


def questions_of(
    benchmarks: Mapping[str, Sequence[Any]], text_of: Callable[[Any], str]
) -> dict[tuple[str, str], str]:
    """Return the questions of items in words, by benchmark and item."""
    return {(name, item.id): text_of(item) for name, items in benchmarks.items() for item in items}
