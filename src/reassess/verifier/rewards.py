"""Reward functions in the shape that TRL expects. They only call `grade`: reward equals score."""

from __future__ import annotations

from collections.abc import Sequence

from reassess.verifier.grading import Verdict, grade

ChatMessage = dict[str, str]
Completion = str | list[ChatMessage]  # as TRL passes it: text, or a conversation


def accuracy_reward(
    completions: Sequence[Completion],
    answer: Sequence[str],
    answer_kind: Sequence[str],
    **_: object,
) -> list[float]:
    """1 for each completion whose answer is right, else 0."""
    return [float(verdict.correct) for verdict in _verdicts(completions, answer, answer_kind)]


def format_reward(
    completions: Sequence[Completion],
    answer: Sequence[str],
    answer_kind: Sequence[str],
    **_: object,
) -> list[float]:
    """1 for each well-formed completion, right or wrong, else 0."""
    return [float(verdict.format_ok) for verdict in _verdicts(completions, answer, answer_kind)]


def _verdicts(
    completions: Sequence[Completion], answer: Sequence[str], answer_kind: Sequence[str]
) -> list[Verdict]:
    return [
        grade(_text(completion), gold, kind)
        for completion, gold, kind in zip(completions, answer, answer_kind, strict=True)
    ]


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
