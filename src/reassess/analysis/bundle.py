"""The bundle: tidy scores, histories and manifests of all cells. Figures, tables and claims read this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, read_parquet
from reassess.grid.benchmarks import Role

AXES = ["cell", "model", "tier", "family", "distribution", "size", "method", "kind", "seed"]
SCORES = [
    *AXES,
    "benchmark",
    "item",
    "correct",
    "format_ok",
    "length",
    "truncated",
    "item_family",
    "hops",
    "filled",
]
SECOND = ["samples", "sampled_correct", "judged"]  # where the grid has further samples, or a judge
HISTORY = [*AXES, "step", "metric", "value"]
BUDGETS = ["samples", "updates", "tokens", "flops", "seconds", "peak_memory_mb"]
MANIFESTS = [*AXES, "status", "error", "spec_hash", "rows_hash", *BUDGETS, "resumed", "manifest"]
CATEGORIES = [
    "cell",
    "model",
    "tier",
    "family",
    "distribution",
    "method",
    "kind",
    "benchmark",
    "item",
    "item_family",
    "metric",
    "answer_kind",
]
FORMAT = 1  # raised when a reader of the old format would misread the new one


@dataclass(frozen=True)
class Bundle:
    """What a study left: one row an item and cell, one row a step and metric, one row a cell, and the study's own terms."""

    scores: pd.DataFrame
    history: pd.DataFrame
    manifests: pd.DataFrame
    study: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle.

        Raises:
            ReassessError: a file is missing or damaged, or lacks a column.
        """
        frames = []
        for name, columns in (("scores", SCORES), ("history", HISTORY), ("manifests", MANIFESTS)):
            frame = read_parquet(folder / f"{name}.parquet")
            lacking = [column for column in columns if column not in frame.columns]
            if lacking:
                raise ReassessError(
                    f"{folder / name}.parquet lacks the columns {', '.join(lacking)}"
                )
            for column in set(CATEGORIES) & set(frame.columns):
                frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
            frames.append(frame)
        study = read_json(folder / "study.json")
        if study.get("format", 0) != FORMAT:
            raise ReassessError(
                f"{folder / 'study.json'} is of bundle format {study.get('format', 0)}, this version reads {FORMAT}: "
                "use the version of reassess that wrote it, which its manifests name"
            )
        return cls(frames[0], frames[1], frames[2], study)

    @property
    def scored(self) -> pd.DataFrame:
        """The cells that have scores."""
        return self.manifests[self.manifests["status"] == "done"]

    @property
    def failed(self) -> pd.DataFrame:
        """The cells that failed."""
        return self.manifests[self.manifests["status"] == "failed"]

    def scores_of(self, cells: Iterable[str]) -> pd.DataFrame:
        """Return the scores of some cells, without a look at those of all others."""
        found = [self._places[cell] for cell in cells if cell in self._places]
        return self.scores.iloc[np.sort(np.concatenate(found))] if found else self.scores.iloc[:0]

    @cached_property
    def _places(self) -> dict[str, NDArray[np.int64]]:
        return {
            str(cell): np.asarray(places)
            for cell, places in self.scores.groupby("cell", sort=False).indices.items()
        }

    def benchmarks(self, *roles: Role) -> tuple[str, ...]:
        """Return the benchmarks that have one of the roles (default: all), in the config's order."""
        return tuple(
            one["name"] for one in self.study["benchmarks"] if not roles or one["role"] in roles
        )

    def label(self, benchmark: str) -> str:
        """Return a benchmark's name in figures."""
        return next(
            str(one["label"]) for one in self.study["benchmarks"] if one["name"] == benchmark
        )

    def cells_of(self, study: str) -> set[str]:
        """Return the ids of a study's cells; empty if the grid has no such study."""
        return set(self.study["studies"].get(study, {}).get("cells", []))
