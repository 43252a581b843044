"""What a world must do, besides deciding results, so that the jobs of a grid can run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from reassess.core.errors import ReassessError
from reassess.grid.cells import Base, Cell
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.grid.world import ConfigT, WorldRules

RepositoryKind = Literal["model", "dataset"]

# In a text, what stands for one to three bytes that are no character:
UNREADABLE = "\ufffd"


class Reader(Protocol):
    """How the models of a family read prompts and write text, as far as no weights decide it."""

    @property
    def template_hash(self) -> str:
        """Of the chat template, as manifests record it."""

    @property
    def processor_hash(self) -> str:
        """Of the processor's config, as manifests record it."""

    def prompt_hashes(self, items: Sequence[Any]) -> list[str]:
        """The hash of each item's prompt, as the model reads it."""

    def row_lengths(self, items: Sequence[Any], completions: Sequence[str]) -> list[int]:
        """The tokens of each item's prompt and completion, as a model is trained on them."""

    def lengths(self, texts: Sequence[str]) -> list[set[int]]:
        """For each text, its possible numbers of tokens in the tokenizer's own division.

        More than one, because the space around a completion is not kept.
        """

    def fewest(self, text: str) -> int:
        """The smallest number of tokens that a text can have been written in."""


class World(WorldRules[ConfigT]):
    """A world whose jobs can run. Its module is cheap to import; jobs import what they need.

    Class attributes:
        trains_tokenizer: whether a tokenizer is trained before its base checkpoints.
    """

    trains_tokenizer: ClassVar[bool] = False

    # --- which files jobs read ---------------------------------------------------------------

    def pool_inputs(self, grid: Grid) -> list[Path]:
        """The files that building the pool reads."""
        return []

    @abstractmethod
    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """The files that making a base checkpoint reads."""

    @abstractmethod
    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """The folder of the checkpoint that a distribution's traces are sampled from."""

    # --- what jobs cost: negligible, unless the world overrides these ------------------------

    @abstractmethod
    def benchmark_items(self, grid: Grid) -> Mapping[str, int]:
        """By benchmark, the number of items that a cell is scored on."""

    def items_scored(self, grid: Grid) -> int:
        """The number of items that a cell is scored on, over all benchmarks."""
        return sum(self.benchmark_items(grid).values())

    def shard_cost(self, grid: Grid, family: str, distribution: str) -> Estimate:
        """The cost of sampling a shard of traces."""
        return Estimate()

    def training_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """The cost of training a cell."""
        return Estimate()

    def evaluation_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """The cost of scoring a cell."""
        return Estimate()

    def price(self) -> tuple[float, str] | None:
        """The price of a GPU-hour and its currency; None where the world estimates no costs."""
        return None

    # --- public repositories: none, unless the world overrides these -------------------------

    def repositories(self, grid: Grid) -> Iterable[tuple[RepositoryKind, str]]:
        """Every public repository of the grid, each once: its kind, and its name on the hub."""
        return ()

    def revision(self, kind: RepositoryKind, repo: str) -> str:
        """The commit of a repository, for a spec."""
        raise self._no_repositories()

    def download_cost(self, grid: Grid, kind: RepositoryKind, repo: str) -> Estimate:
        """The size of a repository."""
        raise self._no_repositories()

    def fetch(self, grid: Grid, kind: RepositoryKind, repo: str) -> None:
        """Download a repository and write the receipt."""
        raise self._no_repositories()

    def _no_repositories(self) -> ReassessError:
        return ReassessError(f"the {self.config.world.kind} world has no public repositories")

    # --- models that are made before the cells: none but bases, unless overridden ------------

    def build_tokenizer(self, grid: Grid) -> None:
        """Train the tokenizer, where `trains_tokenizer`."""
        raise ReassessError(f"the {self.config.world.kind} world trains no tokenizer")

    def trained_teachers(self, grid: Grid) -> Iterable[str]:
        """The families whose teacher is trained here."""
        return ()

    def build_teacher(self, grid: Grid, family: str) -> None:
        """Train the teacher of a family in `trained_teachers`."""
        raise ReassessError(f"the {self.config.world.kind} world trains no teacher")

    # --- what a bundle is compared with: nothing, unless the world overrides these -----------

    def generated_pool(self, grid: Grid) -> Mapping[str, Sequence[Any]] | None:
        """Every split, made again from the config alone; None where that is impossible."""
        return None

    def reader(self, family: str) -> Reader | None:
        """How a family's models read and write; None where only their checkpoints tell."""
        return None

    def most_items(self, split: str) -> int | None:
        """The largest number of items of a split; None where the config sets none."""
        return None

    def model_size(self, model: str) -> float | None:
        """The size by which a model is weak or strong among others; None where it is not known."""
        return None

    # --- jobs --------------------------------------------------------------------------------

    @abstractmethod
    def build_pool(self, grid: Grid) -> None:
        """Write every split of the pool, and the report on what training and test share."""

    @abstractmethod
    def build_base(self, grid: Grid, base: Base) -> None:
        """Make a base checkpoint: the first of its model, unless the world `replicates_bases`."""

    @abstractmethod
    def given_traces(self, grid: Grid, items: Sequence[Any], distribution: str) -> dict[str, str]:
        """Completions by item id, for a distribution that is not sampled from a teacher."""


def world_of(grid: Grid) -> World[Any]:
    """The world of a grid, with its jobs."""
    world = grid.world
    assert isinstance(world, World)  # every folder below `worlds/` holds one
    return world
