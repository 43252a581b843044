"""What the search for copies costs at the size of the paper's grid, on one core."""

from __future__ import annotations

import resource
import time
import zlib
from dataclasses import dataclass

import numpy as np

from reassess.bench.planted.pictures import KINDS, encode
from reassess.worlds.hub.copies import Pictures, compared
from reassess.worlds.hub.pictures import SIDE, Marks, marks_of

ROWS, ITEMS = 30_000, 17_500  # pictures of the pool, and of all benchmarks
DRAWN = 400  # pictures of each kind that the others are shifted versions of
SHIFTED = ("geometry", "diagram", "clouds")
SAMPLE = 1000  # close comparisons that are timed


@dataclass(frozen=True)
class Cost:
    """Seconds of one core, and memory.

    Attributes:
        rows: pictures that are compared.
        items: pictures that they are compared with.
        search: seconds of taking in the items and finding the candidates of all rows.
        candidates: pairs that are to be compared closely.
        compared: seconds of comparing them, from the time of a sample.
        memory_mb: the largest memory of the process.
    """

    rows: int
    items: int
    search: float
    candidates: int
    compared: float
    memory_mb: float


def cost(rows: int = ROWS, items: int = ITEMS) -> Cost:
    """Measure the search on drawings and clouds, shifted at random to have enough of them."""
    drawn = [marks_of(encode(KINDS[kind](n))) for kind in SHIFTED for n in range(DRAWN)]
    random = np.random.default_rng(1)

    def shifted(number: int) -> Marks:
        view = drawn[int(random.integers(len(drawn)))].thumbnails()
        by = tuple(int(value) for value in random.integers(0, SIDE, 2))
        return Marks(str(number), zlib.compress(np.roll(view, by, (1, 2)).tobytes(), 1))

    tests, trained = ([shifted(number) for number in range(count)] for count in (items, rows))
    start = time.process_time()
    index = Pictures(tests)
    found = index.candidates(trained)
    search = time.process_time() - start
    pairs = [(place, one) for place, candidates in enumerate(found) for one in candidates]
    sample = pairs[:: max(1, len(pairs) // SAMPLE)]
    start = time.process_time()
    for place, candidate in sample:
        compared(index.comparison(trained[place], candidate))
    each = (time.process_time() - start) / max(1, len(sample))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(
        rows, items, round(search, 1), len(pairs), round(each * len(pairs), 1), round(memory)
    )
