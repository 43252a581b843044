"""The pictures of prepared rows: kept as tensors where they are small, or processed when a batch asks for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

GRID = "image_grid_thw"
PIXELS = "pixel_values"
Inputs = dict[str, Tensor]


class Images(ABC):
    """One picture or none a row. Inputs of the vision tower are concatenated in a batch along dimension 0."""

    @abstractmethod
    def has(self, index: int) -> bool:
        """Return whether the row has a picture."""

    @abstractmethod
    def inputs(self, index: int) -> Inputs:
        """Return the vision inputs of a row that has a picture."""

    @abstractmethod
    def grid(self, index: int) -> Tensor | None:
        """Return the picture's grid of patches (1, 3) as time, height, width; None in families without one."""

    @abstractmethod
    def patches(self, index: int) -> int:
        """Return how many patches the tower sees of the row's picture; 0 without one."""

    @abstractmethod
    def select(self, indices: Sequence[int]) -> Images:
        """Return the pictures of those rows, in that order."""

    def batch(self, indices: Sequence[int]) -> Inputs:
        """Return the vision inputs of those rows, concatenated; empty if none has a picture."""
        found = [self.inputs(index) for index in indices if self.has(index)]
        return {name: torch.cat([one[name] for one in found]) for name in found[0]} if found else {}

    def grids(self, indices: Sequence[int]) -> Tensor | None:
        """Return the grids of those rows' pictures, (N, 3); None in families without grids, or without any picture."""
        found = [grid for index in indices if (grid := self.grid(index)) is not None]
        return torch.cat(found) if found else None


@dataclass
class StoredImages(Images):
    """Vision inputs in memory. `side` is the width of a patch in pixels, for families whose pixels are not cut into patches."""

    stored: list[Inputs | None]
    side: int = 16

    def has(self, index: int) -> bool:
        """Return whether the row has a picture."""
        return self.stored[index] is not None

    def inputs(self, index: int) -> Inputs:
        """Return the vision inputs of a row that has a picture."""
        found = self.stored[index]
        assert found is not None
        return found

    def grid(self, index: int) -> Tensor | None:
        """Return the grid that is among the inputs."""
        return (self.stored[index] or {}).get(GRID)

    def patches(self, index: int) -> int:
        """Return the product of the grid, or the picture's area in patches."""
        found = self.stored[index]
        if found is None:
            return 0
        if GRID in found:
            return int(found[GRID].prod())
        height, width = found[PIXELS].shape[-2:]
        return int((height // self.side) * (width // self.side))

    def select(self, indices: Sequence[int]) -> StoredImages:
        """Return the pictures of those rows, in that order."""
        return StoredImages([self.stored[index] for index in indices], self.side)


@dataclass
class LazyImages(Images):
    """Images that are decoded and processed each time they are asked for; only their grids are kept.

    Attributes:
        items: pool items.
        grid_of: the grid of each row's picture, (1, 3); None for a row without one.
        process: the image processor.
        decode: function from an item to its picture.
    """

    items: Sequence[Any]
    grid_of: list[Tensor | None]
    process: Any
    decode: Callable[[Any], Any]

    def has(self, index: int) -> bool:
        """Return whether the row has a picture."""
        return self.grid_of[index] is not None

    def inputs(self, index: int) -> Inputs:
        """Decode and process the row's picture.

        Raises:
            ReassessError: it does not decode, or gives another grid than when the row was prepared.
        """
        from reassess.core.errors import ReassessError

        output = self.process(images=[self.decode(self.items[index])], return_tensors="pt")
        expected = self.grid_of[index]
        if expected is None or not torch.equal(output[GRID], expected):
            raise ReassessError(
                f"item {self.items[index].id}: its picture has the grid {output[GRID].tolist()} but was prepared with "
                f"{expected.tolist() if expected is not None else None}: two pixel budgets; prepare the rows again"
            )
        return {PIXELS: output[PIXELS], GRID: output[GRID]}

    def grid(self, index: int) -> Tensor | None:
        """Return the grid that was found when the row was prepared."""
        return self.grid_of[index]

    def patches(self, index: int) -> int:
        """Return the product of the grid."""
        grid = self.grid_of[index]
        return 0 if grid is None else int(grid.prod())

    def select(self, indices: Sequence[int]) -> LazyImages:
        """Return the pictures of those rows, in that order."""
        return LazyImages(
            [self.items[index] for index in indices],
            [self.grid_of[index] for index in indices],
            self.process,
            self.decode,
        )
