"""Encoding each distinct image of a batch once, however many rows show it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import Tensor

from reassess.core.compat import repeating_image_features
from reassess.training.adapters import bare
from reassess.training.loading import Model


def encode_images_once(model: Model, which: Tensor) -> AbstractContextManager[None]:
    """Let the model encode distinct images only, and repeat their features for the rows.

    Inside the context the model is given the pixel values of the distinct images; `which` (R,)
    says for each image slot of the batch, in row order, which distinct image it shows.
    """
    return repeating_image_features(bare(model).base_model, which.tolist())
