"""What a world is: a pool of data, models and benchmarks that belong together, and the jobs that make them.

A world is a folder below `worlds/` with `config.py` (its part of the config, as `CONFIG`) and `world.py` (a subclass of `World`, as
`WORLD`). The rules, the trainers and the evaluation ask the world and know none by name. Importing a world is cheap; its jobs
import what they need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from reassess.errors import ReassessError
from reassess.plan import Estimate

if TYPE_CHECKING:
    from reassess.config import Config
    from reassess.evaluation.pack import Benchmark
    from reassess.grid import Cell, Grid
    from reassess.training.layout import Layout


class Prompts(Protocol):
    """What preparing a prompt needs to know: the messages of an item, and whether processed pictures are kept."""

    @property
    def keep_pixels(self) -> bool:
        """Whether processed pictures are kept in memory."""

    def prompt(self, item: Any) -> list[dict[str, Any]]:
        """Return the chat messages of an item."""


class World(ABC):
    """A world, for one config.

    Class attributes:
        pack: the folder of its benchmarks below `evaluation/tasks`.
        keep_pixels: whether processed pictures are small enough to be kept; otherwise a batch processes its own.
    """

    pack: ClassVar[str]
    keep_pixels: ClassVar[bool] = True

    def __init__(self, config: Any) -> None:
        """Keep the config, which is of this world's own class."""
        self.config = config

    # --- what decides a result: hashed into specs, so cheap and complete ---------------------------------------------

    @abstractmethod
    def pool_spec(self, benchmarks: Mapping[str, Benchmark]) -> dict[str, Any]:
        """Return what decides the pool's content."""

    @abstractmethod
    def base_spec(self, model: str, pool_hash: str) -> dict[str, Any]:
        """Return what decides a base checkpoint."""

    @abstractmethod
    def teacher_spec(self, family: str, distribution: str, base_hash: Any) -> dict[str, Any]:
        """Return what decides the teacher of a distribution; `base_hash` gives the hash of a model's base."""

    @abstractmethod
    def traces_spec(self, distribution: str) -> dict[str, Any]:
        """Return what decides a distribution's traces beside pool and teacher."""

    def training_spec(self, model: str) -> dict[str, Any]:
        """Return what else decides a cell's weights: nothing, unless the world says more."""
        return {}

    def layout(self, model: str) -> Layout:
        """Return how a model's training job is laid out on its hardware: one process on a CPU, unless the world says more."""
        from reassess.training.layout import Layout

        return Layout(checkpoint_minutes=self.config.checkpoint_minutes)

    def engine_layout(self, model: str) -> Layout:
        """Return the layout of a job that only completes prompts with a model: traces and evaluation."""
        return self.layout(model)

    # --- which files jobs read and write ------------------------------------------------------------------------------

    def pool_inputs(self, grid: Grid) -> list[Path]:
        """Return what building the pool reads."""
        return []

    def pool_splits(self, grid: Grid) -> list[str]:
        """Return the splits of the pool: training rows, the probe, and one for each benchmark."""
        return ["train", "probe", *grid.benchmarks]

    @abstractmethod
    def base_inputs(self, grid: Grid, model: str) -> list[Path]:
        """Return what making a base checkpoint reads."""

    def teacher_model(self, family: str, distribution: str) -> str:
        """Return the model that a distribution's teacher is, or is made from."""
        return str(self.config.teachers[family])

    @abstractmethod
    def teacher_dir(self, grid: Grid, family: str, distribution: str) -> Path:
        """Return the folder of the checkpoint that a distribution's traces are sampled from."""

    def train_split(self, distribution: str) -> str:
        """Return the split whose rows a distribution trains on."""
        return "train"

    @abstractmethod
    def items_scored(self, grid: Grid) -> int:
        """Return how many items a cell is scored on, over all benchmarks."""

    # --- what jobs cost: nothing that is worth a plan, unless the world says more ------------------------------------------

    def download_costs(self, grid: Grid) -> list[Estimate]:
        """Return the cost of each download."""
        return []

    def shard_cost(self, grid: Grid, family: str, distribution: str) -> Estimate:
        """Return the cost of sampling a shard of traces."""
        return Estimate()

    def training_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """Return the cost of training a cell."""
        return Estimate()

    def evaluation_cost(self, grid: Grid, cell: Cell) -> Estimate:
        """Return the cost of scoring a cell."""
        return Estimate()

    # --- jobs -----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def build_pool(self, grid: Grid) -> None:
        """Write every split of the pool and the report on what training and test share."""

    @abstractmethod
    def build_base(self, grid: Grid, model: str) -> None:
        """Make a base checkpoint."""

    @abstractmethod
    def given_traces(self, grid: Grid, items: Sequence[Any], distribution: str) -> dict[str, str]:
        """Return completions by item id, for a distribution that is not sampled from a teacher."""

    # --- items ------------------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def about(self) -> str:
        """What the report says of results from this world."""

    @property
    @abstractmethod
    def item_type(self) -> type[Any]:
        """The dataclass of its items."""

    @abstractmethod
    def prompt(self, item: Any) -> list[dict[str, Any]]:
        """Return the chat messages of an item."""

    def text_of(self, item: Any) -> str:
        """Return what of an item's prompt is words, for a judge that sees no picture."""
        parts = [part for turn in self.prompt(item) if turn["role"] == "user" for part in turn["content"]]
        return "\n".join(part["text"] for part in parts if part["type"] == "text").strip()


def world_of(config: Config) -> World:
    """Return the world of a config."""
    kind = config.world.kind
    try:
        module = import_module(f"reassess.worlds.{kind}.world")
    except ModuleNotFoundError as error:
        raise ReassessError(f"world {kind!r} has no module reassess.worlds.{kind}.world") from error
    found: World = module.WORLD(config)
    return found
