"""Training a family's teacher, in a world that has its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reassess.workflow.jobs.inputs import check_splits
from reassess.workflow.jobs.job import Job, NoKey, option
from reassess.workflow.jobs.pool import BuildPool
from reassess.workflow.resources import Resources, model_memory
from reassess.worlds.base import world_of


@dataclass(frozen=True)
class FamilyKey:
    """A model family."""

    family: str = option("a model family of the config")


class BuildTeacher(Job[FamilyKey]):
    """Only a world that builds its own models; elsewhere a teacher is a public model."""

    name = "build_teacher"
    key = FamilyKey
    imports = ("reassess.worlds.micro.build", "reassess.training.sft")

    def needed(self) -> Iterator[FamilyKey]:
        """Every family whose teacher the world trains."""
        return map(FamilyKey, world_of(self.grid).trained_teachers(self.grid))

    def inputs(self, key: FamilyKey) -> Sequence[Path]:
        """The base that it continues, and the pool whose test scenes it keeps clear of."""
        base = self.grid.paths.base(self.grid.config.teachers.get(key.family, key.family))
        return [base, *BuildPool(self.grid).outputs(NoKey())]

    def outputs(self, key: FamilyKey) -> Sequence[Path]:
        """The manifest."""
        return (self.grid.paths.teacher_manifest(key.family),)

    def folders(self, key: FamilyKey) -> Sequence[Path]:
        """The checkpoint."""
        return (self.grid.paths.teacher(key.family),)

    def spec_hash(self, key: FamilyKey) -> str:
        """What decides the checkpoint; it is the same for every distribution."""
        return self.grid.specs.teacher_hash(key.family, "")

    def resources(self, key: FamilyKey) -> Resources:
        """A model on a CPU."""
        return Resources(memory=model_memory(self.grid), minutes=30)

    def run(self, key: FamilyKey) -> None:
        """Train it.

        Raises:
            ReassessError: a split of the pool, or the base, is not what was made.
        """
        check_splits(self.grid, self.inputs(key))
        world_of(self.grid).build_teacher(self.grid, key.family)
