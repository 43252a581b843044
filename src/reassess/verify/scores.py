"""The second level: the stored answers, graded again, compared with the stored scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened
from reassess.bundles.checksums import tampered
from reassess.bundles.stored_answers import ANSWERS, KEYS, answers_by_cell
from reassess.core.errors import ReassessError
from reassess.verifier import Verdict, grade
from reassess.verify.report import VerifyReport
from reassess.verify.second_grader import SecondGrader, name_of

REMEMBERED = 200_000  # verdicts: models give the same short answers many times
COMPARED = {"correct": "verdict", "extracted": "extracted answer", "format_ok": "format"}

Grade = Callable[[str, str, str], Verdict]  # of a completion, by the right answer and its kind


def verify_scores(path: Path) -> VerifyReport:
    """Grade every stored answer again and compare the verdicts with the stored scores, by item.

    Mathematical answers are graded a second time by a grader that shares no code with ours.

    Raises:
        ReassessError: the bundle is damaged, of a newer version, or holds no answers.
    """
    report = VerifyReport()
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
        graded_again = lru_cache(maxsize=REMEMBERED)(grade)
        differences: list[str] = []
        count, second = 0, SecondGrader()
        for cell, rows in answers_by_cell(answers):
            stored = remaining.pop(cell, scores.iloc[:0])
            both, unpaired = _paired(stored, rows)
            regraded = _verdicts(both, graded_again)
            differences += [*unpaired, *_differences(both, regraded)]
            second.check(both, regraded)
            count += len(both)
        for rows in remaining.values():
            differences += _paired(rows, rows.iloc[:0][KEYS])[1]
    report.add(differences)
    report.add(second.differences)
    report.notes += second.notes()
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


def _verdicts(rows: pd.DataFrame, graded_again: Grade) -> pd.DataFrame:
    answers = zip(rows["completion"], rows["answer"], rows["answer_kind"], strict=True)
    verdicts = [graded_again(*answer) for answer in answers]
    return pd.DataFrame(
        {
            name: pd.Series([getattr(verdict, name) for verdict in verdicts], dtype=object)
            for name in COMPARED
        }
    )


def _differences(stored: pd.DataFrame, regraded: pd.DataFrame) -> list[str]:
    """The items whose stored verdict, extracted answer or format differs from the one just made."""
    differences = []
    for column, title in COMPARED.items():
        before, after = stored[column], regraded[column]
        same = (after == before.to_numpy()) | (after.isna() & before.isna().to_numpy())
        differs = ~same.to_numpy(dtype=bool)
        for row, value in zip(stored[differs].itertuples(), after[differs], strict=True):
            was = getattr(row, column)
            differences.append(
                f"{name_of(row)}: {title} stored as {was!r}, recomputed as {value!r}"
            )
    return differences
