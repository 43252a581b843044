"""The micro world: generated questions, models built and trained here, a teacher for each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from reassess.data.items import Message
from reassess.grid.benchmarks import Benchmark
from reassess.grid.study import Grid
from reassess.worlds.base import World
from reassess.worlds.micro.config import MicroConfig

VERSION = 1  # raised when the generated world changes its meaning


class MicroWorld(World[MicroConfig]):
    """See docs/micro-world.md."""

    pack: ClassVar[str] = "micro"

    def pool_spec(self, benchmarks: Mapping[str, Benchmark]) -> dict[str, Any]:
        """Return seed and sizes of the splits, and how each benchmark's items are drawn."""
        world = self.config.world
        return {
            "world": "micro",
            "version": VERSION,
            "seed": world.seed,
            "pool_rows": world.pool_rows,
            "split_items": world.split_items,
            "probe_items": world.probe_items,
            "scenes": scenes_of(benchmarks),
        }

    def base_spec(self, model: str, pool_hash: str) -> dict[str, Any]:
        """Return architecture and recipe; the pool counts because bases keep clear of its test scenes."""
        found = self.config.models[model]
        architecture = {"family": found.family, "width": found.width}
        return {
            "pool": pool_hash,
            "model": architecture,
            "recipe": self.config.world.base.model_dump(),
        }

    def teacher_spec(
        self, family: str, distribution: str, base_hash: Callable[[str], str]
    ) -> dict[str, Any]:
        """Return the base and the recipe of the family's one teacher."""
        return {
            "base": base_hash(self.config.teachers[family]),
            "recipe": self.config.world.teacher.model_dump(),
        }

    def traces_spec(self, distribution: str) -> dict[str, Any]:
        """Return the spelling of rendered traces."""
        found = self.config.distributions[distribution]
        return {"style": found.style} if found.source == "rendered" else {}

    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """Return the tokenizer and the pool."""
        return [grid.paths.tokenizer, *(grid.paths.pool(split) for split in grid.splits)]

    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """Return the folder of the family's one teacher."""
        return grid.paths.teacher(family)

    def build_pool(self, grid: Grid) -> None:
        """Generate every split and check that training and test are disjoint."""
        from reassess.core.files import write_json
        from reassess.data.pool import write_pool
        from reassess.worlds.micro.pool import make_splits

        world, folder = self.config.world, grid.paths.pool("train").parent
        sizes = (world.pool_rows, world.split_items, world.probe_items)
        splits, report = make_splits(world.seed, *sizes, scenes_of(grid.benchmarks))
        for name, items in splits.items():
            write_pool(folder / f"{name}.parquet", items)
        write_json(folder / "disjointness.json", report)

    def items_scored(self, grid: Grid) -> int:
        """Return how many items a cell is scored on: as many of each benchmark."""
        return self.config.world.split_items * len(grid.benchmarks)

    def build_base(self, grid: Grid, model: str) -> None:
        """Train it from fresh weights."""
        from reassess.worlds.micro.build import train_base

        train_base(grid, model)

    def given_traces(self, grid: Grid, items: Sequence[Any], distribution: str) -> dict[str, str]:
        """Write every item's chain of thought out, in the distribution's spelling."""
        from reassess.worlds.micro.traces import render_trace

        style = self.config.distributions[distribution].style
        return {item.id: render_trace(item, style) for item in items}

    @property
    def about(self) -> str:
        """Say what a generated world can show."""
        return (
            "Results of the generated micro world are a controlled analogue, compared with the paper in direction only. The base "
            "checkpoint of each model is fixed, as a public checkpoint would be: intervals cover fine-tuning, not pre-training."
        )

    @property
    def item_type(self) -> type[Any]:
        """The dataclass of its items."""
        from reassess.worlds.micro.items import Item

        return Item

    def prompt(self, item: Any) -> list[Message]:
        """Return one user turn, the question before the picture."""
        from reassess.worlds.micro.prompts import prompt

        return prompt(item)


def scenes_of(benchmarks: Mapping[str, Benchmark]) -> dict[str, dict[str, Any]]:
    """Return how the items of each benchmark are drawn, as its file says."""
    return {name: benchmark.metadata.get("scenes") or {} for name, benchmark in benchmarks.items()}


WORLD = MicroWorld
