"""Merging bundles: two labs, two machines, one study. What disagrees is named, never chosen silently."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened, pack, require_whole
from reassess.bundles.collect import FRAMES, require_identical_rows, write_bundle
from reassess.bundles.stored_answers import ANSWERS, answers_by_cell, has_sampled, write_answers
from reassess.core.errors import ReassessError
from reassess.core.files import read_parquet

Keep = Literal["first", "second"]
SHARED = ("models", "arms", "traces")  # of a study: by name, and the same in both if in both
LISTED = 5  # conflicts of one kind that are named


def merge(first: Path, second: Path, out: Path, keep: Keep | None = None) -> None:
    """Merge two archives into one.

    Args:
        first: an archive or folder.
        second: another.
        out: the merged archive.
        keep: whose result counts where a cell was run in both and the results differ.

    Raises:
        ReassessError: they disagree on a cell (and `keep` does not say whose counts), a model, an arm or a benchmark, or their
            cells were trained on different rows.
    """
    with opened(first) as one, opened(second) as other:
        for root, named in ((one, first), (other, second)):
            require_whole(root, named)
        ours, theirs = Bundle.load(one / "bundle"), Bundle.load(other / "bundle")
        disputed = conflicts(ours, theirs)
        if disputed and keep is None:
            raise ReassessError(
                f"{len(disputed)} cells were run in both, with different results: {'; '.join(disputed[:LISTED])}"
                f"{' ...' if len(disputed) > LISTED else ''}. `--keep first` or `--keep second` says whose count"
            )
        done, done_there = _done(ours), _done(theirs)
        from_second = {cell for cell in done_there if cell not in done or keep == "second"}
        from_second |= set(theirs.manifests["cell"]) - set(ours.manifests["cell"])
        study = _study(ours.study, theirs.study)
        frames = {}
        for name in FRAMES:
            mine, yours = (
                _plain(read_parquet(root / f"bundle/{name}.parquet")) for root in (one, other)
            )
            parts = [mine[~mine["cell"].isin(from_second)], yours[yours["cell"].isin(from_second)]]
            frames[name] = pd.concat(parts, ignore_index=True)
        require_identical_rows(frames["manifests"])
        with tempfile.TemporaryDirectory(prefix="reassess-merge-") as made:
            write_bundle(Path(made), frames, study)
            answers = [root / "bundle" / ANSWERS for root in (one, other)]
            if all(path.is_file() for path in answers):
                chosen = _answers(answers[0], answers[1], from_second)
                write_answers(Path(made) / ANSWERS, chosen, any(map(has_sampled, answers)))
            pack(Path(made), out)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table without categories: those of two bundles differ."""
    return frame.astype(
        {
            name: object
            for name in frame.columns
            if isinstance(frame[name].dtype, pd.CategoricalDtype)
        }
    )


def _answers(ours: Path, theirs: Path, from_second: set[str]) -> Iterator[pd.DataFrame]:
    """Yield the answers of the cells of both, in the order of their names."""
    mine = (one for one in answers_by_cell(ours) if one[0] not in from_second)
    yours = (one for one in answers_by_cell(theirs) if one[0] in from_second)
    for _, rows in heapq.merge(mine, yours, key=itemgetter(0)):
        yield rows


def _done(bundle: Bundle) -> set[str]:
    return set(bundle.scored["cell"])


def conflicts(ours: Bundle, theirs: Bundle) -> list[str]:
    """Return the cells that both have finished and that differ, with how."""
    found = []
    specs = [one.manifests.set_index("cell")["spec_hash"] for one in (ours, theirs)]
    for cell in sorted(_done(ours) & _done(theirs)):
        if specs[0][cell] != specs[1][cell]:
            found.append(f"{cell} (another spec)")
            continue
        mine, yours = (
            one.scores_of([cell]).set_index(["benchmark", "item"])["correct"].sort_index()
            for one in (ours, theirs)
        )
        if not mine.index.equals(yours.index):
            found.append(f"{cell} (other items)")
        elif not mine.equals(yours):
            found.append(f"{cell} ({int((mine != yours).sum())} of {len(mine)} items)")
    return found


def _study(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the terms of both studies.

    Raises:
        ReassessError: a model, arm, trace report or benchmark of one name differs.
    """
    merged = dict(ours)
    for kind in SHARED:
        for name, value in theirs[kind].items():
            if ours[kind].get(name, value) != value:
                raise ReassessError(
                    f"the bundles disagree on {kind[:-1]} {name!r}: they are not of one study"
                )
        merged[kind] = {**ours[kind], **theirs[kind]}
    known = {one["name"]: one for one in ours["benchmarks"]}
    for one in theirs["benchmarks"]:
        if known.get(one["name"], one) != one:
            raise ReassessError(
                f"the bundles disagree on benchmark {one['name']!r}: they are not of one study"
            )
    merged["benchmarks"] = [
        *ours["benchmarks"],
        *(one for one in theirs["benchmarks"] if one["name"] not in known),
    ]
    merged["arm_order"] = list(dict.fromkeys([*ours["arm_order"], *theirs["arm_order"]]))
    merged["studies"] = dict(ours["studies"])
    for name, one in theirs["studies"].items():
        mine = ours["studies"].get(name, {"question": one["question"], "cells": []})
        merged["studies"][name] = {
            **mine,
            "cells": list(dict.fromkeys([*mine["cells"], *one["cells"]])),
        }
    merged.pop("costs", None)  # an estimate of one grid beside the hours of two would mislead
    merged["merged"] = [
        {"grid": one["grid"], "config_hash": one["config_hash"], "config": one["config"]}
        for study in (ours, theirs)
        for one in study.get("merged", [study])
    ]
    return merged
