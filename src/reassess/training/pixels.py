"""The images of preprocessed rows: kept as tensors if small, else processed for each batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reassess.core.errors import ReassessError
from reassess.data.items import WithImage
from reassess.data.pool import decode_image

if TYPE_CHECKING:
    from transformers import BaseImageProcessor

GRID = "image_grid_thw"
PIXELS = "pixel_values"
Inputs = dict[str, Tensor]


class Images(ABC):
    """One image or none per row. A batch concatenates vision inputs along dimension 0."""

    @abstractmethod
    def has(self, index: int) -> bool:
        """Whether the row has an image."""

    @abstractmethod
    def inputs(self, index: int) -> Inputs:
        """The vision inputs of a row that has an image."""

    @abstractmethod
    def grid(self, index: int) -> Tensor | None:
        """The grid of patches (1, 3) as time, height, width; None in families without one."""

    @abstractmethod
    def patches(self, index: int) -> int:
        """The number of patches that the tower sees of the row's image; 0 without one."""

    @abstractmethod
    def select(self, indices: Sequence[int]) -> Images:
        """The images of these rows, in this order."""

    def batch(self, indices: Sequence[int]) -> Inputs:
        """The vision inputs of these rows, concatenated; empty if none has an image."""
        inputs = [self.inputs(index) for index in indices if self.has(index)]
        if not inputs:
            return {}
        return {name: torch.cat([row[name] for row in inputs]) for name in inputs[0]}

    def grids(self, indices: Sequence[int]) -> Tensor | None:
        """The grids of these rows, (N, 3); None without any image, or in families without grids."""
        grids = [grid for index in indices if (grid := self.grid(index)) is not None]
        return torch.cat(grids) if grids else None


@dataclass
class StoredImages(Images):
    """Vision inputs in memory.

    Attributes:
        stored: by row; None for a row without an image.
        side: width of a patch in pixels, for families whose pixel values are not cut into patches.
    """

    stored: list[Inputs | None]
    side: int = 16

    def has(self, index: int) -> bool:
        """Whether the row has an image."""
        return self.stored[index] is not None

    def inputs(self, index: int) -> Inputs:
        """The vision inputs of a row that has an image."""
        inputs = self.stored[index]
        assert inputs is not None
        return inputs

    def grid(self, index: int) -> Tensor | None:
        """The grid that is among the inputs."""
        return (self.stored[index] or {}).get(GRID)

    def patches(self, index: int) -> int:
        """The product of the grid, or the image's area in patches."""
        inputs = self.stored[index]
        if inputs is None:
            return 0
        if GRID in inputs:
            return int(inputs[GRID].prod())
        height, width = inputs[PIXELS].shape[-2:]
        return int((height // self.side) * (width // self.side))

    def select(self, indices: Sequence[int]) -> StoredImages:
        """The images of these rows, in this order."""
        return StoredImages([self.stored[index] for index in indices], self.side)


@dataclass
class LazyImages(Images):
    """Images that are decoded and processed each time a batch needs them; only grids are kept.

    Attributes:
        items: pool items.
        grid_of: the grid of each row's image, (1, 3); None for a row without one.
        process: the image processor.
    """

    items: Sequence[WithImage]
    grid_of: list[Tensor | None]
    process: BaseImageProcessor

    def has(self, index: int) -> bool:
        """Whether the row has an image."""
        return self.grid_of[index] is not None

    def inputs(self, index: int) -> Inputs:
        """Decode and process the row's image.

        Raises:
            ReassessError: it does not decode, or its grid differs from the preprocessed row's.
        """
        output = self.process(images=[decode_image(self.items[index])], return_tensors="pt")
        expected = self.grid_of[index]
        if expected is None or not torch.equal(output[GRID], expected):
            raise ReassessError(
                f"item {self.items[index].id}: its image has the grid {output[GRID].tolist()}, its "
                f"preprocessed row {expected.tolist() if expected is not None else None}: two "
                "pixel budgets; preprocess the rows again"
            )
        return {PIXELS: output[PIXELS], GRID: output[GRID]}

    def grid(self, index: int) -> Tensor | None:
        """The grid that the image had when the row was preprocessed."""
        return self.grid_of[index]

    def patches(self, index: int) -> int:
        """The product of the grid."""
        grid = self.grid_of[index]
        return 0 if grid is None else int(grid.prod())

    def select(self, indices: Sequence[int]) -> LazyImages:
        """The images of these rows, in this order."""
        return LazyImages(
            [self.items[index] for index in indices],
            [self.grid_of[index] for index in indices],
            self.process,
        )
