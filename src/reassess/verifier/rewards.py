"""Reward functions in the shape that TRL expects. Accuracy is what `grade` says it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reassess.verifier.extraction import is_well_formed
from reassess.verifier.grading import grade_all

ChatMessage = dict[str, str]
Completion = str | list[ChatMessage]  # as TRL passes it: text, or a conversation
UNDECIDED_SHARE = "undecided_share"  # the metric


def accuracy_reward(
    completions: Sequence[Completion],
    answer: Sequence[str],
    answer_kind: Sequence[str],
    log_metric: Callable[[str, float], None] | None = None,
    **_: object,
) -> list[float]:
    """1 for each completion whose answer is right, else 0.

    What the verifier leaves undecided has reward 0. Its share is logged: TRL's trainer passes
    `log_metric`, averages over processes, and logs the mean of an update.
    """
    verdicts = grade_all([_text(completion) for completion in completions], answer, answer_kind)
    if log_metric is not None and verdicts:
        undecided = sum(verdict.undecided for verdict in verdicts)
        log_metric(UNDECIDED_SHARE, undecided / len(verdicts))
    return [float(verdict.correct) for verdict in verdicts]


def format_reward(completions: Sequence[Completion], **_: object) -> list[float]:
    """1 for each well-formed completion, right or wrong, else 0."""
    return [float(is_well_formed(_text(completion))) for completion in completions]


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
