"""Second scores beside the greedy, rule-based one: several samples an item, and a model that judges. Both are off by default.

A judge reads question, reference and answer and says yes or no. It is a second opinion with its own name and version, reported
apart; it never replaces the rule-based score, which a figure is drawn from. What it says is compared with two words and not
evaluated in any other way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import pandas as pd

from reassess.files import sha256_text

VERSION = 1  # raised when the prompt below or the reading of its answer changes
PROMPT = (
    "Question:\n{question}\n\nReference answer: {reference}\n\nAnswer to be judged:\n{answer}\n\n"
    "Does the answer to be judged give the reference answer as its final answer? Reply with one word, yes or no."
)
LONGEST = 4000  # characters of an answer that a judge reads, from its end
BUDGET = 8  # tokens of a judge's reply


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Return the probability that at least one of `k` samples is correct, estimated without bias from `correct` of `samples`.

    1 - C(n - c, k) / C(n, k) (arXiv 2107.03374, equation 1). Raises:
        ValueError: k is not between 1 and `samples`, or `correct` not between 0 and `samples`.
    """
    if not 1 <= k <= samples or not 0 <= correct <= samples:
        raise ValueError(f"pass@{k} of {correct} correct among {samples} samples")
    return 1 - comb(samples - correct, k) / comb(samples, k)


def budgets(samples: int) -> list[int]:
    """Return the k of pass@k that are reported: powers of two below the number of samples, and that number."""
    return sorted({2**power for power in range(samples.bit_length()) if 2**power < samples} | {samples})


def sampled_scores(rows: pd.DataFrame) -> dict[str, float]:
    """Return mean accuracy of the samples and pass@k over the items of a benchmark."""
    samples, correct = int(rows["samples"].iloc[0]), rows["sampled_correct"].tolist()
    passes = {f"pass@{k}": sum(pass_at_k(samples, one, k) for one in correct) / len(correct) for k in budgets(samples)}
    return {"samples": samples, "sampled_accuracy": sum(correct) / (samples * len(correct)), **passes}


@dataclass(frozen=True)
class Asked:
    """What a judge is asked of one item: a question in words, in the shape of a pool item."""

    id: str
    question: str
    image: None = None


class JudgePrompts:
    """The judge's prompts: the text alone, in a user's turn."""

    keep_pixels = True

    def prompt(self, item: Asked) -> list[dict[str, Any]]:
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


def read_reply(reply: str) -> bool | None:
    """Return what a judge said: yes, no, or neither."""
    words = reply.strip().casefold().split()
    return {"yes": True, "no": False}.get(words[0].strip(".,:;!*\"'")) if words else None


def judged_scores(judged: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return by benchmark the share that the judge calls right, counting a reply that is neither word as wrong, and their share."""
    found = {}
    for name, rows in judged.groupby("benchmark", sort=False):
        replies = rows["judged"].tolist()
        agreeing = sum(reply == right for reply, right in zip(replies, rows["correct"].tolist(), strict=True))
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


def as_questions(benchmarks: Mapping[str, Sequence[Any]], text_of: Callable[[Any], str]) -> dict[tuple[str, str], str]:
    """Return the questions of items in words, by benchmark and item."""
    return {(name, item.id): text_of(item) for name, items in benchmarks.items() for item in items}
