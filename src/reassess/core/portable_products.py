"""Matrix products by numpy's OpenBLAS (`portable_kernels` has the reason).

torch calls a kernel with what its dispatcher has found to be dense and on the CPU: only types and
shapes are looked at here. What does not fit goes to torch's kernel, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# The first argument of a kernel is torch's set of dispatch keys, which the original needs.
Kernel: TypeAlias = Callable[..., Any]
SINGLE = torch.float32
SUITABLE = (SINGLE, torch.float64)


def suit(first: Tensor, *others: Tensor) -> bool:
    """Whether numpy computes with tensors of these types."""
    dtype = first.dtype
    if dtype not in SUITABLE:
        return False
    for one in others:  # noqa: SIM110 - it is done at every product, and this takes half the time
        if one.dtype is not dtype:
            return False
    return True


class _Exported:
    """A tensor as numpy takes it in by DLPack."""

    __slots__ = ("_tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __dlpack__(self, **_: Any) -> Any:
        return torch._C._to_dlpack_versioned(self._tensor)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # kDLCPU


def view(tensor: Tensor) -> NDArray[Any]:
    """A tensor's memory as an array.

    Not by `Tensor.numpy`: memory that has been given out so can never be freed again by those who
    free that of a living tensor, as sharded training does.
    """
    array: NDArray[Any] = np.from_dlpack(_Exported(tensor))
    return array


def multiply(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """(..., M, K) by (..., K, N) into (..., M, N)."""
    # numpy hands to OpenBLAS what is contiguous along rows or columns.
    if 1 not in left.stride()[-2:]:
        left = left.contiguous()
    if 1 not in right.stride()[-2:]:
        right = right.contiguous()
    np.matmul(view(left), view(right), out=view(out))
    return out


def product(left: Tensor, right: Tensor) -> Tensor:
    """(..., M, K) by (..., K, N), as many matrices each."""
    shape = (*left.shape[:-1], right.shape[-1])
    return multiply(left, right, torch.empty(shape, dtype=left.dtype))


def fit(left: Tensor, right: Tensor, *others: Tensor) -> bool:
    """Whether matrices, or as many matrices each, can be multiplied here."""
    one, other = left.shape, right.shape
    fits: bool = one[-1] == other[-2] and one[:-2] == other[:-2] and len(one) == len(other)
    return fits and suit(left, right, *others)


def _is_result(out: Tensor, left: Tensor, right: Tensor) -> bool:
    due: bool = out.shape == (*left.shape[:-1], right.shape[-1])
    return due


def _mm(original: Kernel) -> Kernel:
    """Of `mm`: most calls of a small model's decoding, so without the generality of `product`."""

    def mm(keys: object, left: Tensor, right: Tensor) -> Tensor:
        (rows, inner), (due, columns) = left.shape, right.shape
        if left.dtype is not SINGLE or right.dtype is not SINGLE or inner != due:
            return product(left, right) if fit(left, right) else original(keys, left, right)
        if 1 not in left.stride() or 1 not in right.stride():
            return product(left, right)
        out = torch.empty((rows, columns), dtype=SINGLE)
        np.matmul(view(left), view(right), view(out))
        return out

    return mm


def _bmm(original: Kernel) -> Kernel:
    def bmm(keys: object, left: Tensor, right: Tensor) -> Tensor:
        return product(left, right) if fit(left, right) else original(keys, left, right)

    return bmm


def _mm_out(original: Kernel) -> Kernel:
    def mm(keys: object, left: Tensor, right: Tensor, *, out: Tensor) -> Tensor:
        if not fit(left, right, out) or not _is_result(out, left, right):
            return original(keys, left, right, out=out)
        return multiply(left, right, out)

    return mm


def _sum_of(added: Tensor, made: Tensor, beta: float, alpha: float) -> Tensor:
    """`beta` times what is added, which may be infinite where `beta` is 0, and the product."""
    if alpha != 1:
        made.mul_(alpha)
    return made.add_(added, alpha=beta) if beta else made


def _addmm(original: Kernel) -> Kernel:
    """Of `addmm` and `baddbmm`."""

    def addmm(
        keys: object,
        added: Tensor,
        left: Tensor,
        right: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
    ) -> Tensor:
        if not fit(left, right, added):
            return original(keys, added, left, right, beta=beta, alpha=alpha)
        return _sum_of(added, product(left, right), beta, alpha)

    return addmm


def _addmm_out(original: Kernel) -> Kernel:
    def addmm(
        keys: object,
        added: Tensor,
        left: Tensor,
        right: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
        out: Tensor,
    ) -> Tensor:
        if not fit(left, right, added, out) or not _is_result(out, left, right):
            return original(keys, added, left, right, beta=beta, alpha=alpha, out=out)
        return out.copy_(_sum_of(added, product(left, right), beta, alpha))

    return addmm


def _addmm_in_place(original: Kernel) -> Kernel:
    def addmm(
        keys: object,
        added: Tensor,
        left: Tensor,
        right: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
    ) -> Tensor:
        if not fit(left, right, added) or not _is_result(added, left, right):
            return original(keys, added, left, right, beta=beta, alpha=alpha)
        return added.copy_(_sum_of(added, product(left, right), beta, alpha))

    return addmm


def _addmv_out(original: Kernel) -> Kernel:
    def addmv(
        keys: object,
        added: Tensor,
        matrix: Tensor,
        vector: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
        out: Tensor,
    ) -> Tensor:
        if not suit(added, matrix, vector, out) or out.shape != matrix.shape[:1]:
            return original(keys, added, matrix, vector, beta=beta, alpha=alpha, out=out)
        made = product(matrix, vector[:, None])[:, 0]
        return out.copy_(_sum_of(added, made, beta, alpha))

    return addmv


def _addmv(original: Kernel) -> Kernel:
    """Of `addmv` and `addmv_`; `mv` calls the second."""

    def addmv(
        keys: object,
        added: Tensor,
        matrix: Tensor,
        vector: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
    ) -> Tensor:
        if not suit(added, matrix, vector):
            return original(keys, added, matrix, vector, beta=beta, alpha=alpha)
        return _sum_of(added, product(matrix, vector[:, None])[:, 0], beta, alpha)

    return addmv


def _addmv_in_place(original: Kernel) -> Kernel:
    def addmv(
        keys: object,
        added: Tensor,
        matrix: Tensor,
        vector: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
    ) -> Tensor:
        if not suit(added, matrix, vector) or added.shape != matrix.shape[:1]:
            return original(keys, added, matrix, vector, beta=beta, alpha=alpha)
        made = product(matrix, vector[:, None])[:, 0]
        return added.copy_(_sum_of(added, made, beta, alpha))

    return addmv


def _dot(original: Kernel) -> Kernel:
    """Of `dot` and `vdot`, which are the same for real numbers."""

    def dot(keys: object, left: Tensor, right: Tensor) -> Tensor:
        if not suit(left, right) or left.shape != right.shape or left.ndim != 1:
            return original(keys, left, right)
        return product(left[None], right[:, None]).reshape(())

    return dot


KERNELS: dict[str, Callable[[Kernel], Kernel]] = {
    "mm": _mm,
    "mm.out": _mm_out,
    "bmm": _bmm,
    "bmm.out": _mm_out,
    "addmm": _addmm,
    "addmm.out": _addmm_out,
    "addmm_": _addmm_in_place,
    "baddbmm": _addmm,
    "baddbmm.out": _addmm_out,
    "baddbmm_": _addmm_in_place,
    "addmv": _addmv,
    "addmv.out": _addmv_out,
    "addmv_": _addmv_in_place,
    "dot": _dot,
    "vdot": _dot,
}
