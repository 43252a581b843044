"""The items of a pool that cells are scored on, made again where the world can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import pandas as pd

from reassess.core.seeds import derive_seed
from reassess.data.items import Item
from reassess.data.questions import AskedItem, questions_of
from reassess.evaluation.plugins import Told, ask
from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.worlds.base import world_of

ITEM = ["item_family", "hops", "filled", "answer", "answer_kind"]  # as the tables call them
FIELDS = ["family", "hops", "filled", "answer", "answer_kind"]  # as items do
PLACE = ["benchmark", "item"]


@dataclass
class Pool:
    """The items of one pool, as far as they are known.

    Attributes:
        grid: a grid whose cells are scored on it.
        items: by benchmark and item, the columns `ITEM`; None until a cell tells.
        first: the cell that told, where the world could not.
        prompts: by who reads them, the hash of each item's prompt; with the cell that told.
    """

    grid: Grid
    items: pd.DataFrame | None = None
    first: str = ""
    prompts: dict[tuple[str, str], tuple[str, pd.Series]] = field(default_factory=dict)

    @cached_property
    def splits(self) -> dict[str, Sequence[Item]] | None:
        """Every split, made again; None where the world cannot."""
        made = world_of(self.grid).generated_pool(self.grid)
        return None if made is None else dict(made)

    @property
    def benchmarks(self) -> list[tuple[str, Item]]:
        """The items of the benchmarks, in order; none where the world cannot make them."""
        splits = self.splits or {}
        return [(name, item) for name in self.grid.benchmarks for item in splits.get(name, ())]

    @property
    def places(self) -> pd.MultiIndex:
        """The benchmark and the id of each of `benchmarks`."""
        places = [(name, item.id) for name, item in self.benchmarks]
        return pd.MultiIndex.from_tuples(places, names=PLACE)

    @cached_property
    def asked(self) -> list[AskedItem]:
        """The items of `benchmarks` without what their answers follow from."""
        return [cast("AskedItem", item).asked() for _, item in self.benchmarks]

    def ask(self, cell: Cell) -> Told:
        """What the shipped method of a cell answers, or shows to the model, as in an evaluation."""
        words = {item.id: self.grid.world.text_of(item) for item in self.asked}
        questions = questions_of([item for _, item in self.benchmarks], lambda item: words[item.id])
        method = self.grid.arms[cell.arm].build()
        return ask(method, questions, self.asked, [derive_seed("evaluate", cell.seed)])

    def table(self) -> pd.DataFrame | None:
        """The columns `ITEM` of the items made again."""
        if self.splits is None:
            return None
        rows = [
            [name, item.id, *(getattr(item, one, None) for one in FIELDS)]
            for name, item in self.benchmarks
        ]
        return pd.DataFrame(rows, columns=[*PLACE, *ITEM], dtype=object).set_index(PLACE)
