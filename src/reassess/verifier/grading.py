"""Grading completions: the one definition behind every reward and every score."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from reassess.verifier.comparison import contradicts, verify
from reassess.verifier.extraction import Extraction, find, is_well_formed
from reassess.verifier.math_worker import Undecided, available_workers

REMEMBERED = 2**17  # comparisons: models give the same short answers many times
TOGETHER = 8  # completions that a thread of `grade_all` takes at once


@dataclass(frozen=True)
class Verdict:
    """A graded completion."""

    extracted: str | None  # the answer as written; None where none is readable
    correct: bool
    format_ok: bool
    undecided: bool = False  # the comparison exceeds its limits: not correct, and counted


def grade(completion: str, answer: str, kind: str = "math") -> Verdict:
    """Extract the answer of a completion, verify it, and check the completion's format.

    No completion raises an error; one without a readable answer is wrong.

    Args:
        completion: what a model wrote.
        answer: the right answer.
        kind: how the two are compared, a key of `comparison.KINDS`; any other compares as `math`.

    Raises:
        ReassessError: a worker of symbolic comparisons does not start.
    """
    extraction = find(completion)
    correct = is_right(extraction, answer, kind)
    return Verdict(extraction.text, correct is True, is_well_formed(completion), correct is None)


def grade_all(
    completions: Sequence[str], answers: Sequence[str], kinds: Sequence[str]
) -> list[Verdict]:
    """As `grade`, of many completions.

    The same completion is graded once, and symbolic comparisons are made side by side.

    Args:
        completions: what a model wrote.
        answers: the right answer of each.
        kinds: how each is compared.

    Raises:
        ReassessError: a worker of symbolic comparisons does not start.
    """
    rows = list(zip(completions, answers, kinds, strict=True))
    distinct = list(dict.fromkeys(rows))
    parts = [distinct[start : start + TOGETHER] for start in range(0, len(distinct), TOGETHER)]
    # Twice as many threads as workers: some read completions while others wait for their worker.
    with ThreadPoolExecutor(2 * available_workers()) as threads:
        graded = threads.map(lambda part: [grade(*row) for row in part], parts)
        verdicts = dict(zip(distinct, chain.from_iterable(graded), strict=True))
    return [verdicts[row] for row in rows]


@lru_cache(maxsize=REMEMBERED)
def is_right(extraction: Extraction, answer: str, kind: str) -> bool | None:
    """Whether an extracted answer, and any stated after it, is right; None where undecided.

    An undecided comparison is remembered, too: within one process a completion has one verdict.
    """
    try:
        return verify(extraction.text, answer, kind) and not any(
            contradicts(later, answer, kind) for later in extraction.later
        )
    except Undecided:
        return None
