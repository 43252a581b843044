"""Sampling a shard of a family's traces from its teacher."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reassess.core.files import read_json, write_json
from reassess.core.seeds import derive_seed
from reassess.data.traces import traces_hash, write_traces
from reassess.grid.costs import Estimate
from reassess.training.rejection_sampling import sample_traces
from reassess.workflow.jobs.inputs import check_pool, check_teacher
from reassess.workflow.jobs.job import Job, option
from reassess.workflow.jobs.traces import training_items
from reassess.workflow.resources import Resources, estimated
from reassess.worlds.base import world_of


@dataclass(frozen=True)
class ShardKey:
    """A shard of a family's traces in a distribution."""

    family: str = option("a model family of the config")
    distribution: str = option("a distribution of the config")
    shard: int = option("which of the distribution's shards, from 0", default=0)


class SampleShard(Job[ShardKey]):
    """Every n-th prompt of the pool, for a distribution whose traces are sampled."""

    name = "sample_shard"
    key = ShardKey
    imports = ("reassess.training.rejection_sampling", "reassess.training.generate")

    def needed(self) -> Iterator[ShardKey]:
        """Every shard of every sampled distribution, for each family."""
        for family in sorted(self.grid.config.teachers):
            for name, distribution in self.grid.config.distributions.items():
                if distribution.source == "teacher":
                    for shard in range(distribution.shards):
                        yield ShardKey(family, name, shard)

    def inputs(self, key: ShardKey) -> Sequence[Path]:
        """The prompts and the teacher."""
        split = self.grid.world.train_split(key.distribution)
        teacher = world_of(self.grid).teacher_dir(self.grid, key.family, key.distribution)
        return (self.grid.paths.pool(split), teacher)

    def outputs(self, key: ShardKey) -> Sequence[Path]:
        """The traces and a report."""
        path = self.grid.paths.shard(key.family, key.distribution, key.shard)
        return (path, path.with_suffix(".json"))

    def spec_hash(self, key: ShardKey) -> str:
        """What decides the traces."""
        return self.grid.specs.traces_hash(key.family, key.distribution)

    def resources(self, key: ShardKey) -> Resources:
        """By the estimate, and at least half an hour."""
        return estimated(self.grid, self.cost(key), 30)

    def cost(self, key: ShardKey) -> Estimate:
        """As the world estimates it."""
        return world_of(self.grid).shard_cost(self.grid, key.family, key.distribution)

    def measured(self) -> list[tuple[float, float]]:
        """The shards of a distribution together: their reports are gathered into one."""
        grid, finished = self.grid, []
        for key in self.needed():
            report = grid.paths.traces(key.family, key.distribution).with_suffix(".json")
            if key.shard == 0 and report.is_file():
                teacher = grid.world.teacher_model(key.family, key.distribution)
                processors = grid.world.engine_layout(teacher).processes
                shards = grid.config.distributions[key.distribution].shards
                seconds = read_json(report)["seconds"] * processors
                finished.append((shards * self.cost(key).gpu_hours, seconds))
        return finished

    def run(self, key: ShardKey) -> None:
        """Sample, and keep the shortest correct completion of each prompt.

        Raises:
            ReassessError: the teacher is not what its manifest states, or the prompts are not those
                that were built.
        """
        started, grid = time.monotonic(), self.grid
        check_pool(grid, grid.world.train_split(key.distribution))
        checked = check_teacher(grid, key.family, key.distribution)
        settings = grid.config.distributions[key.distribution]
        items = training_items(grid, key.distribution)[key.shard :: settings.shards]
        seed = derive_seed("traces", grid.config.world.seed, key.family, key.distribution)
        teacher_model = grid.world.teacher_model(key.family, key.distribution)
        traces, report = sample_traces(
            world_of(grid).teacher_dir(grid, key.family, key.distribution),
            items,
            grid.world,
            settings,
            grid.world.engine_layout(teacher_model),
            seed + key.shard,
        )
        checked.require_unchanged()
        report |= {
            "prompts": len(items),
            "seconds": round(time.monotonic() - started, 3),
            "teacher_checkpoint_hash": checked.hashes["checkpoint_hash"],
            "content_hash": traces_hash(traces),
        }
        path = grid.paths.shard(key.family, key.distribution, key.shard)
        write_json(path.with_suffix(".json"), report)
        write_traces(path, traces)
