"""Cells and arms: the rows of a grid, and the configured methods they belong to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from reassess.config.names import is_name
from reassess.core.errors import ReassessError
from reassess.methods import Method
from reassess.training.settings import MethodSettings


@dataclass(frozen=True, order=True)
class Cell:
    """One row of the grid. `distribution` and `size` are None for arms that train nothing."""

    model: str
    distribution: str | None
    size: int | None
    arm: str
    seed: int

    @property
    def id(self) -> str:
        """The cell's name, and its folder below `cells/`."""
        axes = [self.model]
        if self.distribution is not None:
            axes += [self.distribution, str(self.size)]
        return "/".join([*axes, self.arm, f"seed{self.seed}"])

    @classmethod
    def of_id(cls, cell_id: str) -> Cell:
        """The cell whose id this is. Names have no slash, so that an id is read in one way only.

        Raises:
            ReassessError: it is no cell's id.
        """
        parts = cell_id.split("/")
        try:
            model, *axes, arm, last = parts
            distribution, size = axes or (None, None)
            seed = int(last.removeprefix("seed"))
            cell = cls(model, distribution, None if size is None else int(size), arm, seed)
        except ValueError as error:
            raise ReassessError(f"{cell_id!r} is no cell's id") from error
        possible = cell.seed >= 0 and (cell.size is None or cell.size > 0)
        if cell.id != cell_id or not possible or not all(map(is_name, parts)):
            raise ReassessError(f"{cell_id!r} is no cell's id")
        return cell

    def of_arm(self, arm: str) -> Cell:
        """The cell of another arm with the same model, rows and seed."""
        return replace(self, arm=arm)


@dataclass(frozen=True, order=True)
class Base:
    """A base checkpoint: one of the replicates of a model, each trained from its own seed."""

    model: str
    replicate: int = 1

    @property
    def name(self) -> str:
        """The model's name; of a further replicate `MODEL@K`, which no model can be called."""
        return self.model if self.replicate == 1 else f"{self.model}@{self.replicate}"

    @classmethod
    def of_name(cls, name: str) -> Base:
        """The base whose name this is.

        Raises:
            ReassessError: it is no base's name.
        """
        model, _, number = name.partition("@")
        base = cls(model, int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 1)
        if base.name != name or base.replicate < 1 or not is_name(model):
            raise ReassessError(f"{name!r} is no base's name: MODEL, or MODEL@K for replicate K")
        return base


def replicate_of(seed: int, bases: int) -> int:
    """The replicate, from 1 on, that runs of a seed start from; of the seed alone.

    So a cell is the same whichever other seeds a grid has, and grids of other seeds can be merged.
    """
    return (seed - 1) % bases + 1


@dataclass(frozen=True)
class Arm:
    """A configured method."""

    name: str
    method: type[Method]
    settings: MethodSettings

    def build(self) -> Method:
        """Return the method with this arm's settings."""
        return self.method(self.settings)

    @property
    def start(self) -> str | None:
        """The arm it starts from; None for the base model."""
        start = getattr(self.settings, "start", "base")
        return None if start == "base" else str(start)
