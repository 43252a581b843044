"""The limit of a computation: its own matrix products, and nothing else.

They are recorded while it runs, forward and backward, and then done again on random matrices of the
same shapes and strides, each into the same memory. Attention's fused products and everything else
that is done to an element are left out: what is left is the least that this way to compute it
takes. A way with fewer or smaller products would have a lower limit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from reassess.bench.common import seconds_of

Layout: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]  # shape and strides of a matrix
Product: TypeAlias = tuple[Layout, Layout]
NAMES = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # place of the first factor in the arguments


class Recorder(TorchDispatchMode):  # type: ignore[misc]  # torch does not type it
    """Counts the matrix products that are done while it is entered."""

    def __init__(self) -> None:
        """Count from nothing."""
        super().__init__()
        self.products: Counter[Product] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Count a product; any operation is done as without this."""
        first = NAMES.get(func.overloadpacket.__name__)
        if first is not None:
            factors = args[first : first + 2]
            self.products[_layout(factors[0]), _layout(factors[1])] += 1
        return func(*args, **(kwargs or {}))


def _layout(matrix: Tensor) -> Layout:
    return tuple(matrix.shape), tuple(matrix.stride())


def products_of(act: Callable[[], object]) -> Callable[[], float]:
    """Run `act` once; return what does its matrix products alone, and the seconds that it takes."""
    with Recorder() as recorder:
        act()
    jobs = [
        (_random(first), _random(second), times)
        for (first, second), times in recorder.products.items()
    ]
    return lambda: seconds_of(lambda: _multiply(jobs))


def _multiply(jobs: list[tuple[Tensor, Tensor, int]]) -> None:
    with torch.no_grad():
        for first, second, times in jobs:
            product = first @ second
            for _ in range(times - 1):
                torch.matmul(first, second, out=product)


def _random(layout: Layout) -> Tensor:
    shape, strides = layout
    if math.prod(shape) and 0 in strides:  # one that is broadcast
        return torch.randn(shape)
    return torch.empty_strided(shape, strides).normal_()
