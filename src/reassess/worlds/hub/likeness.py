"""Whether two pictures are the same, point by point, after the one is laid over the other.

A copy may be cropped, framed or extended, so that its thumbnail is stretched and shifted against
the original's. Along each axis the stretch is found by the picture's profile (the mean level of
each line), first coarsely, then finely; of a few candidates of either axis, those decide that agree
best as pictures. What is compared then is the contrast inside each of `BLOCKS` x `BLOCKS` blocks:
lines of a template agree between any two charts, the blocks that hold the data do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

AGREES = 0.8  # correlation of two blocks that hold the same
CAP = 0.5  # weight of a block, of the mean energy of a block: no strong line decides alone
FAINT = 3  # of 255: a block with a smaller standard deviation holds noise and has no weight
BLOCKS = 16
TRIED = 3  # stretches of an axis that are tried as pictures
ROUGHLY = 0.9  # correlation of two halved pictures, below which nothing is looked at closely
COARSE = np.arange(-7, 8).astype(np.float64) * 0.015  # of a side, by which either end may be off
STEPS = np.arange(-4, 5).astype(np.float64)
FINER = (STEPS * 0.005, STEPS * 0.00125)
APART = 0.02  # of a side, by which two stretches that are tried differ


class Stretch(NamedTuple):
    """Where an axis of the one picture begins and ends on the other's, in shares of a side."""

    start: float
    end: float


class Likeness(NamedTuple):
    """How far two pictures agree; rounded, so that the order of additions decides nothing.

    Attributes:
        rough: the correlation of the halved pictures, over what they share.
        close: the share of one picture's content that stands at the same place of the other. It is
            that of the picture of which more is found in the other, so that captions and
            watermarks that the other has besides do not count. 0 if `rough` is below `ROUGHLY`.
    """

    rough: float
    close: float


