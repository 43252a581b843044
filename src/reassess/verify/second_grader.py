"""A second grader of mathematical answers, which shares no code with our verifier.

It computes in this process, without a limit, and answers may be of anybody: only texts of a closed
grammar reach it, in which nothing large can be written. All others are counted as not compared.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, cast

import pandas as pd


class AnswerRow(Protocol):
    """A row of answers, as `DataFrame.itertuples` yields it."""

    cell: str
    benchmark: str
    item: str
    answer: str
    answer_kind: str


def name_of(row: object) -> str:
    """The item of a row, for messages."""
    item = cast("AnswerRow", row)
    return f"{item.cell} {item.benchmark} {item.item}"


@dataclass
class SecondGrader:
    """The outcome of grading mathematical answers by other means.

    A stricter grader may reject what our verifier accepts, and math-verify reads a number out of
    text that our verifier takes as a whole: these are notes, not differences.
    """

    graded: int = 0
    refused: int = 0
    stricter: int = 0
    looser: int = 0
    differences: list[str] = field(default_factory=list)

    def check(self, rows: pd.DataFrame, regraded: pd.DataFrame) -> None:
        """Grade some answers.

        Args:
            rows: the answers.
            regraded: our verdicts on them, in the same order.
        """
        verdicts = regraded[["correct", "extracted"]].itertuples(index=False)
        named = rows[[*AnswerRow.__annotations__]].itertuples()
        for row, (correct, extracted) in zip(named, verdicts, strict=True):
            answer = cast("AnswerRow", row)
            grader = GRADERS.get(str(answer.answer_kind))
            if grader is None or extracted is None:
                continue
            readable = READABLE[grader]
            if not readable(str(extracted)) or not readable(str(answer.answer)):
                self.refused += 1
                continue
            self.graded += 1
            verdict = grader(str(extracted), str(answer.answer))
            if verdict == correct:
                continue
            if correct and grader is _by_text:
                self.stricter += 1
            elif verdict and grader is _by_symbols and not _NUMBER.fullmatch(str(extracted)):
                self.looser += 1
            else:
                self.differences.append(
                    f"{name_of(row)}: {extracted!r} for {answer.answer!r} is {correct} for our "
                    f"verifier, {verdict} for {grader.__doc__}"
                )

    def notes(self) -> list[str]:
        """How many answers were graded, and how many only the second grader rejects."""
        notes = [f"{self.graded} mathematical answers graded by a second grader"]
        if self.refused:
            notes.append(
                f"{self.refused} mathematical answers not compared by a second grader: they are "
                "longer than it is given, or state what it might compute for ever"
            )
        if self.stricter:
            notes.append(
                f"{self.stricter} answers in other forms than the right one are right for our "
                "verifier and wrong for the second grader, which compares text"
            )
        if self.looser:
            notes.append(
                f"{self.looser} answers are several numbers or words, wrong for our verifier; the "
                "second grader finds the right number among them"
            )
        return notes


_NUMBER = re.compile(r"\s*[-+]?[0-9]+\.?\s*")

REMEMBERED = 2**17  # comparisons of each kind: the same short answers come many times
LONGEST = 1000  # characters of a text that is compared as text
_TOO_LARGE = re.compile(r"[0-9]{16}|[0-9.]\s*[eE]\s*[-+]?[0-9]|\*\s*\*")
_WORDS = re.compile(r"[0-9A-Za-z .,:;='$%?-]{1,400}")  # nothing that multiplies sums, or raises
_POWER = r"\^(?:[0-9]{1,2}|\{[0-9]{1,2}\})(?![0-9])"
_SUM = rf"(?:[0-9 .,+*/-]|\\cdot|\\times|\\frac\{{[0-9 ]+\}}\{{[0-9 ]+\}}|(?<=[0-9]){_POWER})*"
_ARITHMETIC = re.compile(rf"(?=.{{1,60}}\Z){_SUM}(?:\({_SUM}\){_SUM})*")


def is_small(text: str) -> bool:
    """Whether a text is words and numbers, or arithmetic of few small numbers."""
    if _TOO_LARGE.search(text) or text.count("^") > 1:
        return False
    return bool(_WORDS.fullmatch(text) or _ARITHMETIC.fullmatch(text))


def is_short(text: str) -> bool:
    """Whether a text is short enough to be compared as text."""
    return len(text) <= LONGEST


@lru_cache(maxsize=REMEMBERED)
def _by_symbols(extracted: str, answer: str) -> bool:
    """math-verify."""
    from math_verify import parse, verify

    for part in ("parser", "grader"):  # no time limit is needed: see `is_small`
        logging.getLogger(f"math_verify.{part}").setLevel(logging.ERROR)
    try:
        return bool(
            verify(
                parse(f"${answer}$", parsing_timeout=None),
                parse(f"${extracted}$", parsing_timeout=None),
                timeout_seconds=None,
            )
        )
    except Exception:
        return False  # it rejects what it cannot parse


@lru_cache(maxsize=REMEMBERED)
def _by_text(extracted: str, answer: str) -> bool:
    """lm-eval's grader of MATH."""
    from lm_eval.tasks.hendrycks_math.utils import is_equiv

    return bool(is_equiv(extracted, answer))


# By kind of answer. Where our verifier uses its own code, math-verify grades; where our verifier
# uses math-verify, a comparison of text does.
GRADERS: dict[str, Callable[[str, str], bool]] = {"integer": _by_symbols, "math": _by_text}
READABLE: dict[Callable[[str, str], bool], Callable[[str], bool]] = {
    _by_symbols: is_small, _by_text: is_short,
}  # what each can take  # fmt: skip
