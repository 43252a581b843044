"""Making base checkpoints: trained here in the micro world, pinned public ones elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reassess.workflow.jobs.inputs import check_splits
from reassess.workflow.jobs.job import Job, option
from reassess.workflow.resources import Resources, model_memory
from reassess.worlds.base import world_of


@dataclass(frozen=True)
class ModelKey:
    """A model."""

    model: str = option("a model of the config")


class BuildBase(Job[ModelKey]):
    """One job for each model. Bases have no seed: they stand for public checkpoints."""

    name = "build_base"
    key = ModelKey
    imports = ("reassess.worlds.micro.build", "reassess.training.sft")

    def needed(self) -> Iterator[ModelKey]:
        """Every model of the config."""
        return map(ModelKey, self.grid.config.models)

    def inputs(self, key: ModelKey) -> Sequence[Path]:
        """What the world makes bases from."""
        return world_of(self.grid).base_inputs(self.grid, key.model)

    def outputs(self, key: ModelKey) -> Sequence[Path]:
        """The manifest."""
        return (self.grid.paths.base_manifest(key.model),)

    def folders(self, key: ModelKey) -> Sequence[Path]:
        """The checkpoint."""
        return (self.grid.paths.base(key.model),)

    def spec_hash(self, key: ModelKey) -> str:
        """What decides the checkpoint."""
        return self.grid.specs.base_hash(key.model)

    def resources(self, key: ModelKey) -> Resources:
        """A model on a CPU."""
        return Resources(memory=model_memory(self.grid), minutes=30)

    def run(self, key: ModelKey) -> None:
        """Make it.

        Raises:
            ReassessError: a split of the pool is not what was built.
        """
        check_splits(self.grid, self.inputs(key))
        world_of(self.grid).build_base(self.grid, key.model)
