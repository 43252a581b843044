"""The second level: are the stored answers, judged again, worth what the stored scores say?"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened, tampered
from reassess.bundles.stored_answers import ANSWERS, KEYS, answers_by_cell
from reassess.core.errors import ReassessError
from reassess.verifier.grading import Verdict, judge
from reassess.verify.report import Report

if TYPE_CHECKING:
    import pandas as pd

REMEMBERED = 200_000  # verdicts: models give the same short answers again and again
Judge = Callable[[str, str, str], Verdict]  # of a completion, by the right answer and its kind


def verify_scores(path: Path) -> Report:
    """Extract and verify every stored answer again, and hold the verdicts against the stored scores, item by item.

    Mathematical answers are judged a second time by a grader that shares no code with ours.

    Raises:
        ReassessError: the bundle is damaged, of a newer version, or holds no answers.
    """
    report = Report()
    with opened(path) as root:
        report.add(tampered(root))
        scores = Bundle.load(root / "bundle").scores
        answers = root / "bundle" / ANSWERS
        if not answers.is_file():
            raise ReassessError(
                f"{path} holds scores but no answers ({ANSWERS}): they cannot be recomputed"
            )
        scores[KEYS] = scores[KEYS].astype(str)
        unseen = dict(iter(scores.groupby("cell")))
        again = lru_cache(maxsize=REMEMBERED)(judge)
        found, count, cells, opinion = [], 0, len(unseen), SecondOpinion()
        for cell, rows in answers_by_cell(answers):
            differences, judged = _judged_again(
                unseen.pop(cell, scores.iloc[:0]), rows, again, opinion
            )
            found += differences
            count += judged
        found += [
            f"{_item(row)}: a score without a stored answer"
            for rows in unseen.values()
            for row in rows.itertuples()
        ]
    report.add(found)
    report.add(opinion.differences)
    report.notes += opinion.notes()
    report.checked = f"{count} answers of {cells} cells"
    return report


def _judged_again(
    scores: pd.DataFrame, answers: pd.DataFrame, again: Judge, opinion: SecondOpinion
) -> tuple[list[str], int]:
    """Hold a cell's scores against its answers; return what differs and the number of answers judged."""
    both = scores.merge(answers, on=KEYS, how="outer", indicator=True, validate="one_to_one")
    found = []
    for side, what in (
        ("left_only", "a score without a stored answer"),
        ("right_only", "a stored answer without a score"),
    ):
        found += [f"{_item(row)}: {what}" for row in both[both["_merge"] == side].itertuples()]
    both = both[both["_merge"] == "both"]
    judged = _verdicts(both, again)
    for column, what in (
        ("correct", "verdict"),
        ("extracted", "extracted answer"),
        ("format_ok", "format"),
    ):
        mine, stored = judged[column], both[column]
        differs = ~(
            (mine == stored.to_numpy()) | (mine.isna() & stored.isna().to_numpy())
        ).to_numpy(dtype=bool)
        rows = zip(both[differs].itertuples(), mine[differs], strict=True)
        found += [
            f"{_item(row)}: {what} stored as {getattr(row, column)!r}, recomputed as {value!r}"
            for row, value in rows
        ]
    opinion.ask(both, judged)
    return found, len(both)


def _item(row: Any) -> str:
    return f"{row.cell} {row.benchmark} {row.item}"


def _verdicts(rows: pd.DataFrame, again: Judge) -> pd.DataFrame:
    import pandas as pd

    verdicts = [
        again(*one)
        for one in zip(rows["completion"], rows["answer"], rows["answer_kind"], strict=True)
    ]
    content = {
        name: pd.Series([getattr(one, name) for one in verdicts], dtype=object)
        for name in ("correct", "extracted", "format_ok")
    }
    return pd.DataFrame(content)


@dataclass
class SecondOpinion:
    """What another grader thinks of mathematical answers. A stricter one may call wrong what ours calls right: that is a note."""

    asked: int = 0
    stricter: int = 0
    differences: list[str] = field(default_factory=list)

    def ask(self, rows: pd.DataFrame, judged: pd.DataFrame) -> None:
        """Judge some answers."""
        mine = judged[["correct", "extracted"]].itertuples(index=False)
        for row, (correct, extracted) in zip(rows.itertuples(), mine, strict=True):
            grader = GRADERS.get(str(row.answer_kind))
            if grader is None or extracted is None:
                continue
            self.asked += 1
            theirs = grader(str(extracted), str(row.answer))
            if theirs == correct:
                continue
            if correct and grader is _by_text:
                self.stricter += 1
            else:
                says = f"{correct} for our verifier, {theirs} for {grader.__doc__}"
                self.differences.append(f"{_item(row)}: {extracted!r} for {row.answer!r} is {says}")

    def notes(self) -> list[str]:
        """Return what is no difference and worth saying."""
        notes = [f"{self.asked} mathematical answers judged by a second grader"]
        if self.stricter:
            other = "in other forms than the right one are right for ours and wrong for the second, which compares text"
            notes.append(f"{self.stricter} answers {other}")
        return notes


@cache
def _by_symbols(extracted: str, answer: str) -> bool:
    """math-verify."""
    from math_verify import parse, verify

    for part in ("parser", "grader"):
        logging.getLogger(f"math_verify.{part}").setLevel(
            logging.ERROR
        )  # it warns that no time limit is set: texts here are whole numbers
    try:
        return bool(
            verify(
                parse(f"${answer}$", parsing_timeout=None),
                parse(f"${extracted}$", parsing_timeout=None),
                timeout_seconds=None,
            )
        )
    except Exception:
        return False  # what it cannot parse is wrong for it


@cache
def _by_text(extracted: str, answer: str) -> bool:
    """lm-eval's grader of MATH."""
    from lm_eval.tasks.hendrycks_math.utils import is_equiv

    return bool(is_equiv(extracted, answer))


# Kinds of answers that ours judges by its own means are judged by math-verify; where ours asks math-verify, by text.
GRADERS: dict[str, Callable[[str, str], bool]] = {"integer": _by_symbols, "math": _by_text}
