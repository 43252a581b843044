"""The second level: the stored answers, graded again, compared with the stored scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import Bundle, undecided_in
from reassess.bundles.archive import opened
from reassess.bundles.checksums import tampered
from reassess.bundles.stored_answers import ANSWERS, KEYS, SAMPLED, answers_by_cell
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED
from reassess.verifier import Verdict, grade_all
from reassess.verify.report import LISTED, VerifyReport
from reassess.verify.second_grader import SecondGrader, name_of

REMEMBERED = 200_000  # verdicts: models give the same short answers many times
ALWAYS_DECIDED = ("word", "option", "options")  # kinds that are compared as texts
EXCUSED = 200  # answers of a cell for each one that may have been undecided elsewhere
COMPARED = {"correct": "verdict", "extracted": "extracted answer", "format_ok": "format"}

LEAVES_OPEN = (
    "that the right answers are those of the pool, which `verify contents` compares, and that the "
    "models wrote these completions"
)

Answer = tuple[str, str, str]  # a completion, the right answer, and its kind


def verify_scores(path: Path) -> VerifyReport:
    """Grade every stored answer again and compare the verdicts with the stored scores, by item.

    Mathematical answers are graded a second time by a grader that shares no code with ours.
    Verdicts that were undecided are noted, by name where there is one now.

    Raises:
        ReassessError: the bundle is damaged, of a newer version, or holds no answers.
    """
    report = VerifyReport(agreement="the same verdicts, graded again", leaves_open=LEAVES_OPEN)
    with opened(path) as root:
        report.add(tampered(root))
        scores = Bundle.load(root / "bundle").scores
        answers = root / "bundle" / ANSWERS
        if not answers.is_file():
            raise ReassessError(
                f"{path} holds scores but no answers ({ANSWERS}): they cannot be recomputed"
            )
        scores[KEYS] = scores[KEYS].astype(str)
        remaining = dict(iter(scores.groupby("cell")))
        cells = len(remaining)
        known: dict[Answer, Verdict] = {}
        differences: list[str] = []
        count, second, undecided = 0, SecondGrader(), Undecided()
        for cell, rows in answers_by_cell(answers):
            stored = remaining.pop(cell, scores.iloc[:0])
            both, unpaired = _paired(stored, rows)
            regraded = _verdicts(both, known)
            undecided.check(both, regraded)
            differences += [*unpaired, *_differences(both, regraded), *_samples(both, known)]
            decided = ~regraded["undecided"].to_numpy(dtype=bool)
            second.check(both[decided], regraded[decided])
            count += len(both)
        for rows in remaining.values():
            differences += _paired(rows, rows.iloc[:0][KEYS])[1]
    report.add(differences)
    report.add(undecided.differences)
    report.add(second.differences)
    report.notes += [*undecided.notes(), *second.notes()]
    report.checked = f"{count} answers of {cells} cells"
    return report


def _paired(scores: pd.DataFrame, answers: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A cell's scores beside its answers, and the items that have only one of them."""
    both = scores.merge(answers, on=KEYS, how="outer", indicator=True, validate="one_to_one")
    unpaired = []
    for side, problem in (
        ("left_only", "a score without a stored answer"),
        ("right_only", "a stored answer without a score"),
    ):
        rows = both[both["_merge"] == side]
        unpaired += [f"{name_of(row)}: {problem}" for row in rows.itertuples()]
    return both[both["_merge"] == "both"], unpaired


def _verdicts(rows: pd.DataFrame, known: dict[Answer, Verdict]) -> pd.DataFrame:
    """The columns of `COMPARED`, and `undecided`, as they come out now."""
    answers: list[Answer] = list(
        zip(rows["completion"], rows["answer"], rows["answer_kind"], strict=True)
    )
    verdicts = _judged(answers, known)
    return pd.DataFrame(
        {
            name: pd.Series([getattr(verdict, name) for verdict in verdicts], dtype=object)
            for name in (*COMPARED, "undecided")
        }
    )


def _judged(answers: Sequence[Answer], known: dict[Answer, Verdict]) -> list[Verdict]:
    """The verdict on each answer, remembered in `known`."""
    if len(known) > REMEMBERED:
        known.clear()
    fresh = [answer for answer in dict.fromkeys(answers) if answer not in known]
    known |= zip(fresh, _graded(fresh), strict=True)
    return [known[answer] for answer in answers]


