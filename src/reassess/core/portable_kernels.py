"""Kernels of torch on a CPU whose choice no setting takes away, replaced for `portable` numerics.

- Matrix products in float32 and float64, and attention, which is made of them: by numpy's OpenBLAS,
  whose kernels `OPENBLAS_CORETYPE` chooses. torch's own go to MKL, of whose kernels only the
  slowest agree across vendors.
- Square roots: by numpy, correctly rounded. MKL's start from the processor's approximate reciprocal
  root, which differs between vendors.

Other types, layouts and devices keep torch's kernel. A test compares each kernel with the one that
it replaces.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

# The first argument of a kernel is torch's set of dispatch keys, which the original needs.
Kernel = Callable[..., Any]

DTYPES = (torch.float32, torch.float64)
ORIGINALS: dict[str, Kernel] = {}  # torch's kernels that were replaced, by name
_registered: list[object] = []  # the library, which undoes its registrations when it is deleted


def register() -> None:
    """Replace the kernels in this process, once; they stay replaced."""
    if _registered:
        return
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():  # torch warns of what is meant here
        warnings.filterwarnings("ignore", message="(?s).*[Oo]verrid")
        for name, make in KERNELS.items():
            ORIGINALS[name] = torch.library.get_kernel(f"aten::{name}", "CPU").call_boxed
            library.impl(name, make(ORIGINALS[name]), "CPU", with_keyset=True)
    _registered.append(library)


def _suit(*tensors: Tensor) -> bool:
    """Whether numpy can compute with tensors in place."""
    dtype = tensors[0].dtype
    if dtype not in DTYPES:
        return False
    for one in tensors:
        if one.dtype is not dtype or one.layout is not torch.strided or not one.is_cpu:
            return False
    return True


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """(..., M, K) by (..., K, N) into (..., M, N)."""
    # numpy hands to OpenBLAS what is contiguous along rows or columns.
    if 1 not in left.stride()[-2:]:
        left = left.contiguous()
    if 1 not in right.stride()[-2:]:
        right = right.contiguous()
    np.matmul(left.detach().numpy(), right.detach().numpy(), out=out.detach().numpy())
    return out


def _shape(left: Tensor, right: Tensor) -> tuple[int, ...]:
    """The shape of a product of matrices, or of as many matrices as the other has."""
    shape = (*left.shape[:-1], right.shape[-1])
    if left.shape[-1] != right.shape[-2] or left.shape[:-2] != right.shape[:-2]:
        raise RuntimeError(
            f"matrices of shapes {tuple(left.shape)} and {tuple(right.shape)} cannot be multiplied"
        )
    return shape


def _product(left: Tensor, right: Tensor) -> Tensor:
    return _multiply(left, right, torch.empty(_shape(left, right), dtype=left.dtype))


# --- products -------------------------------------------------------------------------------------


def _mm(original: Kernel) -> Kernel:
    """Of `mm` and `bmm`."""

    def mm(keys: object, left: Tensor, right: Tensor) -> Tensor:
        return _product(left, right) if _suit(left, right) else original(keys, left, right)

    return mm


def _mm_out(original: Kernel) -> Kernel:
    def mm(keys: object, left: Tensor, right: Tensor, *, out: Tensor) -> Tensor:
        if not _suit(left, right, out) or out.shape != _shape(left, right):
            return original(keys, left, right, out=out)
        return _multiply(left, right, out)

    return mm


def _sum_of(added: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """`beta` times what is added, which may be infinite where `beta` is 0, and the product."""
    if alpha != 1:
        product.mul_(alpha)
    return product.add_(added, alpha=beta) if beta else product


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
        if not _suit(added, left, right):
            return original(keys, added, left, right, beta=beta, alpha=alpha)
        return _sum_of(added, _product(left, right), beta, alpha)

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
        if not _suit(added, left, right, out) or out.shape != _shape(left, right):
            return original(keys, added, left, right, beta=beta, alpha=alpha, out=out)
        return out.copy_(_sum_of(added, _product(left, right), beta, alpha))

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
        if not _suit(added, left, right) or added.shape != _shape(left, right):
            return original(keys, added, left, right, beta=beta, alpha=alpha)
        return added.copy_(_sum_of(added, _product(left, right), beta, alpha))

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
        if not _suit(added, matrix, vector, out) or out.shape != matrix.shape[:1]:
            return original(keys, added, matrix, vector, beta=beta, alpha=alpha, out=out)
        product = _product(matrix, vector[:, None])[:, 0]
        return out.copy_(_sum_of(added, product, beta, alpha))

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
        if not _suit(added, matrix, vector):
            return original(keys, added, matrix, vector, beta=beta, alpha=alpha)
        return _sum_of(added, _product(matrix, vector[:, None])[:, 0], beta, alpha)

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
        if not _suit(added, matrix, vector) or added.shape != matrix.shape[:1]:
            return original(keys, added, matrix, vector, beta=beta, alpha=alpha)
        product = _product(matrix, vector[:, None])[:, 0]
        return added.copy_(_sum_of(added, product, beta, alpha))

    return addmv


def _dot(original: Kernel) -> Kernel:
    """Of `dot` and `vdot`, which are the same for real numbers."""

    def dot(keys: object, left: Tensor, right: Tensor) -> Tensor:
        if not _suit(left, right) or left.shape != right.shape or left.ndim != 1:
            return original(keys, left, right)
        return _product(left[None], right[:, None]).reshape(())

    return dot


# --- attention ------------------------------------------------------------------------------------


def _probabilities(query: Tensor, key: Tensor, is_causal: bool, mask: Tensor | None) -> Tensor:
    """Where each query looks, (B, H, Q, K); nowhere, if it is shown nothing.

    Args:
        query: (B, H, Q, D), scaled.
        key: (B, H, K, D).
        is_causal: whether the first query is shown the first key, the second two, and so on.
        mask: added to the scores, (1 or B, 1 or H, Q, K).
    """
    scores = _product(query, key.transpose(-1, -2))
    if is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu_(1)
        scores.masked_fill_(later, -math.inf)
    if mask is None:
        return torch.softmax(scores, dim=-1)
    scores.add_(mask)
    blind = mask.amax(dim=-1, keepdim=True) == -math.inf
    probabilities = torch.softmax(scores, dim=-1)
    return probabilities.masked_fill_(blind, 0) if bool(blind.any()) else probabilities


def _attendable(
    query: Tensor, key: Tensor, value: Tensor, dropout_p: float, mask: Tensor | None
) -> bool:
    """Whether the kernels below compute an attention: same heads throughout, no dropout."""
    given = (query, key, value) if mask is None else (query, key, value, mask)
    return _suit(*given) and not dropout_p and query.shape[:2] == key.shape[:2] == value.shape[:2]


def _scaled(query: Tensor, scale: float | None) -> tuple[Tensor, float]:
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    return query * factor, factor


def _attention(original: Kernel) -> Kernel:
    def attention(
        keys: object,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        attn_mask: Tensor | None = None,
        scale: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        if not _attendable(query, key, value, dropout_p, attn_mask):
            given = (query, key, value, dropout_p, is_causal)
            parts: tuple[Tensor, Tensor] = original(keys, *given, attn_mask=attn_mask, scale=scale)
            return parts
        probabilities = _probabilities(_scaled(query, scale)[0], key, is_causal, attn_mask)
        batch, heads, rows, _ = query.shape
        # As torch lays it out: what comes next wants the heads of a token together.
        out = query.new_empty((batch, rows, heads, value.shape[-1])).transpose(1, 2)
        # The backward pass computes the probabilities again: nobody reads their normalisers.
        normalisers = query.new_full((batch, rows, heads), math.nan).transpose(1, 2)
        return _multiply(probabilities, value, out), normalisers

    return attention


def _attention_backward(original: Kernel) -> Kernel:
    def attention_backward(
        keys: object,
        gradient: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        out: Tensor,
        logsumexp: Tensor,
        dropout_p: float,
        is_causal: bool,
        *,
        attn_mask: Tensor | None = None,
        scale: float | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        if not _attendable(query, key, value, dropout_p, attn_mask):
            given = (gradient, query, key, value, out, logsumexp, dropout_p, is_causal)
            parts: tuple[Tensor, Tensor, Tensor] = original(
                keys, *given, attn_mask=attn_mask, scale=scale
            )
            return parts
        scaled, factor = _scaled(query, scale)
        probabilities = _probabilities(scaled, key, is_causal, attn_mask)
        of_value = _product(probabilities.transpose(-1, -2), gradient)
        of_probabilities = _product(gradient, value.transpose(-1, -2))
        of_scores = torch._softmax_backward_data(of_probabilities, probabilities, -1, query.dtype)
        of_query = _product(of_scores, key).mul_(factor)
        of_key = _product(of_scores.transpose(-1, -2), scaled)
        return of_query, of_key, of_value

    return attention_backward


# --- square roots ---------------------------------------------------------------------------------


def _sqrt(original: Kernel) -> Kernel:
    def sqrt(keys: object, given: Tensor) -> Tensor:
        if not _suit(given):
            return original(keys, given)
        return _root(given, torch.empty_like(given))

    return sqrt


def _sqrt_out(original: Kernel) -> Kernel:
    def sqrt(keys: object, given: Tensor, *, out: Tensor) -> Tensor:
        if not _suit(given, out) or out.shape != given.shape:
            return original(keys, given, out=out)
        return _root(given, out)

    return sqrt


def _sqrt_in_place(original: Kernel) -> Kernel:
    def sqrt(keys: object, given: Tensor) -> Tensor:
        return _root(given, given) if _suit(given) else original(keys, given)

    return sqrt


def _root(given: Tensor, out: Tensor) -> Tensor:
    with np.errstate(invalid="ignore"):  # of a negative number: NaN, as torch has it
        np.sqrt(given.detach().numpy(), out=out.detach().numpy())
    return out


KERNELS: dict[str, Callable[[Kernel], Kernel]] = {
    "mm": _mm,
    "mm.out": _mm_out,
    "bmm": _mm,
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
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _attention_backward,
    "sqrt": _sqrt,
    "sqrt.out": _sqrt_out,
    "sqrt_": _sqrt_in_place,
}
