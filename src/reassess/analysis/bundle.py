"""The bundle: tidy scores, histories and manifests of all cells.

Figures, tables and claims read this and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from reassess.analysis.arms import ArmTraits
from reassess.analysis.planned import Plan
from reassess.analysis.scores import Scores
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json, read_parquet
from reassess.core.tables import require_ordinary
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
# From further samples, a judge model, or a version that counts undecided verdicts.
OPTIONAL_SCORES = ["undecided", "samples", "sampled_correct", "judged"]
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


def undecided_in(scores: pd.DataFrame) -> pd.Series[bool]:
    """Whether the verifier left each score undecided; older bundles do not say, which means no."""
    if "undecided" not in scores:
        return pd.Series(False, index=scores.index)
    return scores["undecided"].isin([True])  # a missing value is no, in columns of any type


def _require_columns(
    path: Path, held: Sequence[str], due: Sequence[str], optional: Sequence[str] = ()
) -> None:
    """Refuse a table with other columns than a run writes.

    Raises:
        ReassessError: it lacks one, or has an unknown one.
    """
    lacking = [column for column in due if column not in held]
    unknown = [column for column in held if column not in {*due, *optional}]
    for problem, names in (("lacks the", lacking), ("has unknown", unknown)):
        if names:
            raise ReassessError(f"{path} {problem} columns {', '.join(names)}")


@dataclass(frozen=True)
class Bundle:
    """The results of a study.

    Attributes:
        scores: a row for each item and cell, read as they are used.
        history: a row for each step and metric of each trained cell.
        manifests: a row for each cell.
        study: the study's own terms: its arms, benchmarks, models and config.
        known: what has been derived of these and is used more than once, by what it is.
    """

    scores: Scores
    history: pd.DataFrame
    manifests: pd.DataFrame
    study: Json
    known: dict[object, object] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle.

        Raises:
            ReassessError: a file is missing or damaged, lacks a column, or has an unknown one.
        """
        for name in ("scores", "history", "manifests"):
            require_ordinary(folder / f"{name}.parquet")
        scores = Scores.load(folder / "scores.parquet", CATEGORIES)
        _require_columns(folder / "scores.parquet", scores.columns, SCORES, OPTIONAL_SCORES)
        frames = []
        for name, columns in (("history", HISTORY), ("manifests", MANIFESTS)):
            frame = read_parquet(folder / f"{name}.parquet")
            _require_columns(folder / f"{name}.parquet", [*map(str, frame)], columns)
            for column in set(CATEGORIES) & set(frame.columns):
                frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
            frames.append(frame)
        study = read_json(folder / "study.json")
        if not isinstance(study, dict):
            raise ReassessError(f"{folder / 'study.json'} is no JSON object")
        if study.get("format", 0) != FORMAT:
            raise ReassessError(
                f"{folder / 'study.json'} is of bundle format {study.get('format', 0)}, this "
                f"version reads {FORMAT}: use the version of reassess that wrote it, which its "
                "manifests name"
            )
        return cls(scores, frames[0], frames[1], study)

    @property
    def scored(self) -> pd.DataFrame:
        """The cells that have scores."""
        return self.manifests[self.manifests["status"] == "done"]

    @cached_property
    def done(self) -> frozenset[str]:
        """The ids of the cells that have scores."""
        return frozenset(map(str, self.scored["cell"]))

    @property
    def failed(self) -> pd.DataFrame:
        """The cells that failed."""
        return self.manifests[self.manifests["status"] == "failed"]

    @cached_property
    def plan(self) -> Plan:
        """The cells that the config plans."""
        rows = self.manifests.drop_duplicates("method")
        return Plan(self.study, dict(zip(rows["method"], rows["kind"], strict=True)))

    @property
    def arms(self) -> dict[str, ArmTraits]:
        """What each arm is, by name, in the order of the config."""
        return self.plan.arms

    def standing_for(self, method: str) -> str | None:
        """The name of the arm that stands for a method; None if the study has none of it."""
        return next(
            (arm.name for arm in self.arms.values() if arm.method == method and not arm.variant),
            None,
        )

    def scores_of(self, cells: Iterable[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The scores of some cells, without reading those of all others."""
        return self.scores.of(cells, columns)

    def benchmarks(self, *roles: Role) -> tuple[str, ...]:
        """The benchmarks that have one of the roles (default: all), in the config's order."""
        return tuple(
            benchmark["name"]
            for benchmark in self.study["benchmarks"]
            if not roles or benchmark["role"] in roles
        )

    def label(self, benchmark: str) -> str:
        """A benchmark's name in figures."""
        return next(
            str(content["label"])
            for content in self.study["benchmarks"]
            if content["name"] == benchmark
        )

    def cells_of(self, study: str) -> set[str]:
        """The ids of a study's cells; empty if the grid has no such study."""
        return set(self.study["studies"].get(study, {}).get("cells", []))
