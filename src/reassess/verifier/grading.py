"""Grading a completion: the one definition behind every reward and every score."""

from __future__ import annotations

from dataclasses import dataclass

from reassess.verifier.comparison import verify
from reassess.verifier.extraction import extract, is_well_formed


@dataclass(frozen=True)
class Verdict:
    """A graded completion."""

    extracted: str | None  # the answer as written; None where none is readable
    correct: bool
    format_ok: bool


def grade(completion: str, answer: str, kind: str = "math") -> Verdict:
    """Extract the answer of a completion, verify it, and check the completion's format.

    No completion raises an error; one without a readable answer is wrong.

    Args:
        completion: what a model wrote.
        answer: the right answer.
        kind: how the two are compared, a key of `comparison.KINDS`; any other compares as `math`.
    """
    extracted = extract(completion)
    return Verdict(extracted, verify(extracted, answer, kind), is_well_formed(completion))
