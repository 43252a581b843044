"""Merging bundles of one study from two labs or machines.

Disagreements are named, never resolved silently.
"""

from __future__ import annotations

import heapq
import reprlib
import tempfile
from collections.abc import Iterator, Set
from operator import itemgetter
from pathlib import Path
from typing import Literal

import pandas as pd

from reassess.analysis.bundle import Bundle
from reassess.analysis.registration import claims_of
from reassess.analysis.scores import Scores
from reassess.bundles import signing
from reassess.bundles.archive import opened, pack
from reassess.bundles.checksums import require_whole
from reassess.bundles.collect import (
    FRAMES,
    SCORES_FILE,
    require_identical_rows,
    write_bundle,
)
from reassess.bundles.conflicts import cells_done, conflicts
from reassess.bundles.stored_answers import (
    ANSWERS,
    answers_by_cell,
    has_sampled,
    write_answers,
)
from reassess.bundles.stored_scores import Cells, write_scores
from reassess.config.claims import hash_of_claims
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_parquet

Keep = Literal["first", "second"]
SHARED = {  # of a study: by name, and the same in both if in both
    "models": "model",
    "arms": "arm",
    "traces": "trace",
}
FREE = {  # sections on which configs of one comparison agree, but for these: places, and speed
    "world": {"pins", "cache"},
    "evaluation": {"folders", "judge", "batch_size"},
    "execution": {
        "device",
        "gradient_checkpointing",
        "vllm_mode",
        "vllm_memory",
        "engine_memory",
    },
}
LEFT_OUT: Json = {  # keys that a config leaves out, by section, and what it means then
    "": {"row_draws": False, "numerics": "fast"},
    "world": {"bases": 1, "main_items": None},
}
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
        row_draws = bool(study["config"].get("row_draws"))
        require_identical_rows(frames["manifests"], row_draws=row_draws)
        with tempfile.TemporaryDirectory(prefix="reassess-merge-") as temporary:
            folder = Path(temporary)
            write_bundle(folder, frames, study)
            write_scores(folder / SCORES_FILE, *_scores(left.scores, right.scores, from_second))
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
    done = cells_done(left)
    cells = {cell for cell in cells_done(right) if cell not in done or keep == "second"}
    return cells | (set(right.manifests["cell"]) - set(left.manifests["cell"]))


def _scores(left: Scores, right: Scores, from_second: set[str]) -> tuple[Cells, list[str]]:
    """The scores of both, each cell's from one of them, and their columns."""
    chosen = {cell: left for cell in left.cells if cell not in from_second}
    chosen |= {cell: right for cell in right.cells if cell in from_second}
    return (
        lambda: (chosen[cell].of([cell]) for cell in sorted(chosen)),
        [*dict.fromkeys([*left.columns, *right.columns])],
    )


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


# --- the terms of both ----------------------------------------------------------------------------


def study_of_both(left: Json, right: Json) -> Json:
    """The terms of both studies.

    Raises:
        ReassessError: the world, the protocol of evaluation or the set of distributions differs, or
            a model, arm, distribution, trace report, study's question or benchmark of one name, or
            the teacher of a family.
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
    merged |= _claims(left, right)
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
        _union("the question of study", {name: known["question"]}, {name: study["question"]})
        merged["studies"][name] = {
            **known,
            "cells": list(dict.fromkeys([*known["cells"], *study["cells"]])),
        }
    merged.pop("made", None)  # each part has its own
    merged.pop("costs", None)  # an estimate of one grid beside the hours of two would mislead
    merged["merged"] = [
        {name: source[name] for name in ("grid", "config_hash", "config")}
        for study in (left, right)
        for source in study.get("merged", [study])
    ]
    return merged


def _claims(left: Json, right: Json) -> Json:
    """The claims of both, with their hash; none where neither holds any, as of older versions.

    Raises:
        ReassessError: both hold a claim of one id, and not the same: which of the two was to be
            tested is nothing that a merge decides.
    """
    if "claims" not in left and "claims" not in right:
        return {}
    ours, theirs = (study.get("claims", {}) for study in (left, right))
    if other := sorted(name for name in {*ours} & {*theirs} if ours[name] != theirs[name]):
        raise ReassessError(
            f"the bundles disagree on claim {other[0]!r}: collect one of them again with the "
            "other's file of that claim; what was changed after a run is marked so"
        )
    merged = {"claims": {**ours, **theirs}}
    return {**merged, "claims_hash": hash_of_claims(claims_of(merged))}


def _require_one_protocol(left: Json, right: Json) -> None:
    """Refuse configs whose bases, items, traces or scores are not to be compared.

    Raises:
        ReassessError: a setting differs; names it.
    """
    for section, free in FREE.items():
        _require_same(section, left.get(section, {}), right.get(section, {}), free)
    for section, defaults in LEFT_OUT.items():
        ours, theirs = (
            {name: part.get(name, value) for name, value in defaults.items()}
            for part in (one.get(section, {}) if section else one for one in (left, right))
        )
        _require_same(section, ours, theirs)
    ours, theirs = map(_distributions, (left, right))
    _union("distribution", ours, theirs)
    if lacking := sorted({*ours} ^ {*theirs}):
        raise ReassessError(
            f"one of the bundles has no distribution {lacking[0]!r}: a cell's rows are those that "
            "have a trace in every distribution, so theirs may be others; name it in both configs"
        )
    _union("teacher of family", left.get("teachers", {}), right.get("teachers", {}))


def _require_same(section: str, ours: Json, theirs: Json, free: Set[str] = frozenset()) -> None:
    for name in sorted({*ours} & {*theirs} - free):  # an older version lacks some
        if ours[name] != theirs[name]:
            raise ReassessError(
                f"the bundles disagree on {'.'.join(filter(None, (section, name)))} "
                f"({reprlib.repr(ours[name])}, {reprlib.repr(theirs[name])}): their results cannot "
                "be compared"
            )


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
