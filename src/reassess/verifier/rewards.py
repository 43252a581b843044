"""Reward functions in TRL's shape. They only ask `judge`, so a reward is a score and a score is a reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reassess.verifier.grading import Verdict, judge

Completion = str | list[dict[str, Any]]


def accuracy_reward(
    completions: Sequence[Completion], answer: Sequence[str], answer_kind: Sequence[str], **_: Any
) -> list[float]:
    """Return 1 for each completion whose answer is right, else 0."""
    return [float(verdict.correct) for verdict in _verdicts(completions, answer, answer_kind)]


def format_reward(
    completions: Sequence[Completion], answer: Sequence[str], answer_kind: Sequence[str], **_: Any
) -> list[float]:
    """Return 1 for each well-formed completion, right or wrong, else 0."""
    return [float(verdict.format_ok) for verdict in _verdicts(completions, answer, answer_kind)]


def _verdicts(
    completions: Sequence[Completion], answer: Sequence[str], answer_kind: Sequence[str]
) -> list[Verdict]:
    return [
        judge(_text(found), right, kind)
        for found, right, kind in zip(completions, answer, answer_kind, strict=True)
    ]


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
