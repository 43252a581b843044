"""Building the pool: every split, and the check that training and test are disjoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.workflow.jobs.inputs import record_pool
from reassess.workflow.jobs.job import Job, NoKey
from reassess.workflow.resources import Resources, for_data
from reassess.worlds.base import world_of


class BuildPool(Job[NoKey]):
    """One job writes all splits."""

    name = "build_pool"
    key = NoKey

    def needed(self) -> Iterator[NoKey]:
        """One."""
        yield NoKey()

    def inputs(self, key: NoKey) -> Sequence[Path]:
        """What the world's pool is made of."""
        return world_of(self.grid).pool_inputs(self.grid)

    def outputs(self, key: NoKey) -> Sequence[Path]:
        """A file for each split, and the report on what they share."""
        paths = self.grid.paths
        return [*(paths.pool(split) for split in self.grid.splits), paths.disjointness]

    def spec_hash(self, key: NoKey) -> str:
        """What decides the pool's content."""
        return self.grid.specs.pool_hash()

    def resources(self, key: NoKey) -> Resources:
        """The pool is held in memory."""
        return for_data(self.grid)

    def run(self, key: NoKey) -> None:
        """Write every split, and the hash of each into the report."""
        world_of(self.grid).build_pool(self.grid)
        record_pool(self.grid)
