"""Gathering a family's traces: those of all shards, or those that the world gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.core.files import Json, read_json, write_json
from reassess.data.items import Item
from reassess.data.pool import read_pool
from reassess.data.traces import read_traces, traces_hash, write_traces
from reassess.grid.study import Grid
from reassess.workflow.jobs.inputs import check_pool, check_table
from reassess.workflow.jobs.job import Job, TracesKey
from reassess.workflow.resources import Resources, for_data
from reassess.worlds.base import world_of


def training_items(grid: Grid, distribution: str) -> list[Item]:
    """Return the items that a distribution trains on."""
    path = grid.paths.pool(grid.world.train_split(distribution))
    return read_pool(path, grid.world.item_type)


def families_and_distributions(grid: Grid) -> Iterator[TracesKey]:
    """Yield every family with every distribution."""
    for family in sorted(grid.config.teachers):
        for distribution in grid.config.distributions:
            yield TracesKey(family, distribution)


class GatherTraces(Job[TracesKey]):
    """One file of traces for each family and distribution."""

    name = "gather_traces"
    key = TracesKey

    def needed(self) -> Iterator[TracesKey]:
        """Every family with every distribution."""
        return families_and_distributions(self.grid)

    def inputs(self, key: TracesKey) -> Sequence[Path]:
        """The prompts, and the shards where traces are sampled."""
        split = self.grid.world.train_split(key.distribution)
        shards = [
            path for shard in self._shards(key) for path in (shard, shard.with_suffix(".json"))
        ]
        return [self.grid.paths.pool(split), *shards]

    def outputs(self, key: TracesKey) -> Sequence[Path]:
        """The traces and a report."""
        path = self.grid.paths.traces(key.family, key.distribution)
        return (path, path.with_suffix(".json"))

    def spec_hash(self, key: TracesKey) -> str:
        """What decides the traces."""
        return self.grid.specs.traces_hash(key.family, key.distribution)

    def resources(self, key: TracesKey) -> Resources:
        """The prompts are held in memory."""
        return for_data(self.grid)

    def run(self, key: TracesKey) -> None:
        """Write the traces in the order of the pool.

        Raises:
            ReassessError: the pool or a shard is not what was made; names it.
        """
        check_pool(self.grid, self.grid.world.train_split(key.distribution))
        settings = self.grid.config.distributions[key.distribution]
        items = training_items(self.grid, key.distribution)
        sampled = settings.source == "teacher"
        report: Json = {
            "samples_per_prompt": settings.samples if sampled else 1,
            "temperature": settings.temperature if sampled else None,
            "tokens": 0 if sampled else None,
            "seconds": 0.0,
        }
        traces: dict[str, str] = {}
        for shard in self._shards(key):
            check_table(shard, "sample_shard")
            traces |= read_traces(shard)
            part = read_json(shard.with_suffix(".json"))
            report["tokens"] += part["tokens"]
            report["seconds"] = round(report["seconds"] + part["seconds"], 3)
            if undecided := part.get("undecided"):
                report["undecided"] = report.get("undecided", 0) + undecided
        if not sampled:
            traces = world_of(self.grid).given_traces(self.grid, items, key.distribution)
        ordered = {item.id: traces[item.id] for item in items if item.id in traces}
        report |= {
            "source": settings.source,
            "prompts": len(items),
            "kept": len(traces),
            "yield": len(traces) / len(items),
            "spec_hash": self.spec_hash(key),
            "content_hash": traces_hash(ordered),
        }
        path = self.grid.paths.traces(key.family, key.distribution)
        write_json(path.with_suffix(".json"), report)
        write_traces(path, ordered)

    def _shards(self, key: TracesKey) -> list[Path]:
        settings = self.grid.config.distributions[key.distribution]
        count = settings.shards if settings.source == "teacher" else 0
        return [
            self.grid.paths.shard(key.family, key.distribution, shard) for shard in range(count)
        ]
