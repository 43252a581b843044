"""What a world must do, besides deciding results, so that the jobs of a grid can run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.grid.world import ConfigT, WorldRules


class World(WorldRules[ConfigT]):
    """A world whose jobs can run. Its module is cheap to import; jobs import what they need."""

    # --- which files jobs read ---------------------------------------------------------------

    def pool_inputs(self, grid: Grid) -> list[Path]:
        """The files that building the pool reads."""
        return []

    @abstractmethod
    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """The files that making a base checkpoint reads."""

    @abstractmethod
    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """The folder of the checkpoint that a distribution's traces are sampled from."""

    # --- what jobs cost: negligible, unless the world overrides these ------------------------

    @abstractmethod
    def items_scored(self, grid: Grid) -> int:
        """The number of items that a cell is scored on, over all benchmarks."""

    def shard_cost(self, grid: Grid, family: str, distribution: str) -> Estimate:
        """The cost of sampling a shard of traces."""
        return Estimate()

    def training_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """The cost of training a cell."""
        return Estimate()

    def evaluation_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """The cost of scoring a cell."""
        return Estimate()

    # --- jobs --------------------------------------------------------------------------------

    @abstractmethod
    def build_pool(self, grid: Grid) -> None:
        """Write every split of the pool, and the report on what training and test share."""

    @abstractmethod
    def build_base(self, grid: Grid, model: str) -> None:
        """Make a base checkpoint."""

    @abstractmethod
    def given_traces(self, grid: Grid, items: Sequence[Any], distribution: str) -> dict[str, str]:
        """Completions by item id, for a distribution that is not sampled from a teacher."""


def world_of(grid: Grid) -> World[Any]:
    """The world of a grid, with its jobs."""
    world = grid.world
    assert isinstance(world, World)  # every folder below `worlds/` holds one
    return world
