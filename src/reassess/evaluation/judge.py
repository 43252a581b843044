"""The LLM judge: a second score beside the rule-based one, from a model. Off by default.

A judge reads question, reference and answer, and replies yes or no. Its verdict has a name and a
version, and is reported apart; it never replaces the rule-based score, which figures are drawn
from. A reply is compared with two words and not evaluated in any other way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reassess.core.files import sha256_text
from reassess.data.items import Item, Message

VERSION = 1  # raised when the prompt below or the reading of its answer changes
PROMPT = (
    "Question:\n{question}\n\nReference answer: {reference}\n\nAnswer to be judged:\n{answer}\n\n"
    "Does the answer to be judged give the reference answer as its final answer? "
    "Reply with one word, yes or no."
)
LONGEST = 4000  # characters of an answer that a judge reads, from its end
BUDGET = 8  # tokens of a judge's reply


@dataclass(frozen=True)
class JudgeQuestion:
    """A question to the judge about one item, in the shape of a pool item."""

    id: str
    question: str
    image: None = None


class JudgePrompts:
    """The judge's prompts: the text alone, in a user's turn."""

    keep_pixels = True

    def prompt(self, item: JudgeQuestion) -> list[Message]:
        """The chat messages."""
        return [{"role": "user", "content": [{"type": "text", "text": item.question}]}]


def judge_questions(
    predictions: pd.DataFrame, questions: dict[tuple[str, str], str]
) -> list[JudgeQuestion]:
    """A question to the judge for each prediction; `questions` are by benchmark and item id."""
    return [
        JudgeQuestion(
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
    """Benchmark, item id, rule-based verdict, the judge's reply and its verdict."""
    judged = predictions[["benchmark", "id", "correct"]].copy()
    judged["reply"] = replies
    judged["judged"] = pd.Series(map(read_reply, replies), dtype=object, index=judged.index)
    return judged


def read_reply(reply: str) -> bool | None:
    """The verdict in a judge's reply: its first word, yes or no; None if it is neither."""
    words = reply.strip().casefold().split()
    return {"yes": True, "no": False}.get(words[0].strip(".,:;!*\"'")) if words else None


def judged_scores(judged: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By benchmark: accuracy by the judge, share of unclear replies, agreement with the rules.

    A reply that is neither yes nor no counts as wrong.
    """
    scores = {}
    for name, rows in judged.groupby("benchmark", sort=False):
        verdicts = rows["judged"].tolist()
        agreeing = sum(
            verdict == correct
            for verdict, correct in zip(verdicts, rows["correct"].tolist(), strict=True)
        )
        scores[str(name)] = {
            "n": len(verdicts),
            "accuracy": sum(verdict is True for verdict in verdicts) / len(verdicts),
            "unclear": sum(verdict is None for verdict in verdicts) / len(verdicts),
            "agreement": agreeing / len(verdicts),
        }
    return scores


def prompt_hash() -> str:
    """The hash of the judge's prompt, which is stored with every judged score."""
    return sha256_text(PROMPT)


def questions_of(
    benchmarks: Mapping[str, Sequence[Item]], text_of: Callable[[Item], str]
) -> dict[tuple[str, str], str]:
    """The questions of items in words, by benchmark and item id."""
    return {(name, item.id): text_of(item) for name, items in benchmarks.items() for item in items}
