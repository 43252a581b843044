"""Cells and arms: the rows of a grid, and the configured methods they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace

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

    def of_arm(self, arm: str) -> Cell:
        """The cell of another arm with the same model, rows and seed."""
        return replace(self, arm=arm)


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
