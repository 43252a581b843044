"""Changes made to other libraries. Every one of them is in this file, and `PATCHES` lists them.

An entry states the library, the versions the change was tested with, its reason, and what to check
before the bound is moved. `tests/unit/test_compat.py` fails when an installed version leaves its
bound, and when an attribute that is replaced is gone or is called in another way.

Every process of an environment imports this module (envs/zz_reassess_shim.pth), so it imports
little: no dataclasses, which alone would take 10 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers.modeling_outputs import BaseModelOutput


class Patch(NamedTuple):
    """One change made to another library."""

    library: str
    versions: str  # PEP 440 bound within which the change was tested
    changes: str  # what is replaced or added
    reason: str
    check: str  # what to do before the bound is moved


PATCHES = (
    Patch(
        library="torchvision",
        versions=">=0.28,<0.29",
        changes=(
            "declares two operators before torchvision is imported beside a CPU build of torch, if "
            "its own library does not load"
        ),
        reason=(
            "Some processors (Qwen's video processor among them) need torchvision, and not every "
            "registry has a CPU build of it that matches a CPU torch. The compiled operators of "
            "the ordinary wheel do not load there, and its Python layer stops at the first "
            "operator for which it registers a fake kernel. Declaring those operators is enough "
            "for the transforms, which are all that transformers uses; the operators themselves "
            "stay unusable. `envs/zz_reassess_shim.pth` brings the hook into every process of an "
            "environment, so that programs other than ours import transformers too."
        ),
        check=(
            "`register_fake` in torchvision/_meta_registrations.py names the operators of "
            "`TORCHVISION_OPERATORS` and no others; drop the hook once a CPU build is everywhere"
        ),
    ),
    Patch(
        library="accelerate",
        versions=">=1.15,<1.16",
        changes="replaces accelerate.utils.fsdp_utils._find_final_norm",
        reason=(
            "accelerate puts the final norm and the head into one FSDP group, but looks for the "
            "norm among the direct children of the base model; image-text models keep it one level "
            "deeper, in the language model, so that the head becomes a group of its own. TRL's "
            "fused loss reads the head's weight without calling its forward, so such a group is "
            "never gathered and its gradient stays that of one process: no reduction and no error. "
            "Embeddings tied to the head escape, since they are in its group and are called."
        ),
        check=(
            "`fsdp2_prepare_model` still calls the function with the model alone; drop the patch "
            "once accelerate finds the norm of a LLaVA (the last assertion of the patch's test)"
        ),
    ),
    Patch(
        library="transformers",
        versions=">=5.23,<5.24",
        changes="replaces the method get_image_features of one model instance while it is needed",
        reason=(
            "Rows of a batch that show the same image (the completions of a GRPO group) would have "
            "it encoded once each. transformers offers no way to pass image features, so the "
            "method that computes them encodes the distinct images and repeats their features."
        ),
        check=(
            "the inner models of `families` in the patch's test still call the method with "
            "`pixel_values` (and `image_grid_thw`), and its output still has one entry per image "
            "in `pooler_output` and, for Qwen3-VL, in each layer of `deepstack_features`"
        ),
    ),
)

TORCHVISION_OPERATORS = ("nms", "qnms")


class _BeforeTorchvision:
    """Declares the operators when torchvision is about to be imported; finds no module itself.

    Not derived from `importlib.abc.MetaPathFinder`, whose import takes 4 ms.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare_operators()
        return None


def _declare_operators() -> None:
    from importlib.util import find_spec
    from pathlib import Path

    import torch

    spec = find_spec("torchvision")
    if torch.version.cuda is not None or spec is None or spec.origin is None:
        return
    with suppress(OSError):  # what loads registers the operators itself; twice is an error
        torch.ops.load_library(Path(spec.origin).with_name("_C.so"))
        return
    for name in TORCHVISION_OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )


def install_torchvision_hook() -> None:
    """Patch torchvision when it is imported; imports nothing now, and may be called repeatedly."""
    if "torchvision" not in sys.modules and not any(
        isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _BeforeTorchvision())


def keep_head_with_norm() -> None:
    """Patch accelerate: the head of an image-text model shares an FSDP group with its last norm."""
    from accelerate.utils import fsdp_utils

    fsdp_utils._find_final_norm = final_norm


def final_norm(model: nn.Module) -> nn.Module | None:
    """The last norm among the direct children of the language model; None if it has none."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    norms = [child for child in decoder.children() if "Norm" in type(child).__name__]
    return norms[-1] if norms else None


@contextmanager
def repeating_image_features(inner: nn.Module, slots: Sequence[int]) -> Iterator[None]:
    """Patch a model of transformers: it encodes distinct images and repeats their features.

    Gradients add up over the repeats, so the result is that of encoding every slot by itself.

    Args:
        inner: the model whose forward calls `get_image_features` (`.base_model` of the whole).
        slots: for each image slot of the batch, in row order, which distinct image it shows.
            Inside the context the model is given the pixel values of the distinct images only,
            but `image_grid_thw` of every slot.
    """
    encode = inner.get_image_features

    def encode_distinct(
        pixel_values: Tensor, image_grid_thw: Tensor | None = None, **kwargs: object
    ) -> BaseModelOutput:
        if image_grid_thw is not None:
            first_shown = [slots.index(image) for image in range(max(slots) + 1)]
            kwargs["image_grid_thw"] = image_grid_thw[first_shown]
        output = encode(pixel_values=pixel_values, **kwargs)
        output.pooler_output = _repeat(output.pooler_output, slots)
        if getattr(output, "deepstack_features", None) is not None:
            output.deepstack_features = [
                _repeat(layer, slots) for layer in output.deepstack_features
            ]
        return output

    inner.get_image_features = encode_distinct
    try:
        yield
    finally:
        del inner.get_image_features


def _repeat(features: Sequence[Tensor], slots: Sequence[int]) -> tuple[Tensor, ...]:
    return tuple(features[image] for image in slots)
