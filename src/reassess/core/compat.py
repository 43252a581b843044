"""Lets torchvision's Python layer be imported beside a CPU build of torch.

Some processors (Qwen's video processor among them) need torchvision, of which there is no CPU build to match a CPU torch in every
registry. The ordinary wheel's compiled operators do not load there, and its Python layer stops at the first operator it wants
to describe. Declaring the two operators it describes is enough for the transforms, which are all that transformers uses;
the operators themselves stay unusable. Where torch is a CUDA build, nothing is done.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

DESCRIBED_OPERATORS = ("nms", "qnms")


class _BeforeTorchvision(MetaPathFinder):
    """Declares the operators when torchvision is about to be imported; finds nothing itself."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare_operators()
        return None


def _declare_operators() -> None:
    import torch

    if torch.version.cuda is not None:
        return
    for name in DESCRIBED_OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )


def install() -> None:
    """Arrange for the declaration; costs nothing until torchvision is imported. May be called more than once."""
    if "torchvision" not in sys.modules and not any(
        isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _BeforeTorchvision())
