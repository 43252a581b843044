"""Means and differences with intervals, by a hierarchical bootstrap over seeds, then items.

The bootstrap is our own: no library in use resamples two crossed levels with pairing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr

RESAMPLES = 2000
BLOCK = 200  # resamples at a time: bounds memory
LEVEL = 0.95
SEED = 20251214  # of the bootstrap: the same bundle gives the same interval

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class MeanInterval:
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
        """The value and half its interval, in per cent."""
        return f"{100 * self.value:.1f} ± {100 * self.half_width:.1f}"


def mean_interval(outcomes: Matrix, resamples: int = RESAMPLES) -> MeanInterval:
    """The mean of outcomes, of shape (seeds, items), with a 95 % interval.

    The bootstrap draws seeds with replacement, then for each draw items with replacement. Items are
    the same for all seeds, so one draw of items serves all seeds of a resample. With one seed the
    interval covers the items alone.
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
    return MeanInterval(value, min(float(low), value), max(float(high), value), seeds, items)


@lru_cache(maxsize=8)
def _draws(
    seeds: int, items: int, resamples: int
) -> list[tuple[NDArray[np.int64], NDArray[np.uint16]]]:
    """In blocks, which seeds each resample takes, and how often each item.

    They are the same for all outcomes of one shape.
    """
    generator = np.random.default_rng(SEED)
    blocks = []
    for start in range(0, resamples, BLOCK):
        count = min(BLOCK, resamples - start)
        chosen = generator.integers(seeds, size=(count, seeds))
        weights = generator.multinomial(items, np.full(items, 1 / items), size=count)
        blocks.append((chosen, weights.astype(np.uint16)))
    return blocks


def paired_difference(first: Matrix, second: Matrix, resamples: int = RESAMPLES) -> MeanInterval:
    """The mean of `first - second` with its interval.

    Args:
        first: outcomes of shape (seeds, items).
        second: outcomes of the same seeds and items in the same order.
        resamples: draws of the bootstrap.

    Raises:
        ValueError: the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"paired outcomes have the shapes {first.shape} and {second.shape}")
    return mean_interval(first - second, resamples)


def correlation(first: Matrix, second: Matrix) -> float:
    """Pearson's correlation of two series; nan if they have fewer than 3 points or one is flat."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(pearsonr(first, second).statistic)


def correlation_interval(
    runs: Sequence[tuple[Matrix, Matrix]], resamples: int = RESAMPLES
) -> MeanInterval | None:
    """The mean over runs of the correlation of two series along a run, with its 95 % interval.

    The bootstrap draws runs with replacement, then for each drawn run the points of its series.
    Runs in which a series is flat have no correlation and are left out; None if none is left.
    """
    correlations = [correlation(first, second) for first, second in runs]
    varying = [run for run, value in zip(runs, correlations) if np.isfinite(value)]
    if not varying:
        return None
    generator = np.random.default_rng(SEED)
    chosen = generator.integers(len(varying), size=(resamples, len(varying)))
    drawn = np.empty(chosen.shape)
    for run, (first, second) in enumerate(varying):
        places = chosen == run
        points = generator.integers(len(first), size=(int(places.sum()), len(first)))
        drawn[places] = _row_correlations(first[points], second[points])
    usable = np.isfinite(drawn)
    some = usable.any(axis=1)
    means = np.where(usable, drawn, 0).sum(axis=1)[some] / usable.sum(axis=1)[some]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    value = float(np.mean([number for number in correlations if np.isfinite(number)]))
    return MeanInterval(
        value,
        min(float(low), value),
        max(float(high), value),
        len(varying),
        min(len(first) for first, _ in varying),
    )


def _row_correlations(first: Matrix, second: Matrix) -> Matrix:
    """The correlation of each row of one matrix with the same row of the other; nan where one of
    the two is flat.
    """
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            np.where(scale > 1e-12, (first * second).sum(axis=1) / scale, np.nan), dtype=np.float64
        )
