"""Kernels of torch on a CPU whose choice no setting takes away, replaced for `portable` numerics.

- Matrix products in float32 and float64, and attention, which is made of them: by numpy's OpenBLAS,
  whose kernels `OPENBLAS_CORETYPE` chooses. torch's own go to MKL, of whose kernels only the
  slowest agree across vendors.
- Square roots: by numpy, correctly rounded. MKL's start from the processor's approximate reciprocal
  root, which differs between vendors.

Other types keep torch's kernel, and other layouts and devices have kernels of their own. A test
compares each kernel with the one that it replaces.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reassess.core import portable_attention, portable_products
from reassess.core.portable_products import Kernel, suit, view

Maker = Callable[[Kernel], Kernel]  # makes a kernel that may call the one that it replaces

ORIGINALS: dict[str, Kernel] = {}  # torch's kernels that were replaced, by name
_registered: list[object] = []  # the library, which undoes its registrations when it is deleted


def in_place() -> bool:
    """Whether the kernels of this process have been replaced."""
    return bool(_registered)


def register() -> None:
    """Replace the kernels in this process, once; they stay replaced."""
    if in_place():
        return
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():  # torch warns of what is meant here
        warnings.filterwarnings("ignore", message="(?s).*[Oo]verrid")
        for name, make in KERNELS.items():
            ORIGINALS[name] = torch.library.get_kernel(f"aten::{name}", "CPU").call_boxed
            library.impl(name, make(ORIGINALS[name]), "CPU", with_keyset=True)
    _registered.append(library)


def _sqrt(original: Kernel) -> Kernel:
    def sqrt(keys: object, given: Tensor) -> Tensor:
        return _root(given, torch.empty_like(given)) if suit(given) else original(keys, given)

    return sqrt


def _sqrt_out(original: Kernel) -> Kernel:
    def sqrt(keys: object, given: Tensor, *, out: Tensor) -> Tensor:
        if not suit(given, out) or out.shape != given.shape:
            return original(keys, given, out=out)
        return _root(given, out)

    return sqrt


def _sqrt_in_place(original: Kernel) -> Kernel:
    def sqrt(keys: object, given: Tensor) -> Tensor:
        return _root(given, given) if suit(given) else original(keys, given)

    return sqrt


def _root(given: Tensor, out: Tensor) -> Tensor:
    with np.errstate(invalid="ignore"):  # of a negative number: NaN, as torch has it
        np.sqrt(view(given), out=view(out))
    return out


KERNELS: dict[str, Maker] = {
    **portable_products.KERNELS,
    **portable_attention.KERNELS,
    "sqrt": _sqrt,
    "sqrt.out": _sqrt_out,
    "sqrt_": _sqrt_in_place,
}