def likeness_of(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Likeness:
    """Lay one picture over the other, and compare what they share.

    Args:
        first: (side, side) levels; the side is a multiple of `BLOCKS`.
        second: the same.
    """
    large = first.astype(np.float64), second.astype(np.float64)
    small = _smoothed(_halved(large[0])), _smoothed(_halved(large[1]))
    best = (-1.0, Stretch(0.0, 0.0), Stretch(0.0, 0.0))
    across = list(_stretches(small, 0))
    for vertical in _stretches(small, 1):
        rows, rows_in = _stretched(small[0], vertical, 0)
        for horizontal in across:
            laid, columns_in = _stretched(rows, horizontal, 1)
            inside = rows_in[:, None] & columns_in[None, :]
            rough = _correlation(laid, small[1], inside)
            if rough > best[0]:
                best = (rough, vertical, horizontal)
    rough, vertical, horizontal = best
    if rough < ROUGHLY:
        return Likeness(rough, 0.0)
    vertical, horizontal = _finer(large, vertical, 1), _finer(large, horizontal, 0)
    rows, rows_in = _stretched(large[0], vertical, 0)
    laid, columns_in = _stretched(rows, horizontal, 1)
    close = _agreement(laid, large[1], rows_in[:, None] & columns_in[None, :])
    return Likeness(rough, round(close, 6))


# --- laying one over the other ---------------------------------------------------------------


def _halved(values: Values) -> Values:
    side = len(values) // 2
    halved: Values = values.reshape(side, 2, side, 2).mean(axis=(1, 3))
    return halved


def _profiles(pair: tuple[Values, Values], axis: int) -> tuple[Values, Values]:
    return pair[0].mean(axis=axis), pair[1].mean(axis=axis)


def _stretches(pair: tuple[Values, Values], axis: int) -> Iterator[Stretch]:
    """Yield the stretches by which the profiles agree best, `APART` from each other."""
    starts, ends = _every(COARSE, COARSE)
    scores = _profile_scores(*_profiles(pair, axis), starts, ends)
    given = [Stretch(0.0, 0.0)]
    yield given[0]
    for place in np.argsort(-scores, kind="stable"):
        one = Stretch(float(starts[place]), float(ends[place]))
        if all(abs(one.start - o.start) + abs(one.end - o.end) > APART for o in given):
            given.append(one)
            yield one
        if len(given) == TRIED:
            return


def _finer(pair: tuple[Values, Values], around: Stretch, axis: int) -> Stretch:
    profiles = _profiles(pair, axis)
    for steps in FINER:
        starts, ends = _every(around.start + steps, around.end + steps)
        best = int(np.argmax(_profile_scores(*profiles, starts, ends)))
        around = Stretch(float(starts[best]), float(ends[best]))
    return around


def _every(starts: Values, ends: Values) -> tuple[Values, Values]:
    """Every start with every end."""
    return np.repeat(starts, len(ends)), np.tile(ends, len(starts))


def _profile_scores(first: Values, second: Values, starts: Values, ends: Values) -> Values:
    """Correlations of stretched profiles with the other, over what they share; rounded."""
    laid, inside = _sampled(first[None, :], starts, ends)
    other = np.broadcast_to(second, laid.shape)
    count = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    one = (laid - (laid * inside).sum(axis=1, keepdims=True) / count) * inside
    two = (other - (other * inside).sum(axis=1, keepdims=True) / count) * inside
    norm = np.sqrt((one * one).sum(axis=1) * (two * two).sum(axis=1))
    scores: Values = np.round((one * two).sum(axis=1) / np.maximum(norm, 1e-9), 9)
    return scores


def _sampled(lines: Values, starts: Values, ends: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Lines stretched along their last axis, and which points of the result are inside them.

    Args:
        lines: (n, side); n is 1 or the number of stretches.
        starts: (stretches,) shares of a side.
        ends: the same.
    """
    side = lines.shape[-1]
    step = (side + (ends - starts) * side) / side
    edges = starts[:, None] * side + step[:, None] * np.arange(side + 1)
    sums = np.concatenate([np.zeros((len(lines), 1)), np.cumsum(lines, axis=-1)], axis=-1)
    held = np.clip(edges, 0, side)
    whole = np.minimum(held.astype(np.int64), side - 1)
    part = held - whole
    sums = np.broadcast_to(sums, (len(edges), side + 1))
    at = np.take_along_axis(sums, whole, 1) * (1 - part)
    at += np.take_along_axis(sums, whole + 1, 1) * part
    inside = (edges[:, :-1] >= -1e-9) & (edges[:, 1:] <= side + 1e-9)
    return np.diff(at, axis=-1) / step[:, None], inside


def _stretched(values: Values, stretch: Stretch, axis: int) -> tuple[Values, NDArray[np.bool_]]:
    """A picture stretched along an axis, and which of its lines are inside it."""
    lines = values if axis == 1 else values.T
    count = len(lines)
    starts, ends = np.full(count, stretch.start), np.full(count, stretch.end)
    laid, inside = _sampled(lines, starts, ends)
    return (laid if axis == 1 else laid.T), inside[0]


# --- comparing ------------------------------------------------------------------------------


def _smoothed(values: Values) -> Values:
    """Each point with half of its neighbours', along either axis."""
    for _ in range(2):
        padded = np.concatenate([values[:1], values, values[-1:]])
        values = ((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4).T
    return values


def _correlation(first: Values, second: Values, inside: NDArray[np.bool_]) -> float:
    """The correlation of two pictures over what they share."""
    one, two = first[inside], second[inside]
    one, two = one - one.mean(), two - two.mean()
    norm = float(np.sqrt((one @ one) * (two @ two)))
    return round(float(one @ two) / norm, 9) if norm else 0.0


def _agreement(first: Values, second: Values, inside: NDArray[np.bool_]) -> float:
    """The share of the one's content that is found in the other; see `Likeness`."""
    first_energy, second_energy, common = _energies(first, second, inside)
    agrees = common >= AGREES * np.sqrt(first_energy * second_energy)
    shares = []
    for energy in (first_energy, second_energy):
        content = np.where(energy > FAINT**2 * inside.size / len(energy), energy, 0)
        weights = np.minimum(content, CAP * content.mean())
        total = float(weights.sum())
        shares.append(float(weights[agrees].sum()) / total if total else 0.0)
    return max(shares)


def _energies(
    first: Values, second: Values, inside: NDArray[np.bool_]
) -> tuple[Values, Values, Values]:
    """By block, the squared contrast of either picture and their common contrast."""
    # Smoothing mixes what is outside into the lines at the edge.
    held = _blocks((_smoothed(inside.astype(np.float64)) == 1).astype(np.float64))
    count = np.maximum(held.sum(axis=1, keepdims=True), 1)
    one, two = (_blocks(_smoothed(values)) for values in (first, second))
    one = (one - (one * held).sum(axis=1, keepdims=True) / count) * held
    two = (two - (two * held).sum(axis=1, keepdims=True) / count) * held
    return (one * one).sum(axis=1), (two * two).sum(axis=1), (one * two).sum(axis=1)


def _blocks(values: Values) -> Values:
    size = len(values) // BLOCKS
    parts = values.reshape(BLOCKS, size, BLOCKS, size).transpose(0, 2, 1, 3)
    return parts.reshape(BLOCKS * BLOCKS, size * size)
