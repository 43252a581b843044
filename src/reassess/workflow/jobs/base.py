"""Making base checkpoints: trained here in the micro world, pinned public ones elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reassess.grid.cells import Base
from reassess.workflow.jobs.inputs import check_splits
from reassess.workflow.jobs.job import Job, option
from reassess.workflow.resources import Resources, model_memory
from reassess.worlds.base import world_of


@dataclass(frozen=True)
class BaseKey:
    """A base checkpoint."""

    base: str = option("a model of the config; MODEL@K for replicate K of its base")


class BuildBase(Job[BaseKey]):
    """One job for each base of a model: one, as with public checkpoints, or `world.bases`."""

    name = "build_base"
    key = BaseKey
    imports = ("reassess.worlds.micro.build", "reassess.training.sft")

    def needed(self) -> Iterator[BaseKey]:
        """The first base of every model, and the further ones that cells start from."""
        return map(BaseKey, self.grid.bases)

    def inputs(self, key: BaseKey) -> Sequence[Path]:
        """What the world makes bases from."""
        return world_of(self.grid).base_inputs(self.grid, self._base(key).model)

    def outputs(self, key: BaseKey) -> Sequence[Path]:
        """The manifest."""
        return (self.grid.paths.base_manifest(key.base),)

    def folders(self, key: BaseKey) -> Sequence[Path]:
        """The checkpoint."""
        return (self.grid.paths.base(key.base),)

    def spec_hash(self, key: BaseKey) -> str:
        """What decides the checkpoint."""
        return self.grid.specs.base_hash(key.base)

    def resources(self, key: BaseKey) -> Resources:
        """A model on a CPU."""
        return Resources(memory=model_memory(self.grid), minutes=30)

    def run(self, key: BaseKey) -> None:
        """Make it.

        Raises:
            ReassessError: the grid has no such base, or a split of the pool is not what was built.
        """
        check_splits(self.grid, self.inputs(key))
        world_of(self.grid).build_base(self.grid, self._base(key))

    def _base(self, key: BaseKey) -> Base:
        return self.grid.named_base(key.base)
