"""Encoding each distinct picture of a batch once, however many rows show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from reassess.training.adapters import bare


@contextmanager
def encode_images_once(model: Any, which: Tensor) -> Iterator[None]:
    """Let the model encode distinct pictures only, and repeat their features for the rows that show them.

    Inside the context the model is given the pixel values of the distinct pictures; `which` (R,) says for each picture
    slot of the batch, in row order, which distinct picture it holds. Gradients add up over the repeats, so the result is
    that of encoding every slot by itself.
    """
    inner = bare(model).base_model
    encode = inner.get_image_features
    slots = which.tolist()

    def once(pixel_values: Tensor, image_grid_thw: Tensor | None = None, **kwargs: Any) -> Any:
        if image_grid_thw is not None:
            kwargs["image_grid_thw"] = image_grid_thw[
                [slots.index(number) for number in range(max(slots) + 1)]
            ]
        output = encode(pixel_values=pixel_values, **kwargs)
        output.pooler_output = _repeat(output.pooler_output, slots)
        if getattr(output, "deepstack_features", None) is not None:
            output.deepstack_features = [
                _repeat(layer, slots) for layer in output.deepstack_features
            ]
        return output

    inner.get_image_features = once
    try:
        yield
    finally:
        del inner.get_image_features


def _repeat(pictures: Sequence[Tensor], slots: list[int]) -> tuple[Tensor, ...]:
    return tuple(pictures[number] for number in slots)
