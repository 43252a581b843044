"""Attention made of the products of `portable_products`: torch's kernel calls MKL for each of them.

The backward pass computes the probabilities again, as torch's does. A single query for each row, as
in decoding, is left to torch's kernel: its products are small, and it is one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reassess.core.portable_products import Kernel, multiply, product, suit, view


def _probabilities(
    query: Tensor, key: Tensor, is_causal: bool, mask: Tensor | None, scale: float
) -> Tensor:
    """Where each query looks, (B, H, Q, K); nowhere, if it is shown nothing.

    Args:
        query: (B, H, Q, D).
        key: (B, H, K, D).
        is_causal: whether the first query is shown the first key, the second two, and so on.
        mask: added to the scores, (1 or B, 1 or H, Q, K).
        scale: of the scores.
    """
    scores = product(query, key.transpose(-1, -2))
    if mask is None:
        scores.mul_(scale)
    else:
        torch.add(mask, scores, alpha=scale, out=scores)
    if is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu_(1)
        scores.masked_fill_(later, -math.inf)
    probabilities = torch.softmax(scores, dim=-1)
    # The probabilities of a query that is shown nothing are all NaN: the first one tells.
    if mask is not None and np.isnan(view(probabilities)[..., 0]).any():
        blind = mask.amax(dim=-1, keepdim=True) == -math.inf
        probabilities.masked_fill_(blind, 0)
    return probabilities


def _attendable(
    query: Tensor, key: Tensor, value: Tensor, dropout_p: float, mask: Tensor | None
) -> bool:
    """Whether the kernels below compute it: several queries, heads as of keys, no dropout."""
    heads = query.shape[:2]
    return (
        suit(query, key, value)
        and (mask is None or mask.dtype is query.dtype)
        and not dropout_p
        and bool(heads == key.shape[:2] == value.shape[:2])
        and query.shape[2] > 1
        and min(*query.shape, key.shape[2]) > 0
    )


def _factor(query: Tensor, scale: float | None) -> float:
    factor: float = query.shape[-1] ** -0.5 if scale is None else scale
    return factor


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
        probabilities = _probabilities(query, key, is_causal, attn_mask, _factor(query, scale))
        batch, heads, rows, _ = query.shape
        # As torch lays it out: what comes next wants the heads of a token together.
        out = query.new_empty((batch, rows, heads, value.shape[-1])).transpose(1, 2)
        # The backward pass computes the probabilities again: nobody reads their normalisers.
        normalisers = query.new_full((batch, rows, heads), math.nan).transpose(1, 2)
        return multiply(probabilities, value, out), normalisers

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
        factor = _factor(query, scale)
        probabilities = _probabilities(query, key, is_causal, attn_mask, factor)
        of_value = product(probabilities.transpose(-1, -2), gradient)
        of_probabilities = product(gradient, value.transpose(-1, -2))
        of_scores = torch._softmax_backward_data(of_probabilities, probabilities, -1, query.dtype)
        of_scores = of_scores.mul_(factor)
        of_query = product(of_scores, key)
        of_key = product(of_scores.transpose(-1, -2), query)
        return of_query, of_key, of_value

    return attention_backward


KERNELS: dict[str, Callable[[Kernel], Kernel]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _attention_backward,
}
