"""Each kernel of portable numerics against torch's own that it replaces, and against float64."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reassess.core import numerics, portable_kernels

pytestmark = pytest.mark.skipif(
    numerics.current() != "portable", reason="this processor has not the instructions"
)
KEYS = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
ATTEND = "_scaled_dot_product_flash_attention_for_cpu"
SIZES = st.integers(1, 40)


def original(name, *given, **options):
    """What torch's own kernel gives."""
    return portable_kernels.ORIGINALS[name](KEYS, *given, **options)


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def laid_out(matrix, layout):
    """The same numbers: by rows, by columns, or with gaps in both."""
    if layout == "columns":
        return matrix.mT.contiguous().mT
    if layout == "gaps":
        wide = torch.zeros(*matrix.shape[:-2], 2 * matrix.shape[-2], 3 * matrix.shape[-1])
        wide = wide.to(matrix.dtype)[..., ::2, ::3]
        return wide.copy_(matrix)
    return matrix


LAYOUTS = st.sampled_from(["rows", "columns", "gaps"])


@settings(max_examples=40)
@given(SIZES, SIZES, SIZES, LAYOUTS, LAYOUTS, st.sampled_from([torch.float32, torch.float64]))
def test_products(rows, inner, columns, left, right, dtype):
    a = laid_out(numbers(rows, inner, dtype=dtype), left)
    b = laid_out(numbers(inner, columns, seed=1, dtype=dtype), right)
    added, vector = numbers(rows, columns, seed=2, dtype=dtype), numbers(inner, dtype=dtype)
    bound = {"rtol": 0, "atol": 1e-4 if dtype == torch.float32 else 1e-12}
    torch.testing.assert_close(torch.mm(a, b), original("mm", a, b), **bound)
    out = torch.full((rows, columns), math.nan, dtype=dtype)
    assert torch.mm(a, b, out=out) is out and torch.equal(out, torch.mm(a, b))
    for options in ({}, {"beta": 0.5, "alpha": 2.0}):
        due = original("addmm", added, a, b, **options)
        torch.testing.assert_close(torch.addmm(added, a, b, **options), due, **bound)
        torch.testing.assert_close(added.clone().addmm_(a, b, **options), due, **bound)
        torch.testing.assert_close(torch.addmm(added, a, b, **options, out=out), due, **bound)
        start = added[:, 0]
        due = original("addmv", start, a, vector, **options)
        torch.testing.assert_close(torch.addmv(start, a, vector, **options), due, **bound)
        torch.testing.assert_close(start.clone().addmv_(a, vector, **options), due, **bound)
    torch.testing.assert_close(torch.mv(a, vector), (a @ vector[:, None])[:, 0], **bound)
    torch.testing.assert_close(
        torch.dot(vector, b[:, 0]), original("dot", vector, b[:, 0]), **bound
    )


@settings(max_examples=20)
@given(st.integers(1, 5), SIZES, SIZES, SIZES, LAYOUTS, LAYOUTS)
def test_batched_products(batch, rows, inner, columns, left, right):
    a = laid_out(numbers(batch, rows, inner), left)
    b = laid_out(numbers(batch, inner, columns, seed=1), right)
    added, bound = numbers(batch, rows, columns, seed=2), {"rtol": 0, "atol": 1e-4}
    torch.testing.assert_close(torch.bmm(a, b), original("bmm", a, b), **bound)
    out = torch.empty(batch, rows, columns)
    assert torch.equal(torch.bmm(a, b, out=out), torch.bmm(a, b))
    due = original("baddbmm", added, a, b, beta=0.5, alpha=2.0)
    for found in (
        torch.baddbmm(added, a, b, beta=0.5, alpha=2.0),
        added.clone().baddbmm_(a, b, beta=0.5, alpha=2.0),
        torch.baddbmm(added, a, b, beta=0.5, alpha=2.0, out=out),
    ):
        torch.testing.assert_close(found, due, **bound)


def test_products_of_nothing_and_with_what_is_not_added():
    assert torch.equal(torch.mm(torch.ones(3, 0), torch.ones(0, 4)), torch.zeros(3, 4))
    assert torch.mm(torch.ones(0, 3), torch.ones(3, 4)).shape == (0, 4)
    infinite = torch.full((3, 4), math.nan)
    found = torch.addmm(infinite, torch.ones(3, 2), torch.ones(2, 4), beta=0)
    assert torch.equal(found, torch.full((3, 4), 2.0))
    bias = torch.arange(4.0)
    assert torch.equal(
        torch.nn.functional.linear(torch.ones(3, 2), torch.ones(4, 2), bias)[0], 2 + bias
    )


@pytest.mark.parametrize("dtype", [torch.int64, torch.bfloat16, torch.complex64])
def test_other_types_keep_the_kernel_of_torch(dtype):
    a, b = (torch.ones(3, 4, dtype=dtype), torch.ones(4, 5, dtype=dtype))
    assert torch.equal(torch.mm(a, b), original("mm", a, b)) and torch.mm(a, b).dtype == dtype


