"""Whether the tokens that SFT read are those of its rows, where the world itself writes the traces.

Which questions of the pool a cell was trained on is not in a bundle: a teacher that finds no trace
for one leaves it out everywhere. So the tokens lie between those of the shortest and those of the
longest rows of so many.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.training.sft_settings import SftSettings
from reassess.verify.cells import is_shipped, reader_of
from reassess.verify.curves import Trained
from reassess.verify.terms import Splits
from reassess.worlds.base import world_of

Sums = npt.NDArray[np.int64]  # tokens of the first 0, 1, 2, ... rows


def check_given_rows(trained: list[Trained], splits_of: Splits) -> Iterator[str]:
    """Yield SFT cells with fewer or more tokens than their rows can have.

    Args:
        trained: the trained cells with whole histories.
        splits_of: every split of a grid's pool; None where its world cannot make it again.
    """
    known: dict[tuple[str, str, str], tuple[Sums, Sums] | None] = {}
    for grid, cell, curves in trained:
        if not isinstance(grid.arms[cell.arm].settings, SftSettings) or not is_shipped(grid, cell):
            continue
        assert cell.distribution is not None
        assert cell.size is not None
        key = grid.specs.pool_hash(), grid.family(cell.model), cell.distribution
        if key not in known:
            known[key] = _sums(grid, cell, splits_of)
        sums = known[key]
        if sums is None:
            continue
        passes, rest = divmod(int(curves["samples"].iloc[-1]), cell.size)
        least, most = (int(passes * one[cell.size] + one[rest]) for one in sums)
        tokens = float(curves["tokens"].iloc[-1])
        if not least <= tokens <= most:
            yield (
                f"{cell.id}: {tokens:.0f} tokens, but its rows have {least} to {most} in as many "
                f"samples: they are not of {cell.distribution}"
            )


def _sums(grid: Grid, cell: Cell, splits_of: Splits) -> tuple[Sums, Sums] | None:
    """The tokens of the shortest and of the longest rows; None if they cannot be derived."""
    distribution, reader = cell.distribution, reader_of(grid, cell)
    assert distribution is not None
    if grid.config.distributions[distribution].source == "teacher" or reader is None:
        return None
    splits = splits_of(grid)
    if splits is None:
        return None
    items = splits[grid.world.train_split(distribution)]
    traces = world_of(grid).given_traces(grid, items, distribution)
    having = [item for item in items if item.id in traces]
    lengths = sorted(reader.row_lengths(having, [traces[item.id] for item in having]))
    return _cumulative(lengths), _cumulative(lengths[::-1])


def _cumulative(lengths: list[int]) -> Sums:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
