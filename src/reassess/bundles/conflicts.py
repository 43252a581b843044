"""Whether two bundles that ran the same cells have the same results of them."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import AXES, BUDGETS, OPTIONAL_SCORES, SCORES, Bundle
from reassess.bundles.collect import CONTENT
from reassess.bundles.stored_answers import COLUMNS, KEYS, SAMPLED, answers_by_cell
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED, Json

ITEM = ["benchmark", "item"]
SCORED = [name for name in (*SCORES, *OPTIONAL_SCORES) if name not in {*AXES, *ITEM}]
ANSWERED = [name for name in (*COLUMNS, SAMPLED) if name not in KEYS]
MEASURED = {"seconds", "peak_memory_mb"}  # they differ from run to run
TOTALS = [name for name in BUDGETS if name not in MEASURED]


@dataclass(frozen=True)
class Run:
    """The results of a cell in one bundle.

    Attributes:
        record: its row of the manifests; None where a value is missing.
        scores: its scores, by benchmark and item.
        history: its logged values, by metric and step, but for those that are measured.
        weights: the hash of its weights, by the job that states it.
    """

    record: Json
    scores: pd.DataFrame
    history: pd.Series[float]
    weights: Json


def conflicts(left: Bundle, right: Bundle, answers: tuple[Path, Path] | None = None) -> list[str]:
    """The cells that both have finished and whose results differ, each with how.

    Times, memory and machines are no results. What only one bundle records is not compared.

    Args:
        left: a bundle.
        right: another.
        answers: the files of their answers; none: these are not compared.

    Raises:
        ReassessError: a manifest or a file of answers cannot be read.
    """
    shared = sorted(cells_done(left) & cells_done(right))
    other_answers = _other_answers(*answers) if shared and answers else dict.fromkeys(shared, 0)
    conflicting = []
    for cell, before, after in zip(shared, _runs(left, shared), _runs(right, shared), strict=True):
        how = _difference(before, after, other_answers.get(cell))
        if how is not None:
            conflicting.append(f"{cell} ({how})")
    return conflicting


def cells_done(bundle: Bundle) -> set[str]:
    """The cells of a bundle that have results."""
    return set(bundle.scored["cell"])


def _runs(bundle: Bundle, cells: list[str]) -> Iterator[Run]:
    """Yield the results of some cells."""
    rows = bundle.scored.drop_duplicates("cell").set_index("cell")
    records = rows.astype(object).where(rows.notna(), None).to_dict("index")
    history = bundle.history[~bundle.history["metric"].isin(MEASURED)]
    places = history.groupby("cell", sort=False).indices
    for cell in cells:
        record = {str(name): value for name, value in records[cell].items()}
        curves = history.iloc[places.get(cell, [])].set_index(["metric", "step"])["value"]
        yield Run(
            record=record,
            scores=bundle.scores_of([cell]).set_index(ITEM).sort_index(),
            history=curves.astype(float).sort_index(),
            weights=_weights(cell, record["manifest"]),
        )


def _weights(cell: str, manifest: str) -> Json:
    """The hash of a cell's weights, by the job that states it.

    Raises:
        ReassessError: the manifest cannot be read.
    """
    try:
        return {job: record.get("weights_hash") for job, record in json.loads(manifest).items()}
    except MALFORMED as error:
        raise ReassessError(f"{cell}: its manifest cannot be read ({error})") from error


def _difference(before: Run, after: Run, answers: int | None) -> str | None:
    """How the results of a cell differ; None if they do not.

    Args:
        before: one result.
        after: the other.
        answers: how many answers differ; None if they were not compared.
    """
    if before.record["spec_hash"] != after.record["spec_hash"]:
        return "another spec"
    if not before.scores.index.equals(after.scores.index):
        return "other items"
    for name in SCORED:
        count = _unequal(before.scores, after.scores, [name])
        if count and name == "correct":
            return f"{count} of {len(before.scores)} items"
        if count:
            return f"{name} of {count} items"
    other = next(_beside_scores(before, after, answers), None)
    return None if other is None else f"the same scores, {other}"


def _beside_scores(before: Run, after: Run, answers: int | None) -> Iterator[str]:
    """Yield what differs besides the scores, causes before what follows from them."""
    rows = [run.record["rows_hash"] for run in (before, after)]
    made_alike = len({str(value).startswith(CONTENT) for value in rows}) == 1
    if made_alike and _is_other(*rows):
        yield "other rows"
    if any(_is_other(value, after.weights.get(job)) for job, value in before.weights.items()):
        yield "other weights"
    if answers is None:  # in one file only, or out of order
        yield "other answers"
    elif answers:
        yield f"other answers to {answers} items"
    if not before.history.equals(after.history):
        yield "another history"
    for name in TOTALS:
        if _is_other(before.record[name], after.record[name]):
            yield f"other {name}"


def _is_other(before: object, after: object) -> bool:
    """Whether both results state a value, and not the same one."""
    return before is not None and after is not None and before != after


def _unequal(before: pd.DataFrame, after: pd.DataFrame, columns: Iterable[str]) -> int:
    """The number of rows that differ in a column of which both have values."""
    unequal = pd.Series(False, index=before.index)
    for name in columns:
        if all(name in frame and frame[name].notna().any() for frame in (before, after)):
            ours, theirs = before[name], after[name]
            missing = ours.isna() & theirs.isna()
            unequal |= (ours != theirs).fillna(True).astype(bool) & ~missing
    return int(unequal.sum())


def _other_answers(first: Path, second: Path) -> dict[str, int]:
    """The number of answers that differ, by cell; only of cells that are in both files."""
    counts = {}
    cells = heapq.merge(*map(answers_by_cell, (first, second)), key=itemgetter(0))
    for cell, group in itertools.groupby(cells, key=itemgetter(0)):
        frames = [rows.astype(object).set_index(ITEM).sort_index() for _, rows in group]
        if len(frames) == 2 and frames[0].index.equals(frames[1].index):
            counts[cell] = _unequal(frames[0], frames[1], ANSWERED)
    return counts
