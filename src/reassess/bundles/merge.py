"""Merging bundles of one study from two labs or machines.

Disagreements are named, never resolved silently.
"""

from __future__ import annotations

import heapq
import itertools
import json
import reprlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Literal

import pandas as pd

from reassess.analysis.bundle import AXES, BUDGETS, OPTIONAL_SCORES, SCORES, Bundle
from reassess.bundles import signing
from reassess.bundles.archive import opened, pack
from reassess.bundles.checksums import require_whole
from reassess.bundles.collect import CONTENT, FRAMES, require_identical_rows, write_bundle
from reassess.bundles.stored_answers import (
    ANSWERS,
    COLUMNS,
    KEYS,
    SAMPLED,
    answers_by_cell,
    has_sampled,
    write_answers,
)
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED, Json, read_parquet

Keep = Literal["first", "second"]
SHARED = {  # of a study: by name, and the same in both if in both
    "models": "model",
    "arms": "arm",
    "traces": "trace",
}
FREE = {  # sections on which configs of one comparison agree, but for these: places, and speed
    "world": {"pins", "cache"},
    "evaluation": {"folders", "judge", "batch_size"},
}
ITEM = ["benchmark", "item"]
SCORED = [name for name in (*SCORES, *OPTIONAL_SCORES) if name not in {*AXES, *ITEM}]
ANSWERED = [name for name in (*COLUMNS, SAMPLED) if name not in KEYS]
MEASURED = {"seconds", "peak_memory_mb"}  # they differ from run to run
TOTALS = [name for name in BUDGETS if name not in MEASURED]
LISTED = 5  # conflicts of one kind that are named


def merge(
    first: Path, second: Path, out: Path, keep: Keep | None = None, sign: Path | None = None
) -> list[str]:
    """Merge two archives into one.

    Args:
        first: a packed bundle, a file or a folder.
        second: another.
        out: the merged archive.
        keep: whose result counts where a cell was run in both and the results differ.
        sign: an SSH key that signs the merged archive.

    Returns:
        Notes for the user: a signature of a part is none of the whole.

    Raises:
        ReassessError: one of them is not as it was packed, they disagree on a cell (and `keep` does
            not state whose counts), the world, the token budget, a model, an arm, a benchmark or a
            split of the pool, or their cells were trained on different rows.
    """
    notes: list[str] = []
    with opened(first) as first_root, opened(second) as second_root:
        roots = first_root, second_root
        for root, path in zip(roots, (first, second)):
            require_whole(root, path)
            notes += _note_on_signature(root, path)
        left, right = (Bundle.load(root / "bundle") for root in roots)
        files = roots[0] / "bundle" / ANSWERS, roots[1] / "bundle" / ANSWERS
        answers = files if all(path.is_file() for path in files) else None
        disputed = conflicts(left, right, answers)
        if disputed and keep is None:
            named = "; ".join(disputed[:LISTED])
            raise ReassessError(
                f"{len(disputed)} cells were run in both, with different results: {named}"
                f"{' ...' if len(disputed) > LISTED else ''}. `--keep first` or `--keep second` "
                "states whose count"
            )
        from_second = _from_second(left, right, keep)
        study = study_of_both(left.study, right.study)
        frames = {name: _rows(*roots, name, from_second) for name in FRAMES}
        require_identical_rows(frames["manifests"])
        with tempfile.TemporaryDirectory(prefix="reassess-merge-") as temporary:
            folder = Path(temporary)
            write_bundle(folder, frames, study)
            if answers is not None:
                chosen = _answers(*answers, from_second)
                write_answers(folder / ANSWERS, chosen, any(map(has_sampled, answers)))
            pack(folder, out, sign)
    return notes


def _note_on_signature(root: Path, path: Path) -> list[str]:
    """A note if a part is signed.

    Raises:
        ReassessError: its signature is not of its checksums.
    """
    signature = signing.check(root)
    if signature.state == "bad":
        raise ReassessError(f"{path}: {signature.differences()[0]}")
    if signature.state == "unsigned":
        return []
    return [f"{path}: {signature.note()}; that signature does not carry over to what is merged"]


def _from_second(left: Bundle, right: Bundle, keep: Keep | None) -> set[str]:
    """The cells whose results are taken from the second bundle."""
    done = _done(left)
    cells = {cell for cell in _done(right) if cell not in done or keep == "second"}
    return cells | (set(right.manifests["cell"]) - set(left.manifests["cell"]))