@pytest.mark.parametrize("call", [torch.mm, lambda a, b: torch.bmm(a[None], b[None])])
def test_shapes_that_do_not_fit_are_an_error(call):
    with pytest.raises(RuntimeError):
        call(torch.ones(3, 4), torch.ones(3, 4))


def test_memory_stays_that_of_torch():
    """Sharded training frees the memory of tensors that live on."""
    a, b, out = numbers(8, 8), numbers(8, 8, seed=1), torch.empty(8, 8)
    for tensor in (torch.mm(a, b), torch.mm(a, b, out=out), torch.sqrt(a), a, b):
        tensor.untyped_storage().resize_(0)


def test_gradients_of_a_product():
    a, b = numbers(7, 5).requires_grad_(), numbers(5, 6, seed=1).requires_grad_()
    torch.mm(a, b).pow(2).sum().backward()
    due = 2 * (a.detach() @ b.detach())
    torch.testing.assert_close(a.grad, due @ b.detach().T)
    torch.testing.assert_close(b.grad, a.detach().T @ due)


# --- attention ------------------------------------------------------------------------------------


def mask_of(kind, batch, queries, keys):
    if kind == "none":
        return None
    mask = torch.zeros(batch, 1, queries, keys)
    mask[:, :, :, 0] = -math.inf  # nobody is shown the first key
    if kind == "blind":
        mask[0, :, 0] = -math.inf  # and the first query of the first row no key
    return mask


def by_formula(query, key, value, mask, causal, scale):
    """Attention in float64, as it is defined; a query that is shown nothing takes nothing."""
    scores = (
        query.double() @ key.double().mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    )
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    if mask is not None:
        blind = (mask == -math.inf).all(-1, keepdim=True)
        scores = scores + mask.masked_fill(blind, 0)
        return scores.softmax(-1).masked_fill(blind, 0) @ value.double()
    return scores.softmax(-1) @ value.double()


@pytest.mark.parametrize(
    ("queries", "keys", "causal", "scale", "mask"),
    [
        *product((57, 1), (57,), (False,), (None,), ("none", "first", "blind")),
        (20, 31, False, 0.3, "first"),
        (12, 12, True, None, "none"),
    ],
)
def test_attention_and_its_gradients(queries, keys, causal, scale, mask):
    lengths = (queries, keys, keys)
    given = [
        numbers(3, 2, length, 16, seed=seed).requires_grad_() for seed, length in enumerate(lengths)
    ]
    shown, gradient = mask_of(mask, 3, queries, keys), numbers(3, 2, queries, 16, seed=5)
    attend = torch.nn.functional.scaled_dot_product_attention
    out = attend(*given, attn_mask=shown, is_causal=causal, scale=scale)
    found = torch.autograd.grad(out, given, gradient)
    due = by_formula(*given, shown, causal, scale)
    torch.testing.assert_close(out.double(), due, rtol=0, atol=1e-5)
    expected = torch.autograd.grad(due, given, gradient.double())
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)
    own, sums = original(ATTEND, *given, 0.0, causal, attn_mask=shown, scale=scale)
    torch.testing.assert_close(out, own, rtol=0, atol=1e-5)
    theirs = original(
        f"{ATTEND}_backward", gradient, *given, own, sums, 0.0, causal, attn_mask=shown, scale=scale
    )
    for ours, one in zip(found, theirs, strict=True):
        torch.testing.assert_close(ours, one, rtol=0, atol=2e-5)


def test_attention_of_fewer_keys_than_heads_keeps_the_kernel_of_torch():
    query, key = numbers(1, 4, 5, 8), numbers(1, 2, 5, 8, seed=1)
    found = torch.nn.functional.scaled_dot_product_attention(query, key, key, enable_gqa=True)
    whole = key.repeat_interleave(2, dim=1)
    torch.testing.assert_close(found, by_formula(query, whole, whole, None, False, None).float())


# --- square roots ---------------------------------------------------------------------------------


def test_roots_are_correctly_rounded():
    given = numbers(1000).abs()
    due = torch.from_numpy(np.sqrt(given.double().numpy())).float()
    out = torch.empty(1000)
    assert torch.equal(torch.sqrt(given), due) and torch.equal(torch.sqrt(given, out=out), due)
    assert torch.equal(given.clone().sqrt_(), due)
    assert torch.equal(torch._foreach_sqrt([given])[0], due)
    torch.testing.assert_close(original("sqrt", given), due, rtol=2**-23, atol=0)
    assert torch.isnan(torch.sqrt(torch.tensor([-1.0]))).all()
    assert torch.equal(torch.sqrt(torch.tensor([4, 9])), torch.tensor([2.0, 3.0]))


def test_every_kernel_is_registered_and_has_the_arguments_of_torch():
    assert {*portable_kernels.ORIGINALS} == {*portable_kernels.KERNELS}
