"""The hub world: pinned public models and data, or stand-ins of the same names and layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from reassess.core.errors import ReassessError
from reassess.core.files import write_json
from reassess.data.items import Message
from reassess.grid.benchmarks import Benchmark
from reassess.grid.cells import Base, Cell
from reassess.grid.costs import Estimate
from reassess.grid.specs import Spec
from reassess.grid.study import Grid
from reassess.training.layout import Layout
from reassess.worlds.base import World
from reassess.worlds.hub import costs
from reassess.worlds.hub.base import lay_out, prompt_measure
from reassess.worlds.hub.config import HubConfig
from reassess.worlds.hub.fetch import download
from reassess.worlds.hub.items import HubItem, messages_of
from reassess.worlds.hub.pins import Kind, Pin, Pins
from reassess.worlds.hub.repositories import Repositories
from reassess.worlds.hub.shapes import SHAPES, shape_of
from reassess.worlds.hub.source import benchmark_source, find_source

VERSION = 3  # raised when a change to the making of the pool changes its meaning
# Of pools whose config has a setting that later versions lack, so that their specs can be derived.
WITH_IMAGE_DISTANCE = 2

# Settings that decide which rows are kept and how their prompts read.
POOL_SETTINGS = (
    "seed",
    "pool_rows",
    "probe_items",
    "max_prompt_tokens",
    "ngram",
    "benchmark_items",
)


class HubWorld(World[HubConfig]):
    """See docs/paper-grid.md."""

    pack: ClassVar[str] = "paper"
    keep_pixels: ClassVar[bool] = False

    # --- repositories ------------------------------------------------------------------------

    @cached_property
    def public(self) -> Repositories:
        """The public models and data sets."""
        return Repositories(self.config)

    @property
    def pins(self) -> Pins:
        """The commits of all repositories."""
        return self.public.pins

    def pin(self, kind: Kind, repo: str) -> Pin:
        """The pin of a repository; see `Repositories.pin`."""
        return self.public.pin(kind, repo)

    def revision(self, kind: Kind, repo: str) -> str:
        """The commit of a repository for a spec; see `Repositories.revision`."""
        return self.public.revision(kind, repo)

    def repositories(self, grid: Grid) -> Iterator[tuple[Kind, str]]:
        """Yield every repository of the grid, each once."""
        return self.public.every(grid.benchmarks)

    def wanted(self, grid: Grid, repo: str | None) -> list[tuple[Kind, str]]:
        """The repositories to fetch; see `Repositories.wanted`."""
        return self.public.wanted(grid.benchmarks, repo)

    def check_benchmarks(self, benchmarks: Mapping[str, Benchmark]) -> None:
        """Each names the adapter of its rows."""
        for benchmark in benchmarks.values():
            benchmark_source(benchmark)

    # --- what decides a result ---------------------------------------------------------------

    def pool_spec(self, benchmarks: Mapping[str, Benchmark]) -> Spec:
        """The commits of all sources, and every setting that decides rows and prompts."""
        world, earlier = self.config.world, self.config.world.image_distance
        repos = {name: find_source(name).repo for name in self.public.sources(benchmarks)}
        return {
            "world": "hub",
            "version": VERSION if earlier is None else WITH_IMAGE_DISTANCE,
            "sources": {
                name: [repo, self.revision("dataset", repo)] for name, repo in repos.items()
            },
            "train": list(world.sources),
            "benchmarks": {
                name: benchmark_source(benchmark) for name, benchmark in benchmarks.items()
            },
            **{name: getattr(world, name) for name in POOL_SETTINGS},
            **({} if earlier is None else {"image_distance": earlier}),
            "pixels": world.pixels.model_dump(),
            "prompt": world.prompt.model_dump(),
        }

    def base_spec(self, model: str, pool_hash: str) -> Spec:
        """Name and commit of the public checkpoint, and the pixel budget written into it."""
        repo = self.config.models[model].hub
        return {
            "hub": repo,
            "revision": self.revision("model", repo),
            "pixels": self.config.world.pixels.model_dump(),
        }

    def teacher_spec(self, family: str, distribution: str, base_hash: Callable[[str], str]) -> Spec:
        """The hash of the model that is sampled."""
        return {"base": base_hash(self.teacher_model(family, distribution))}

    def traces_spec(self, distribution: str) -> Spec:
        """The adapter of traces that come with their questions."""
        adapter = self.config.distributions[distribution].adapter
        return {"adapter": adapter} if adapter else {}

    def training_spec(self, model: str) -> Spec:
        """What of the hardware changes more than the last bits of weights."""
        execution = self.config.execution
        return {
            "execution": {
                "precision": execution.precision,
                "rollouts": execution.rollouts,
                "attention": execution.attention,
            }
        }

    # --- splits and hardware -----------------------------------------------------------------

    def pool_splits(self, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """The usual splits, and one for each distribution that brings its own questions."""
        own = [
            name
            for name, distribution in self.config.distributions.items()
            if distribution.adapter is not None
        ]
        return [*super().pool_splits(benchmarks), *own]

    def train_split(self, distribution: str) -> str:
        """The pool, or the distribution's own rows."""
        return "train" if self.config.distributions[distribution].adapter is None else distribution

    def teacher_model(self, family: str, distribution: str) -> str:
        """The model that a distribution's traces are sampled from."""
        settings = self.config.distributions.get(distribution)
        return (settings.teacher if settings else None) or self.config.teachers[family]

    def layout(self, model: str) -> Layout:
        """The layout that `execution` and the model's own settings give."""
        execution, settings = self.config.execution, self.config.models[model]
        layout = Layout(
            **execution.model_dump(),
            processes=max(1, settings.gpus),
            micro_batch=settings.micro_batch,
        )
        return replace(
            layout, sharding=settings.sharding, checkpoint_minutes=self.config.checkpoint_minutes
        )

    def engine_layout(self, model: str) -> Layout:
        """The layout with as many GPUs as hold the model's weights with as much memory again."""
        layout = self.layout(model)
        if layout.rollouts != "vllm":
            return layout
        shape = shape_of(self.config.models[model].hub)
        return replace(layout, processes=costs.engine_gpus(self.config.costs, shape))

    # --- files -------------------------------------------------------------------------------

    def receipt(self, grid: Grid, kind: Kind, repo: str) -> Path:
        """The note that a repository has been fetched."""
        return grid.paths.receipt(kind, *repo.split("/"))

    def pool_inputs(self, grid: Grid) -> list[Path]:
        """The receipts of all data sets, and the models whose tokenizer measures prompts."""
        receipts = [
            self.receipt(grid, kind, repo)
            for kind, repo in self.repositories(grid)
            if kind == "dataset"
        ]
        families = sorted(self.config.teachers)
        return [*receipts, *(grid.paths.base(self.config.teachers[name]) for name in families)]

    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """The receipt of the checkpoint."""
        return [self.receipt(grid, "model", self.config.models[model].hub)]

    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """The base folder of the model that is sampled."""
        return grid.paths.base(self.teacher_model(family, distribution))

    # --- what jobs cost ----------------------------------------------------------------------

    def benchmark_items(self, grid: Grid) -> dict[str, int]:
        """The published sizes of the benchmarks, as far as the config does not limit them."""
        return costs.items_by_benchmark(self.config, grid.benchmarks.values())

    def download_cost(self, grid: Grid, kind: Kind, repo: str) -> Estimate:
        """The size of a repository."""
        return costs.of_fetch(self.config, self.pins, grid.paths, kind, repo)

    def price(self) -> tuple[float, str]:
        """As the config states it."""
        return self.config.costs.price, self.config.costs.currency

    def shard_cost(self, grid: Grid, family: str, distribution: str) -> Estimate:
        """The cost of sampling a shard of traces."""
        teacher = self.teacher_model(family, distribution)
        return costs.of_shard(self.config, grid.paths, distribution, teacher)

    def training_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """The cost of training a cell."""
        return costs.of_training(grid, self.config, cell)

    def evaluation_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """The cost of scoring a cell."""
        return costs.of_evaluation(self.config, grid.benchmarks.values(), grid.paths, cell.model)

    # --- jobs --------------------------------------------------------------------------------

    def fetch(self, grid: Grid, kind: Kind, repo: str) -> None:
        """Download a repository, or make its stand-in, and write the receipt."""
        pin, world = self.pin(kind, repo), self.config.world
        if world.stand_in:
            from reassess.worlds.hub.testing.stand_in import make_repository

            sources = self.public.sources(grid.benchmarks)
            make_repository(self.config, kind, repo, pin.revision, sources)
        else:
            patterns = self.public.patterns(grid.benchmarks, kind, repo)
            download(kind, repo, pin, patterns, world.cache)
        write_json(
            self.receipt(grid, kind, repo),
            {"kind": kind, "repo": repo, "revision": pin.revision, "bytes": pin.size},
        )

    def build_pool(self, grid: Grid) -> None:
        """Read, screen and order the rows of all sources."""
        from reassess.worlds.hub.pool import build

        build(self.public, grid.benchmarks, grid.paths, self.prompt_lengths(grid))

    def build_base(self, grid: Grid, base: Base) -> None:
        """Lay out the pinned checkpoint with the grid's pixel budget in its preprocessor config."""
        lay_out(grid, self.public, base.model)

    def given_traces(
        self, grid: Grid, items: Sequence[HubItem], distribution: str
    ) -> dict[str, str]:
        """The traces that came with the rows."""
        return {item.id: item.trace for item in items if item.trace}

    def prompt_lengths(self, grid: Grid) -> Callable[[Sequence[HubItem]], list[int]]:
        """A function that measures prompts in tokens, by the first family's processor."""
        teacher = next(iter(self.config.teachers.values()))
        return prompt_measure(grid.paths.base(teacher), self.prompt)

    def most_items(self, split: str) -> int | None:
        """As many as the pool, the probe, and the first items of each benchmark."""
        world = self.config.world
        if split == "train":
            return world.pool_rows
        if split == "probe":
            return world.probe_items
        own = {self.train_split(distribution) for distribution in self.config.distributions}
        return None if split in own else world.benchmark_items

    def model_size(self, model: str) -> float | None:
        """The parameters of the public models whose shape is known."""
        shape = SHAPES.get(self.config.models[model].hub)
        return None if shape is None else shape.parameters

    # --- items -------------------------------------------------------------------------------

    @property
    def about(self) -> str:
        """What the report states about models and data."""
        if self.config.world.stand_in:
            return (
                "These are stand-ins: tiny checkpoints with random weights and made-up rows that "
                "bear the names of public repositories. They show that every job runs; their "
                "scores say nothing about the models whose names they bear."
            )
        return (
            "Models, data and benchmarks are public and pinned to commits. Each base model is one "
            "published checkpoint: intervals do not cover pre-training."
        )

    @property
    def item_type(self) -> type[HubItem]:
        """The dataclass of its items."""
        return HubItem

    def prompt(self, item: HubItem) -> list[Message]:
        """The image, then the question with its options and the suffix."""
        return messages_of(item, self.config.world.prompt)


def hub_of(grid: Grid) -> HubWorld:
    """The hub world of a grid.

    Raises:
        ReassessError: the grid is of another world.
    """
    if not isinstance(grid.world, HubWorld):
        raise ReassessError(
            f"{grid.source} is a grid of the {grid.config.world.kind} world, which has no public "
            "repositories"
        )
    return grid.world


WORLD = HubWorld
