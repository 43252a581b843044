"""The second level: the stored answers, graded again, compared with the stored scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import Bundle, undecided_in
from reassess.analysis.scores import Scores
from reassess.bundles.archive import opened
from reassess.bundles.checksums import tampered
from reassess.bundles.stored_answers import ANSWERS, KEYS, SAMPLED, answers_by_cell
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED
from reassess.verifier import Verdict, grade_all
from reassess.verifier.extraction import find
from reassess.verifier.grading import is_right
from reassess.verifier.math_worker import run
from reassess.verify.report import LISTED, VerifyReport
from reassess.verify.second_grader import SecondGrader, name_of

REMEMBERED = 200_000  # verdicts: models give the same short answers many times
# Answers for each one, beside a first, that may have been undecided elsewhere:
EXCUSED = 200  # of a cell, and of a benchmark of a cell
EXCUSED_IN_ALL = 1000  # of a bundle
EXCUSED_AS_RIGHT = 5000  # of a bundle, for each one that is right
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
        remaining = dict.fromkeys(scores.cells)
        cells = len(remaining)
        known: dict[Answer, Verdict] = {}
        differences: list[str] = []
        count, second, undecided = 0, SecondGrader(), Undecided()
        for cell, rows in answers_by_cell(answers):
            stored = _scores_of(scores, [cell] if cell in remaining else [])
            remaining.pop(cell, None)
            both, unpaired = _paired(stored, rows)
            regraded = _verdicts(both, known)
            undecided.check(both, regraded)
            differences += [*unpaired, *_differences(both, regraded), *_samples(both, known)]
            decided = ~regraded["undecided"].to_numpy(dtype=bool)
            second.check(both[decided], regraded[decided])
            count += len(both)
        for cell in remaining:
            rows = _scores_of(scores, [cell])
            differences += _paired(rows, rows.iloc[:0][KEYS])[1]
    undecided.conclude()
    report.add(differences)
    report.add(undecided.differences)
    report.add(second.differences)
    report.notes += [*undecided.notes(), *second.notes()]
    report.checked = f"{count} answers of {cells} cells"
    return report


def _scores_of(scores: Scores, cells: Sequence[str]) -> pd.DataFrame:
    frame = scores.of(cells)
    return frame.assign(**{name: frame[name].astype(str) for name in KEYS})


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
    """The texts of an item's further completions; none if they are not as a run writes them."""
    try:
        texts = json.loads(str(sampled))
    except (ValueError, RecursionError):
        return []
    as_written = isinstance(texts, list) and json.dumps(texts) == sampled
    return texts if as_written and all(isinstance(t, str) for t in texts) else []


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


def computes(completion: str, answer: str, kind: str) -> bool:
    """Whether grading an answer calls the worker of symbolic comparisons, or did so before."""
    before = sum(run.cache_info()[:2])  # hits and misses: its calls, whatever comes of them
    is_right.__wrapped__(find(completion), answer, kind)
    return sum(run.cache_info()[:2]) > before


@dataclass
class Undecided:
    """Verdicts that were undecided when they were stored, or are now.

    A slow machine leaves a few undecided that are decided here. It is a difference if no such
    computation is needed, if there are more than a few in a benchmark of a cell, in a cell or in
    the bundle, or if more than very few of the bundle are right: an answer that is called undecided
    counts as wrong.
    """

    decided: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    right: int = 0
    checked: int = 0
    remaining: int = 0
    new: int = 0

    def check(self, rows: pd.DataFrame, regraded: pd.DataFrame) -> None:
        """Count, and name those that have a verdict now.

        Args:
            rows: the stored scores and answers of a cell.
            regraded: the verdicts just made, in the same order.
        """
        was, now = undecided_in(rows).to_numpy(), regraded["undecided"].to_numpy(dtype=bool)
        self.checked += len(rows)
        self.remaining += int((was & now).sum())
        self.new += int((~was & now).sum())
        self.differences += [
            f"{name_of(row)}: stored as undecided, and yet as right"
            for row in rows[was & rows["correct"].to_numpy(dtype=bool)].itertuples()
        ]
        correct = regraded["correct"][was & ~now]
        excused: dict[str, list[str]] = {}
        right = 0
        for row, is_now in zip(rows[was & ~now].itertuples(), correct, strict=True):
            problem = f"{name_of(row)}: stored as undecided, {is_now} now"
            if computes(str(row.completion), str(row.answer), str(row.answer_kind)):
                excused.setdefault(str(row.benchmark), []).append(problem)
                right += bool(is_now)
            else:
                self.differences.append(f"{problem}, and nothing has to be computed for it")
        sizes = rows["benchmark"].value_counts()
        problems = [problem for some in excused.values() for problem in some]
        few = all(len(some) <= 1 + sizes[name] // EXCUSED for name, some in excused.items())
        if few and len(problems) <= 1 + len(rows) // EXCUSED:
            self.decided += problems
            self.right += right
        else:
            self.differences += problems

    def conclude(self) -> None:
        """Count over the bundle, once every cell is known."""
        most, right = 1 + self.checked // EXCUSED_IN_ALL, 1 + self.checked // EXCUSED_AS_RIGHT
        if len(self.decided) > most or self.right > right:
            self.differences += [
                f"{len(self.decided)} of {self.checked} answers that are stored as undecided have "
                f"a verdict now, {self.right} of them right: more than {most}, or than {right} "
                "right ones, that a slow machine explains",
                *self.decided,
            ]
            self.decided = []

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
