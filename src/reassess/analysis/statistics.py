"""Intervals and differences: paired by item and seed, by a hierarchical bootstrap over seeds, then items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
BLOCK = 200  # resamples at a time: bounds memory
LEVEL = 0.95
SEED = 20251214  # of the bootstrap: the same bundle gives the same interval

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean or difference with its interval, and what it rests on."""

    value: float
    low: float
    high: float
    seeds: int
    items: int

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    def in_percent(self) -> str:
        """Return the value and half its interval in per cent."""
        return f"{100 * self.value:.1f} ± {100 * self.half_width:.1f}"

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def mean_interval(outcomes: Matrix, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean of outcomes (seeds, items) with a 95 % interval.

    The bootstrap draws seeds with replacement, then for each draw items with replacement. Items are the same for all seeds, so
    one draw of items serves all seeds of a resample. With one seed the interval covers the items alone.
    """
    seeds, items = outcomes.shape
    per_draw = []
    for chosen, weights in _draws(seeds, items, resamples):
        per_seed = weights.astype(np.float64) @ outcomes.T / items
        per_draw.append(np.take_along_axis(per_seed, chosen, axis=1).mean(axis=1))
    draws = np.concatenate(per_draw)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    value = float(outcomes.mean())
    return Estimate(value, min(float(low), value), max(float(high), value), seeds, items)


@lru_cache(maxsize=8)
def _draws(
    seeds: int, items: int, resamples: int
) -> list[tuple[NDArray[np.int64], NDArray[np.uint16]]]:
    """Return in blocks which seeds each resample takes, and how often each item: the same for all outcomes of one shape."""
    generator = np.random.default_rng(SEED)
    blocks = []
    for start in range(0, resamples, BLOCK):
        count = min(BLOCK, resamples - start)
        chosen = generator.integers(seeds, size=(count, seeds))
        weights = generator.multinomial(items, np.full(items, 1 / items), size=count)
        blocks.append((chosen, weights.astype(np.uint16)))
    return blocks


def paired_difference(first: Matrix, second: Matrix, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean of `first - second`, both (seeds, items) in the same order of seeds and items, with its interval."""
    if first.shape != second.shape:
        raise ValueError(f"paired outcomes have the shapes {first.shape} and {second.shape}")
    return mean_interval(first - second, resamples)


def pearson(first: Matrix, second: Matrix) -> float:
    """Return the correlation of two series; nan if one of them does not vary."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def correlation_interval(
    runs: Sequence[tuple[Matrix, Matrix]], resamples: int = RESAMPLES
) -> Estimate | None:
    """Return the mean over runs of the correlation of two series along a run, with its 95 % interval.

    The bootstrap draws runs with replacement, then for each drawn run the points of its series. Runs in which a series does not
    vary have no correlation and are left out; None if none is left.
    """
    known = [(first, second) for first, second in runs if np.isfinite(pearson(first, second))]
    if not known:
        return None
    generator = np.random.default_rng(SEED)
    chosen = generator.integers(len(known), size=(resamples, len(known)))
    found = np.empty(chosen.shape)
    for run, (first, second) in enumerate(known):
        mine = chosen == run
        points = generator.integers(len(first), size=(int(mine.sum()), len(first)))
        found[mine] = _row_correlations(first[points], second[points])
    usable = np.isfinite(found)
    draws = (
        np.where(usable, found, 0).sum(axis=1)[usable.any(axis=1)]
        / usable.sum(axis=1)[usable.any(axis=1)]
    )
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    value = float(np.mean([pearson(first, second) for first, second in known]))
    return Estimate(
        value,
        min(float(low), value),
        max(float(high), value),
        len(known),
        min(len(first) for first, _ in known),
    )


def _row_correlations(first: Matrix, second: Matrix) -> Matrix:
    """Return the correlation of each row of one matrix with the same row of the other; nan where one does not vary."""
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            np.where(scale > 1e-12, (first * second).sum(axis=1) / scale, np.nan), dtype=np.float64
        )


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Return the unbiased estimate of pass@k from `correct` of `samples` (arXiv 2107.03374, equation 1).

    Raises:
        ValueError: k is larger than the number of samples.
    """
    if k > samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, there are {samples}")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)
