"""The runs of a study as clusters: by model, and within it by base or, of one base, by run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reassess.core.errors import ReassessError

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """Which run a row of outcomes is: of a model, from a replicate of its base, with a seed."""

    model: str = ""
    seed: int = 1
    base: int = 1


@dataclass(frozen=True)
class Stratum:
    """The clusters of one model: outcomes averaged within each, of shape (clusters, items)."""

    outcomes: Matrix
    names: tuple[int, ...]  # of the clusters: numbers of bases or, of one base, seeds
    runs: tuple[tuple[int, float], ...]  # the seed and the mean of each run
    bases: int

    @classmethod
    def of(cls, outcomes: Matrix, labels: Sequence[tuple[int, Run]]) -> Stratum:
        """Average the runs of each base where there is more than one base."""
        bases = sorted({run.base for _, run in labels})
        runs = tuple((run.seed, float(outcomes[row].mean())) for row, run in labels)
        if len(bases) == 1:
            seeds = tuple(run.seed for _, run in labels)
            return cls(outcomes[[row for row, _ in labels]], seeds, runs, 1)
        members = [[row for row, run in labels if run.base == base] for base in bases]
        means = np.stack([outcomes[rows].mean(axis=0) for rows in members])
        return cls(means, tuple(bases), runs, len(bases))

    @property
    def by_name(self) -> dict[int, float]:
        """The mean of each cluster, by its name."""
        return dict(zip(self.names, self.outcomes.mean(axis=1).tolist(), strict=True))

    @property
    def clusters(self) -> int:
        """How many there are."""
        return len(self.outcomes)

    @property
    def items(self) -> Matrix:
        """The mean of each item."""
        return np.asarray(self.outcomes.mean(axis=0), dtype=np.float64)

    @property
    def mean(self) -> float:
        """The mean of all clusters."""
        return float(self.outcomes.mean())

    @property
    def between(self) -> float:
        """The variance of the mean that clusters bring: s² / k of their means."""
        return float(self.outcomes.mean(axis=1).var(ddof=1)) / self.clusters

    @property
    def interaction(self) -> float:
        """What clusters × items bring to the variance of the mean, which `between` has already."""
        if self.clusters < 2 or self.outcomes.shape[1] < 2:
            return 0.0
        residuals = self.outcomes - self.items - self.outcomes.mean(axis=1, keepdims=True)
        freedom = (self.clusters - 1) * (len(self.items) - 1)
        squares = float(((residuals + self.mean) ** 2).sum())
        return squares / freedom / (self.clusters * len(self.items))


def strata_of(outcomes: Matrix, runs: Sequence[Run] | None) -> dict[str, Stratum]:
    """The clusters of each model, in the order of the first run of each.

    Args:
        outcomes: of shape (runs, items), all finite.
        runs: what each row is; None: runs of one model from one base.

    Raises:
        ReassessError: there is no outcome, one is missing, or the labels do not fit.
    """
    labels = _labels(outcomes, runs)
    return {
        model: Stratum.of(outcomes, [(row, run) for row, run in labels if run.model == model])
        for model in dict.fromkeys(run.model for _, run in labels)
    }


def clusters_by_model(outcomes: Matrix, runs: Sequence[Run] | None) -> dict[str, Matrix]:
    """By model, the outcomes averaged within each cluster, of shape (clusters, items).

    Raises:
        ReassessError: as `strata_of` does.
    """
    return {model: one.outcomes for model, one in strata_of(outcomes, runs).items()}


def _labels(outcomes: Matrix, runs: Sequence[Run] | None) -> list[tuple[int, Run]]:
    if outcomes.ndim != 2 or not outcomes.size:
        raise ReassessError(f"outcomes have the shape {outcomes.shape}, not (runs, items)")
    labels = [Run(seed=row + 1) for row in range(len(outcomes))] if runs is None else list(runs)
    if len(labels) != len(outcomes):
        raise ReassessError(f"{len(outcomes)} rows of outcomes have {len(labels)} labels of runs")
    if not np.isfinite(outcomes).all():
        row, item = np.argwhere(~np.isfinite(outcomes))[0]
        raise ReassessError(f"the outcome of {labels[row]} at item {item} is missing")
    return list(enumerate(labels))