def _samples(rows: pd.DataFrame, known: dict[Answer, Verdict]) -> list[str]:
    """The items whose further completions are not as many, or as often right, as is stored."""
    if "samples" not in rows or rows["samples"].isna().all():
        return []
    if SAMPLED not in rows:
        cell = rows["cell"].iloc[0]
        return [f"{cell}: scores of further completions, but their texts are not stored"]
    sampled = rows[rows["samples"].notna()].to_dict("records")
    answers = [
        [(text, row["answer"], row["answer_kind"]) for text in _texts(row[SAMPLED])]
        for row in sampled
    ]
    verdicts = iter(_judged([one for own in answers for one in own], known))
    problems = []
    for row, own in zip(sampled, answers, strict=True):
        right = sum(verdict.correct for verdict in islice(verdicts, len(own)))
        held = row["sampled_correct"], row["samples"]
        if held != (right, len(own)):
            name = f"{row['cell']} {row['benchmark']} {row['item']}"
            problems.append(
                f"{name}: {held[0]} of {held[1]} further completions stored as right, recomputed "
                f"as {right} of {len(own)}"
            )
    return problems


def _texts(sampled: object) -> list[str]:
    """The texts of an item's further completions; none if they are no list of texts."""
    try:
        texts = json.loads(str(sampled))
    except ValueError:
        return []
    return texts if isinstance(texts, list) and all(isinstance(t, str) for t in texts) else []


def _graded(answers: Sequence[Answer]) -> list[Verdict]:
    """Verdicts on answers.

    Raises:
        ReassessError: a right answer is none of its kind, such as a choice without options.
    """
    try:
        return grade_all(*([answer[part] for answer in answers] for part in range(3)))
    except MALFORMED as error:
        kinds = ", ".join(sorted({repr(answer[2]) for answer in answers}))
        raise ReassessError(
            f"a right answer is none of its kind ({kinds}): {type(error).__name__}: {error}"
        ) from error


@dataclass
class Undecided:
    """Verdicts that were undecided when they were stored, or are now."""

    decided: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    remaining: int = 0
    new: int = 0

    def check(self, rows: pd.DataFrame, regraded: pd.DataFrame) -> None:
        """Count, and name those that have a verdict now.

        A slow machine leaves a few undecided. It is a difference if more are, or if the kind of
        answer needs no computation.

        Args:
            rows: the stored scores and answers.
            regraded: the verdicts just made, in the same order.
        """
        was, now = undecided_in(rows).to_numpy(), regraded["undecided"].to_numpy(dtype=bool)
        self.remaining += int((was & now).sum())
        self.new += int((~was & now).sum())
        correct = regraded["correct"][was & ~now]
        decided: list[str] = []
        plain: list[str] = []
        for row, right in zip(rows[was & ~now].itertuples(), correct, strict=True):
            of = plain if row.answer_kind in ALWAYS_DECIDED else decided
            of.append(f"{name_of(row)}: stored as undecided, {right} now")
        if len(decided) > 1 + len(rows) // EXCUSED:
            plain += decided
            decided = []
        self.decided += decided
        self.differences += plain

    def notes(self) -> list[str]:
        """A note for each kind that there is."""
        notes = self.decided[:LISTED]
        if len(self.decided) > LISTED:
            notes.append(f"and {len(self.decided) - LISTED} more that were undecided")
        if self.remaining:
            notes.append(f"{self.remaining} answers are stored as undecided, and are so again")
        if self.new:
            notes.append(f"{self.new} answers have a stored verdict and are undecided here")
        return notes


def _differences(stored: pd.DataFrame, regraded: pd.DataFrame) -> list[str]:
    """The items whose stored verdict, extracted answer or format differs from the one just made.

    A verdict where there was none is no difference.
    """
    differences = []
    was, now = undecided_in(stored).to_numpy(), regraded["undecided"].to_numpy(dtype=bool)
    for column, title in COMPARED.items():
        before, after = stored[column], regraded[column]
        same = (after == before.to_numpy()) | (after.isna() & before.isna().to_numpy())
        differs = ~same.to_numpy(dtype=bool)
        if column == "correct":
            differs &= ~was
            after = after.where(~now, "undecided")
        for row, value in zip(stored[differs].itertuples(), after[differs], strict=True):
            stored_value = getattr(row, column)
            differences.append(
                f"{name_of(row)}: {title} stored as {stored_value!r}, recomputed as {value!r}"
            )
    return differences
