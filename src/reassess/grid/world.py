"""What a world decides: specs, splits, layouts, items and prompts, for one config.

A world is a folder below `worlds/` with `config.py` (its part of the config, as `CONFIG`) and
`world.py` (its class, as `WORLD`). The grid, the trainers and the evaluation know none by name. The
class is found by the config's `world.kind`, so that a new world needs no other edit; what it must
also be able to do to run jobs is in `reassess.worlds.base`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from reassess.config.schema import Config
from reassess.core.errors import ReassessError
from reassess.core.files import Json
from reassess.data.items import Item, Message
from reassess.grid.benchmarks import Benchmark
from reassess.training.layout import Layout

ConfigT = TypeVar("ConfigT", bound=Config)


class WorldRules(ABC, Generic[ConfigT]):
    """A world, as far as it decides results. Cheap to make; nothing is read.

    Class attributes:
        pack: the folder of its benchmarks below `evaluation/tasks`.
        keep_pixels: whether preprocessed images are small enough to be kept; otherwise every batch
            is preprocessed as it is needed.
        replicates_bases: whether the world trains its bases, and so can make several of a model.
    """

    pack: ClassVar[str]
    keep_pixels: ClassVar[bool] = True
    replicates_bases: ClassVar[bool] = False

    def __init__(self, config: ConfigT) -> None:
        """Keep the config."""
        self.config = config

    def check_benchmarks(self, benchmarks: Mapping[str, Benchmark]) -> None:
        """Check what the world needs of the benchmarks' files, when the grid is read.

        Raises:
            ReassessError: names the file, what it lacks, and the fix.
        """
        return

    # --- specs: hashed, so cheap and complete ------------------------------------------------

    @abstractmethod
    def pool_spec(self, benchmarks: Mapping[str, Benchmark]) -> Json:
        """What decides the content of the pool."""

    @abstractmethod
    def base_spec(self, model: str, pool_hash: str) -> Json:
        """What decides a base checkpoint; which replicate of the model it is is added."""

    @abstractmethod
    def teacher_spec(self, family: str, distribution: str, base_hash: Callable[[str], str]) -> Json:
        """What decides the teacher of a distribution.

        `base_hash` gives that of a base, by its name: a model's first base has the model's own.
        """

    @abstractmethod
    def traces_spec(self, distribution: str) -> Json:
        """What decides a distribution's traces, besides pool and teacher."""

    def training_spec(self, model: str) -> Json:
        """What else decides a cell's weights: nothing, unless the world overrides this."""
        return {}

    # --- splits and hardware -----------------------------------------------------------------

    def pool_splits(self, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """The splits of the pool: training rows, the probe, and one for each benchmark."""
        return ["train", "probe", *benchmarks]

    def train_split(self, distribution: str) -> str:
        """The split whose rows a distribution trains on."""
        return "train"

    def teacher_model(self, family: str, distribution: str) -> str:
        """The model that a distribution's teacher is, or is made from."""
        return self.config.teachers[family]

    def layout(self, model: str) -> Layout:
        """How a model's training job uses its hardware: one process on a CPU by default."""
        return Layout(checkpoint_minutes=self.config.checkpoint_minutes)

    def engine_layout(self, model: str) -> Layout:
        """The layout of a job that only completes prompts: traces and evaluation."""
        return self.layout(model)

    # --- items -------------------------------------------------------------------------------

    @property
    @abstractmethod
    def about(self) -> str:
        """What the report says of results from this world."""

    @property
    @abstractmethod
    def item_type(self) -> type[Any]:
        """The dataclass of its items; they satisfy `Item`."""

    @abstractmethod
    def prompt(self, item: Any) -> list[Message]:
        """The chat messages of an item of this world."""

    def text_of(self, item: Item) -> str:
        """The words of an item's prompt, for a judge that is shown no image."""
        parts = [
            part
            for turn in self.prompt(item)
            if turn["role"] == "user"
            for part in turn["content"]
            if part["type"] == "text"
        ]
        return "\n".join(part["text"] for part in parts).strip()


AnyWorld: TypeAlias = WorldRules[Any]  # of whichever config


def load_world(config: Config) -> AnyWorld:
    """Return the world of a config.

    Raises:
        ReassessError: there is no such world.
    """
    kind = config.world.kind
    try:
        module = import_module(f"reassess.worlds.{kind}.world")
    except ModuleNotFoundError as error:
        raise ReassessError(f"world {kind!r} has no module reassess.worlds.{kind}.world") from error
    world: AnyWorld = module.WORLD(config)
    return world
