"""The hub world: pinned public models and data, or their stand-ins of the same names and layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from reassess.core.errors import ReassessError, unknown
from reassess.data.items import Message
from reassess.grid.benchmarks import Benchmark
from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.training.layout import Layout
from reassess.worlds.base import World
from reassess.worlds.hub import costs
from reassess.worlds.hub.config import HubConfig
from reassess.worlds.hub.fetch import MODEL_FILES, snapshot
from reassess.worlds.hub.pins import Kind, Pin, Pins, stand_in_revision
from reassess.worlds.hub.shapes import shape_of
from reassess.worlds.hub.source import find_source

VERSION = 1  # raised when the pool's making changes its meaning


class HubWorld(World[HubConfig]):
    """See docs/paper-grid.md."""

    pack: ClassVar[str] = "paper"
    keep_pixels: ClassVar[bool] = False

    # --- repositories ---------------------------------------------------------------------------------------------------

    @cached_property
    def pins(self) -> Pins:
        """The commits of all repositories."""
        return Pins.load(self.config.world.pins)

    def pin(self, kind: Kind, repo: str) -> Pin:
        """Return the pin of a repository; one that stands in has a made-up commit.

        Raises:
            ReassessError: it is not pinned.
        """
        if self.config.world.stand_in:
            return Pin(stand_in_revision(kind, repo))
        return self.pins.of(kind, repo)

    def revision(self, kind: Kind, repo: str) -> str:
        """Return the commit of a repository for a spec; a grid can be planned before everything is pinned, but not run."""
        known = self.config.world.stand_in or (kind, repo) in self.pins.found
        return self.pin(kind, repo).revision if known else "unpinned"

    def sources(self, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """Return the adapters this grid reads: of the pool, of distributions and of benchmarks."""
        adapters = [
            one.adapter for one in self.config.distributions.values() if one.adapter is not None
        ]
        tests = [benchmark_source(one) for one in benchmarks.values()]
        return list(dict.fromkeys([*self.config.world.sources, *adapters, *tests]))

    def repositories(self, grid: Grid) -> Iterator[tuple[Kind, str]]:
        """Yield every repository of the grid, each once."""
        models = {model.hub for model in self.config.models.values()}
        yield from (("model", repo) for repo in sorted(models))
        yield from (
            ("dataset", repo)
            for repo in sorted({find_source(name).repo for name in self.sources(grid.benchmarks)})
        )

    def wanted(self, grid: Grid, repo: str | None) -> list[tuple[Kind, str]]:
        """Return the repositories to fetch: all, or the one named as kind/org/name.

        Raises:
            ReassessError: the grid has no such repository.
        """
        every = list(self.repositories(grid))
        chosen = [(kind, name) for kind, name in every if repo in (None, f"{kind}/{name}")]
        if not chosen:
            raise ReassessError(
                unknown("repository", repo, [f"{kind}/{name}" for kind, name in every])
            )
        return chosen

    def revisions(self, grid: Grid) -> dict[str, str]:
        """Return the commit of every repository."""
        return {repo: self.pin(kind, repo).revision for kind, repo in self.repositories(grid)}

    def snapshot_of(self, source: str) -> Path:
        """Return the folder of an adapter's files in the cache."""
        repo = find_source(source).repo
        return snapshot(
            "dataset", repo, self.pin("dataset", repo).revision, self.config.world.cache
        )

    def patterns(self, grid: Grid, kind: Kind, repo: str) -> tuple[str, ...]:
        """Return which files of a repository are fetched."""
        if kind == "model":
            return MODEL_FILES
        found = [find_source(name) for name in self.sources(grid.benchmarks)]
        mine = [source for source in found if source.repo == repo]
        return tuple(
            pattern
            for source in mine
            for pattern in (*source.files, *([source.archive] if source.archive else []))
        )

    def receipt(self, grid: Grid, kind: Kind, repo: str) -> Path:
        """Return the file that says a repository was fetched."""
        return grid.paths.receipt(kind, *repo.split("/"))

    # --- what decides a result --------------------------------------------------------------------------------------------

    def pool_spec(self, benchmarks: Mapping[str, Benchmark]) -> dict[str, Any]:
        """Return the commits of all sources, and every setting that decides which rows are kept and how they are asked."""
        world = self.config.world
        names = (
            "seed",
            "pool_rows",
            "probe_items",
            "max_prompt_tokens",
            "ngram",
            "image_distance",
            "benchmark_items",
        )
        repos = {name: find_source(name).repo for name in self.sources(benchmarks)}
        return {
            "world": "hub",
            "version": VERSION,
            "sources": {
                name: [repo, self.revision("dataset", repo)] for name, repo in repos.items()
            },
            "train": list(world.sources),
            "benchmarks": {name: benchmark_source(one) for name, one in benchmarks.items()},
            **{name: getattr(world, name) for name in names},
            "pixels": world.pixels.model_dump(),
            "prompt": world.prompt.model_dump(),
        }

    def base_spec(self, model: str, pool_hash: str) -> dict[str, Any]:
        """Return name and commit of the public checkpoint, and the pixel budget written into it."""
        repo = self.config.models[model].hub
        return {
            "hub": repo,
            "revision": self.revision("model", repo),
            "pixels": self.config.world.pixels.model_dump(),
        }

    def teacher_spec(
        self, family: str, distribution: str, base_hash: Callable[[str], str]
    ) -> dict[str, Any]:
        """Return the hash of the model that is sampled."""
        return {"base": base_hash(self.teacher_model(family, distribution))}

    def traces_spec(self, distribution: str) -> dict[str, Any]:
        """Return the adapter of traces that come with their questions."""
        found = self.config.distributions[distribution]
        return {"adapter": found.adapter} if found.adapter else {}

    def training_spec(self, model: str) -> dict[str, Any]:
        """Return what of the hardware can change weights beyond their last bits: precision and the engine of rollouts."""
        execution = self.config.execution
        return {
            "execution": {
                "precision": execution.precision,
                "rollouts": execution.rollouts,
                "attention": execution.attention,
            }
        }

    def layout(self, model: str) -> Layout:
        """Return the layout that execution and model give."""
        execution, found = self.config.execution, self.config.models[model]
        layout = Layout(
            **execution.model_dump(), processes=max(1, found.gpus), micro_batch=found.micro_batch
        )
        return replace(
            layout, sharding=found.sharding, checkpoint_minutes=self.config.checkpoint_minutes
        )

    def engine_layout(self, model: str) -> Layout:
        """Return the layout with as many GPUs as hold the model's weights with as much room again."""
        layout = self.layout(model)
        if layout.rollouts != "vllm":
            return layout
        return replace(
            layout,
            processes=costs.engine_gpus(self.config.costs, shape_of(self.config.models[model].hub)),
        )

    def teacher_model(self, family: str, distribution: str) -> str:
        """Return the model that a distribution's traces are sampled from."""
        found = self.config.distributions.get(distribution)
        return (found.teacher if found else None) or self.config.teachers[family]

    # --- files --------------------------------------------------------------------------------------------------------------

    def pool_inputs(self, grid: Grid) -> list[Path]:
        """Return the receipts of all data sets, and of the model whose tokenizer measures prompts."""
        data = [
            self.receipt(grid, kind, repo)
            for kind, repo in self.repositories(grid)
            if kind == "dataset"
        ]
        return [
            *data,
            *(
                grid.paths.base(self.config.teachers[family])
                for family in sorted(self.config.teachers)
            ),
        ]

    def pool_splits(self, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """Return the splits, with one more for each distribution that brings its own questions."""
        own = [name for name, one in self.config.distributions.items() if one.adapter is not None]
        return [*super().pool_splits(benchmarks), *own]

    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """Return the receipt of the checkpoint."""
        return [self.receipt(grid, "model", self.config.models[model].hub)]

    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """Return the base folder of the model that is sampled."""
        return grid.paths.base(self.teacher_model(family, distribution))

    def train_split(self, distribution: str) -> str:
        """Return the pool, or the distribution's own rows."""
        return "train" if self.config.distributions[distribution].adapter is None else distribution

    # --- what jobs cost -----------------------------------------------------------------------------------------------------

    def download_cost(self, grid: Grid, kind: Kind, repo: str) -> Estimate:
        """Return the size of a repository."""
        return costs.of_fetch(grid, self, kind, repo)

    def shard_cost(self, grid: Grid, family: str, distribution: str) -> Estimate:
        """Return the cost of sampling a shard of traces."""
        return costs.of_shard(grid, self, family, distribution)

    def training_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """Return the cost of training a cell."""
        return costs.of_training(grid, self, cell)

    def items_scored(self, grid: Grid) -> int:
        """Return how many items a cell is scored on: those published, as far as the config limits no benchmark."""
        return costs.items_scored(grid, self)

    def evaluation_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """Return the cost of scoring a cell."""
        return costs.of_evaluation(grid, self, cell)

    # --- jobs ---------------------------------------------------------------------------------------------------------------

    def fetch(self, grid: Grid, kind: Kind, repo: str) -> None:
        """Download a repository, or make its stand-in, and write the receipt."""
        from reassess.core.files import write_json
        from reassess.worlds.hub.fetch import download

        pin, cache = self.pin(kind, repo), self.config.world.cache
        if self.config.world.stand_in:
            from reassess.worlds.hub.testing.stand_in import make_repository

            make_repository(grid, self, kind, repo, pin.revision)
        else:
            download(kind, repo, pin, self.patterns(grid, kind, repo), cache)
        write_json(
            self.receipt(grid, kind, repo),
            {"kind": kind, "repo": repo, "revision": pin.revision, "bytes": pin.size},
        )

    def build_pool(self, grid: Grid) -> None:
        """Read, screen and order the rows of all sources."""
        from reassess.worlds.hub.pool import build

        build(grid)

    def build_base(self, grid: Grid, model: str) -> None:
        """Lay out the pinned checkpoint with the grid's pixel budget in its preprocessor config."""
        from reassess.worlds.hub.base import lay_out

        lay_out(grid, self, model)

    def given_traces(self, grid: Grid, items: Sequence[Any], distribution: str) -> dict[str, str]:
        """Return the traces that came with the rows."""
        return {item.id: item.trace for item in items if item.trace}

    def prompt_lengths(self, grid: Grid) -> Callable[[Sequence[Any]], list[int]]:
        """Return a function that measures prompts in tokens, the picture's included, by the first family's processor."""
        from reassess.worlds.hub.base import measure

        return measure(grid.paths.base(next(iter(self.config.teachers.values()))), self.prompt)

    @property
    def about(self) -> str:
        """Say whose models and data these are."""
        if self.config.world.stand_in:
            return (
                "These are stand-ins: tiny checkpoints with random weights and made-up rows that bear the names of public "
                "repositories. They show that every job runs; their scores say nothing about the models whose names they bear."
            )
        return (
            "Models, data and benchmarks are public and pinned to commits. Each base model is one published checkpoint: intervals "
            "cover fine-tuning, not pre-training."
        )

    @property
    def item_type(self) -> type[Any]:
        """The dataclass of its items."""
        from reassess.worlds.hub.items import HubItem

        return HubItem

    def prompt(self, item: Any) -> list[Message]:
        """Return the picture, then the question with its options and the suffix."""
        from reassess.worlds.hub.items import messages_of

        return messages_of(item, self.config.world.prompt)


def hub_of(grid: Grid) -> HubWorld:
    """Return the hub world of a grid.

    Raises:
        ReassessError: the grid is of another world.
    """
    if not isinstance(grid.world, HubWorld):
        raise ReassessError(
            f"{grid.source} is a grid of the {grid.config.world.kind} world, which has no public repositories"
        )
    return grid.world


def benchmark_source(benchmark: Benchmark) -> str:
    """Return the adapter that a benchmark's file names.

    Raises:
        ReassessError: it names none.
    """
    name = benchmark.metadata.get("source")
    if not isinstance(name, str):
        raise ReassessError(
            f"{benchmark.source}: metadata.source is missing: name the adapter of its rows"
        )
    return name


WORLD = HubWorld
