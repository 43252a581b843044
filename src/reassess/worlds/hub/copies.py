"""Which pictures are copies of others: a search by thumbnails, and a close look at what it finds.

Every picture is compared with every other by the correlation of two grids of 16 x 16 levels, in the
eight ways in which a picture can be turned and mirrored; an inverted copy has the correlation's
opposite. The grids are whole numbers, so that every processor finds the same. Of each picture, the
few most alike are compared as `reassess.worlds.hub.likeness` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reassess.worlds.hub.likeness import Likeness, likeness_of
from reassess.worlds.hub.pictures import SIDE, Marks, turns

Grids = NDArray[np.float32]  # (pictures, POINTS): whole numbers

POINTS = 16 * 16
UNIT = 1000  # length of a grid as a vector: sums of products stay below 2**24, where floats end
ALIKE = 0.6  # correlation of two grids, above which pictures are compared closely
CLOSELY = 6  # pictures that are compared closely with one
ROWS, COLUMNS = 256, 4096  # grids that are compared at once

SAME = 0.95  # share of the content of one that stands in the other, where the two are copies


class Candidate(NamedTuple):
    """A picture of an index that may be the same as another.

    Attributes:
        level: correlation of the grids, times `UNIT` squared; whole, without its sign.
        place: in the index.
        view: 0 for whole pictures, 1 for those without margins.
        turn: of the index's picture, as in `turns`.
        inverted: whether the one is dark where the other is light.
    """

    level: float
    place: int
    view: int
    turn: int
    inverted: bool


class Comparison(NamedTuple):
    """Two pictures, and how they lie to each other."""

    first: Marks
    second: Marks
    candidate: Candidate


def compared(pair: Comparison) -> Likeness:
    """Compare two pictures closely."""
    first, second, (_, _, view, turn, inverted) = pair
    one, other = first.thumbnails()[view], turns(second.thumbnails()[view])[turn]
    return likeness_of(255 - one if inverted else one, other)


class Pictures:
    """Pictures that others are compared with; even ones are like none."""

    def __init__(self, marks: Sequence[Marks]) -> None:
        """Take in the pictures."""
        self._marks = list(marks)
        self._places = [place for place, one in enumerate(marks) if one.views]
        grids = _grids([self._marks[place] for place in self._places])
        turned = [_vectors(turn) for turn in turns(grids)]
        self._grids = [np.concatenate([turn[:, view] for turn in turned]) for view in (0, 1)]

    def copied(
        self,
        marks: Sequence[Marks],
        compare: Callable[[Iterable[Comparison]], Iterable[Likeness]] | None = None,
    ) -> list[int | None]:
        """For each picture, the place of one that it is a copy of.

        Args:
            marks: the pictures.
            compare: compares pictures closely, in the order in which it is given them; None: in
                this process.
        """
        pairs = [
            (place, candidate)
            for place, candidates in enumerate(self.candidates(marks))
            for candidate in candidates
        ]
        comparisons = (self.comparison(marks[place], candidate) for place, candidate in pairs)
        found = map(compared, comparisons) if compare is None else compare(comparisons)
        places: list[int | None] = [None] * len(marks)
        for (place, candidate), likeness in zip(pairs, found, strict=True):
            if places[place] is None and likeness.close >= SAME:
                places[place] = candidate.place
        return places

    def comparison(self, one: Marks, candidate: Candidate) -> Comparison:
        """What is compared closely of a picture and a candidate."""
        return Comparison(one, self._marks[candidate.place], candidate)

    def candidates(self, marks: Sequence[Marks]) -> list[list[Candidate]]:
        """For each picture, the `CLOSELY` most like it by the grids, best first."""
        found: list[list[Candidate]] = [[] for _ in marks]
        seen = [place for place, one in enumerate(marks) if one.views]
        for start in range(0, len(seen), ROWS):
            chunk = seen[start : start + ROWS]
            vectors = _vectors(_grids([marks[place] for place in chunk]))
            for view in (0, 1):
                for row, level, column in self._nearest(vectors[:, view], view):
                    turn, kept = divmod(column, len(self._places))
                    candidate = Candidate(abs(level), self._places[kept], view, turn, level < 0)
                    found[chunk[row]].append(candidate)
        return [_best(candidates) for candidates in found]

    def _nearest(self, vectors: Grids, view: int) -> Iterator[tuple[int, float, int]]:
        """Yield (row, product, column) of the largest products of each row."""
        grids, count = self._grids[view], len(vectors)
        best: list[list[tuple[float, int]]] = [[] for _ in range(count)]
        least = np.full(count, ALIKE * UNIT**2, dtype=np.float32)
        for start in range(0, len(grids), COLUMNS):
            products = vectors @ grids[start : start + COLUMNS].T
            above = np.abs(products) >= least[:, None]
            for row in np.flatnonzero(above.any(axis=1)).tolist():
                columns = np.flatnonzero(above[row])
                new = zip(products[row, columns].tolist(), (start + columns).tolist(), strict=True)
                ranked = sorted([*best[row], *new], key=lambda one: (-abs(one[0]), one[1]))
                best[row] = ranked[: 2 * CLOSELY]
                if len(ranked) >= 2 * CLOSELY:
                    least[row] = max(least[row], abs(best[row][-1][0]))
        for row, kept in enumerate(best):
            for level, column in kept:
                yield row, level, column


def _best(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best candidates, each picture and view once."""
    kept: dict[tuple[int, int], Candidate] = {}
    for one in sorted(candidates, key=lambda one: (-one.level, one.place, one.view, one.turn)):
        kept.setdefault((one.place, one.view), one)
    return list(kept.values())[:CLOSELY]


def _grids(marks: Sequence[Marks]) -> NDArray[np.int64]:
    """Sums of levels, (pictures, 2, side, side)."""
    side = int(POINTS**0.5)
    size = SIDE // side
    grids = np.zeros((len(marks), 2, side, side), dtype=np.int64)
    for place, one in enumerate(marks):
        parts = one.thumbnails().reshape(2, side, size, side, size)
        grids[place] = parts.sum(axis=(2, 4), dtype=np.int64)
    return grids


def _vectors(grids: NDArray[np.int64]) -> Grids:
    """Grids as vectors of length `UNIT` without their mean, rounded to whole numbers."""
    flat = grids.reshape(*grids.shape[:2], POINTS)
    # Whole numbers up to here, so that the sums are exact in any order.
    centred = (POINTS * flat - flat.sum(axis=2, keepdims=True)).astype(np.float64)
    norm = np.sqrt((centred * centred).sum(axis=2, keepdims=True))
    vectors: Grids = np.round(UNIT * centred / np.maximum(norm, 1)).astype(np.float32)
    return vectors
