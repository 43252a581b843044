"""The micro world: generated questions, models trained here, a teacher for each family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from reassess.core import numerics
from reassess.core.errors import ReassessError
from reassess.core.files import Json, write_json
from reassess.data.items import Message
from reassess.data.pool import write_pool
from reassess.grid.benchmarks import Benchmark
from reassess.grid.cells import Base
from reassess.grid.specs import Spec
from reassess.grid.study import Grid
from reassess.worlds.base import Reader, World
from reassess.worlds.micro.config import MicroConfig
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.prompts import prompt

VERSION = 1  # raised when a change to the generated world changes its meaning


class MicroWorld(World[MicroConfig]):
    """See docs/micro-world.md."""

    pack: ClassVar[str] = "micro"
    trains_tokenizer: ClassVar[bool] = True
    replicates_bases: ClassVar[bool] = True

    def check_benchmarks(self, benchmarks: Mapping[str, Benchmark]) -> None:
        """Each states how its items are drawn."""
        scenes_of(benchmarks)

    # --- what decides a result ---------------------------------------------------------------

    def pool_spec(self, benchmarks: Mapping[str, Benchmark]) -> Spec:
        """Seed and sizes of the splits, and how each benchmark's items are drawn."""
        world = self.config.world
        return {
            "world": "micro",
            "version": VERSION,
            "seed": world.seed,
            "pool_rows": world.pool_rows,
            "split_items": world.split_items,
            "probe_items": world.probe_items,
            "scenes": scenes_of(benchmarks),
            **({"items": own} if (own := self._own_items(benchmarks)) else {}),
        }

    def base_spec(self, model: str, pool_hash: str) -> Spec:
        """Architecture and recipe, and the pool, because bases keep clear of its test scenes."""
        settings = self.config.models[model]
        return {
            "pool": pool_hash,
            "model": {"family": settings.family, "width": settings.width},
            "recipe": self.config.world.base.model_dump(),
            **numerics.spec(self.config.numerics),
        }

    def teacher_spec(self, family: str, distribution: str, base_hash: Callable[[str], str]) -> Spec:
        """The base and the recipe of the family's one teacher."""
        return {
            "base": base_hash(self.config.teachers[family]),
            "recipe": self.config.world.teacher.model_dump(),
        }

    def traces_spec(self, distribution: str) -> Spec:
        """The style of rendered traces."""
        settings = self.config.distributions[distribution]
        return {"style": settings.style} if settings.source == "rendered" else {}

    # --- files and costs ---------------------------------------------------------------------

    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """The tokenizer and the pool."""
        return [grid.paths.tokenizer, *(grid.paths.pool(split) for split in grid.splits)]

    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """The folder of the family's one teacher."""
        return grid.paths.teacher(family)

    def benchmark_items(self, grid: Grid) -> dict[str, int]:
        """By benchmark, its items: as many as a split has, or as its role has."""
        common, own = self.config.world.split_items, self._own_items(grid.benchmarks)
        return {name: own.get(name, common) for name in grid.benchmarks}

    def _own_items(self, benchmarks: Mapping[str, Benchmark]) -> dict[str, int]:
        """The items of each benchmark that has another number of them than `split_items`."""
        world = self.config.world
        count = world.main_items or world.split_items
        own = {name: count for name, one in benchmarks.items() if one.role == "main"}
        for name, drawn in scenes_of(benchmarks).items():
            if "in_words" in drawn:  # the first ones of another benchmark
                most = own.get(str(drawn["in_words"]), world.split_items)
                own[name] = min(most, own.get(name, world.split_items))
        return {name: items for name, items in own.items() if items != world.split_items}

    # --- jobs --------------------------------------------------------------------------------

    def build_pool(self, grid: Grid) -> None:
        """Generate every split and check that training and test are disjoint."""
        splits, report = self._splits(grid)
        for name, items in splits.items():
            write_pool(grid.paths.pool(name), items)
        write_json(grid.paths.disjointness, report)

    def generated_pool(self, grid: Grid) -> dict[str, list[MicroItem]]:
        """Every split, generated again."""
        return self._splits(grid)[0]

    def _splits(self, grid: Grid) -> tuple[dict[str, list[MicroItem]], Json]:
        from reassess.worlds.micro.pool import make_splits

        world = self.config.world
        sizes = (world.pool_rows, world.split_items, world.probe_items)
        own = self._own_items(grid.benchmarks)
        return make_splits(world.seed, *sizes, scenes_of(grid.benchmarks), own)

    def model_size(self, model: str) -> float:
        """The hidden size."""
        return self.config.models[model].width

    def reader(self, family: str) -> Reader:
        """The family's processor, made again."""
        from reassess.worlds.micro.reader import MicroReader

        return MicroReader.of(family)

    def build_tokenizer(self, grid: Grid) -> None:
        """Train the tokenizer of this world's few words."""
        from reassess.worlds.micro.models import build_tokenizer

        build_tokenizer(grid.paths.tokenizer)

    def trained_teachers(self, grid: Grid) -> Iterable[str]:
        """Every family, if traces are sampled."""
        sources = {one.source for one in self.config.distributions.values()}
        return self.config.teachers if "teacher" in sources else ()

    def build_teacher(self, grid: Grid, family: str) -> None:
        """Continue the family's strongest base on chains of thought."""
        from reassess.worlds.micro.build import train_teacher

        train_teacher(grid, family)

    def build_base(self, grid: Grid, base: Base) -> None:
        """Train it from fresh weights; a replicate has weights, rows and an order of its own."""
        from reassess.worlds.micro.build import train_base

        train_base(grid, self.config, base)

    def given_traces(
        self, grid: Grid, items: Sequence[MicroItem], distribution: str
    ) -> dict[str, str]:
        """Every item's chain of thought, in the distribution's style."""
        from reassess.worlds.micro.traces import render_trace

        style = self.config.distributions[distribution].style
        return {item.id: render_trace(item, style) for item in items}

    # --- items -------------------------------------------------------------------------------

    @property
    def about(self) -> str:
        """What a generated world can show."""
        return (
            "Results of the generated micro world are a controlled analogue, compared with the "
            f"paper in direction only. {self._on_bases}"
        )

    @property
    def _on_bases(self) -> str:
        bases = self.config.world.bases
        if bases == 1:
            return (
                "The base checkpoint of each model is fixed, as a public checkpoint would be: "
                "intervals do not cover pre-training."
            )
        return (
            f"Each model has {bases} base checkpoints, and runs start from them in turn: intervals "
            "cover pre-training too. Each family has one teacher and one set of traces, which "
            "they do not cover."
        )

    @property
    def item_type(self) -> type[MicroItem]:
        """The dataclass of its items."""
        return MicroItem

    def prompt(self, item: MicroItem) -> list[Message]:
        """One user turn, the question before the image."""
        return prompt(item)


def scenes_of(benchmarks: Mapping[str, Benchmark]) -> dict[str, Json]:
    """How the items of each benchmark are drawn, as its file states.

    Raises:
        ReassessError: a file does not state it.
    """
    for benchmark in benchmarks.values():
        if not isinstance(benchmark.metadata.get("scenes"), dict):
            raise ReassessError(
                f"{benchmark.source}: metadata.scenes is missing: state how the items are drawn, "
                "or {} for as in training"
            )
    return {name: benchmark.metadata["scenes"] for name, benchmark in benchmarks.items()}


WORLD = MicroWorld