def _rows(first: Path, second: Path, name: str, from_second: set[str]) -> pd.DataFrame:
    """A table of both archives, each cell's rows from one of them."""
    left, right = (
        _plain(read_parquet(root / f"bundle/{name}.parquet")) for root in (first, second)
    )
    parts = [left[~left["cell"].isin(from_second)], right[right["cell"].isin(from_second)]]
    return pd.concat(parts, ignore_index=True)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """A table without categories, because those of two bundles differ."""
    return frame.astype(
        {
            name: object
            for name in frame.columns
            if isinstance(frame[name].dtype, pd.CategoricalDtype)
        }
    )


def _answers(first: Path, second: Path, from_second: set[str]) -> Iterator[pd.DataFrame]:
    """Yield the answers of the cells of both, in the order of the cells' ids."""
    left = (answers for answers in answers_by_cell(first) if answers[0] not in from_second)
    right = (answers for answers in answers_by_cell(second) if answers[0] in from_second)
    for _, rows in heapq.merge(left, right, key=itemgetter(0)):
        yield rows


# --- results of both ------------------------------------------------------------------------------


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
    shared = sorted(_done(left) & _done(right))
    other_answers = _other_answers(*answers) if shared and answers else dict.fromkeys(shared, 0)
    conflicting = []
    for cell, before, after in zip(shared, _runs(left, shared), _runs(right, shared), strict=True):
        how = _difference(before, after, other_answers.get(cell))
        if how is not None:
            conflicting.append(f"{cell} ({how})")
    return conflicting


def _done(bundle: Bundle) -> set[str]:
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
        frames = [_plain(rows).set_index(ITEM).sort_index() for _, rows in group]
        if len(frames) == 2 and frames[0].index.equals(frames[1].index):
            counts[cell] = _unequal(frames[0], frames[1], ANSWERED)
    return counts


# --- the terms of both ----------------------------------------------------------------------------


def study_of_both(left: Json, right: Json) -> Json:
    """The terms of both studies.

    Raises:
        ReassessError: the world or the protocol of evaluation differs, or a model, arm,
            distribution, trace report or benchmark of one name, or the teacher of a family.
    """
    for one in left.get("merged", [left]):
        for other in right.get("merged", [right]):
            _require_one_protocol(one["config"], other["config"])
    merged = dict(left)
    for kind, name in SHARED.items():
        merged[kind] = _union(name, left[kind], right[kind])
    if "pool" in left and "pool" in right:
        merged["pool"] = _union("split", left["pool"], right["pool"])
    else:  # of an older version, which does not record it
        merged.pop("pool", None)
    benchmarks = _union(
        "benchmark",
        {benchmark["name"]: benchmark for benchmark in left["benchmarks"]},
        {benchmark["name"]: benchmark for benchmark in right["benchmarks"]},
    )
    merged["benchmarks"] = list(benchmarks.values())
    merged["arm_order"] = list(dict.fromkeys([*left["arm_order"], *right["arm_order"]]))
    merged["studies"] = dict(left["studies"])
    for name, study in right["studies"].items():
        known = left["studies"].get(name, {"question": study["question"], "cells": []})
        merged["studies"][name] = {
            **known,
            "cells": list(dict.fromkeys([*known["cells"], *study["cells"]])),
        }
    merged.pop("costs", None)  # an estimate of one grid beside the hours of two would mislead
    merged["merged"] = [
        {name: source[name] for name in ("grid", "config_hash", "config")}
        for study in (left, right)
        for source in study.get("merged", [study])
    ]
    return merged


def _require_one_protocol(left: Json, right: Json) -> None:
    """Refuse configs whose bases, items, traces or scores are not to be compared.

    Raises:
        ReassessError: a setting differs; names it.
    """
    for section, free in FREE.items():
        ours, theirs = left[section], right[section]
        for name in sorted({*ours} & {*theirs} - free):  # an older version lacks some
            if ours[name] != theirs[name]:
                raise ReassessError(
                    f"the bundles disagree on {section}.{name} ({reprlib.repr(ours[name])}, "
                    f"{reprlib.repr(theirs[name])}): their results cannot be compared"
                )
    _union("distribution", *map(_distributions, (left, right)))
    _union("teacher of family", left.get("teachers", {}), right.get("teachers", {}))


def _distributions(config: Json) -> Json:
    """The settings of each distribution that decide its traces; shards decide how fast."""
    return {
        name: {key: value for key, value in settings.items() if key != "shards"}
        for name, settings in config["distributions"].items()
    }


def _union(kind: str, left: Json, right: Json) -> Json:
    """The entries of both by name.

    Raises:
        ReassessError: an entry of one name differs.
    """
    for name, value in right.items():
        if left.get(name, value) != value:
            raise ReassessError(
                f"the bundles disagree on {kind} {name!r}: they are not of one study"
            )
    return {**left, **right}
