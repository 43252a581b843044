"""What a process computes: hashes of some forty operations on fixed inputs.

Two processes with the same fingerprint compute alike, whatever their processors are called: equal
bits are due. Where fingerprints differ, the operations that differ are named. The shapes are those
of the micro world's models, forward and backward; the inputs are made of whole numbers by exact
arithmetic, so that they are the same everywhere.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, TypedDict

from reassess.core import numerics
from reassess.core.errors import ReassessError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

VERSION = 1  # raised when operations or inputs change: fingerprints of two versions do not compare
DIGITS = 12  # hexadecimal, of an operation's hash


class Fingerprint(TypedDict):
    """Hashes of what a process computes."""

    version: int
    hash: str  # of all operations
    operations: dict[str, str]  # by name


@cache
def fingerprint() -> Fingerprint:
    """The fingerprint of this process; it takes a tenth of a second, and imports torch.

    Raises:
        ReassessError: the process is to compute in `portable`, and does not.
    """
    import torch

    if numerics.current() == "portable":
        from reassess.core.portable_kernels import in_place

        if not in_place():
            raise ReassessError(
                "numerics: portable: torch was loaded without the kernels of this mode, which is a "
                "defect of reassess: please report how the job was started"
            )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        operations = {name: _digest(value) for name, value in _values()}
    return Fingerprint(version=VERSION, hash=hash_of(operations), operations=operations)


def hash_of(operations: Mapping[str, str]) -> str:
    """The hash of the hashes of all operations."""
    lines = "".join(f"{name} {operations[name]}\n" for name in sorted(operations))
    return hashlib.sha256(lines.encode()).hexdigest()


def differing(then: Fingerprint, now: Fingerprint) -> list[str] | None:
    """The operations that two fingerprints compute differently; None if they do not compare."""
    if then["version"] != now["version"]:
        return None
    before, after = then["operations"], now["operations"]
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _digest(value: object) -> str:
    total = hashlib.sha256()
    for part in value if isinstance(value, tuple) else (value,):
        total.update(part if isinstance(part, bytes) else _bytes_of(part))
    return total.hexdigest()[:DIGITS]


def _bytes_of(value: object) -> bytes:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach().contiguous().numpy()
    return np.asarray(value).tobytes()


def _numbers(*shape: int, seed: int = 1) -> Tensor:
    """Numbers in [-2, 2), (shape), float32: exact, by a linear congruential generator."""
    import numpy as np
    import torch

    index = np.arange(math.prod(shape), dtype=np.uint64)
    mixed = (index * np.uint64(2654435761) + np.uint64(seed * 40503)) % np.uint64(2**32)
    mixed = (mixed * mixed // np.uint64(2**16)) % np.uint64(2**24)
    return torch.from_numpy((mixed.astype(np.float32) / 2**22 - 2).reshape(shape))


def _values() -> Iterator[tuple[str, object]]:
    """The operations' names and results."""
    yield from _products()
    yield from _attention()
    yield from _convolution()
    yield from _elementwise()
    yield from _reductions()
    yield from _layers()
    yield from _optimizer()
    yield from _generators()
    yield from _outside_torch()


def _products() -> Iterator[tuple[str, object]]:
    import torch

    hidden, weight = _numbers(480, 64), _numbers(168, 64, seed=2)
    yield "matmul", torch.mm(hidden, weight.t())
    yield "matmul, gradient of input", torch.mm(_numbers(480, 168, seed=3), weight)
    yield "matmul, gradient of weight", torch.mm(_numbers(480, 168, seed=3).t(), hidden)
    yield "matmul, odd", torch.mm(_numbers(37, 171), _numbers(171, 65, seed=2))
    yield "matmul, one row", torch.mm(_numbers(1, 64), _numbers(64, 420, seed=2))
    yield "matmul, large", torch.mm(_numbers(300, 700), _numbers(700, 330, seed=2))
    yield "matmul, float64", torch.mm(hidden.double(), weight.double().t())
    yield "linear with bias", torch.nn.functional.linear(hidden, weight, _numbers(168, seed=4))
    yield "bmm", torch.bmm(_numbers(8, 57, 32), _numbers(8, 32, 75, seed=2))
    yield "matrix by vector", torch.mv(weight, _numbers(64, seed=5))


def _attention() -> Iterator[tuple[str, object]]:
    import torch

    query, key, value = (_numbers(4, 2, 57, 32, seed=seed) for seed in (1, 2, 3))
    mask = torch.zeros(4, 1, 57, 57).masked_fill_(torch.ones(57, 57).triu(1) > 0, -math.inf)
    attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    for name, given in (("attention", mask), ("attention, no mask", None)):
        out, normalisers = attend(query, key, value, attn_mask=given)
        yield name, out
        backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
        inputs = (_numbers(4, 2, 57, 32, seed=4), query, key, value, out, normalisers, 0.0, False)
        yield f"{name}, backward", backward(*inputs, attn_mask=given)
    yield "attention, one query", attend(query[:, :, :1], key, value)[0]


def _convolution() -> Iterator[tuple[str, object]]:
    import torch

    pixels, weight = _numbers(8, 3, 48, 48), _numbers(64, 3, 16, 16, seed=2)
    yield "convolution", torch.nn.functional.conv2d(pixels, weight, stride=16)
    patches, kernel = _numbers(288, 3, 1, 8, 8), _numbers(64, 3, 1, 8, 8, seed=2)
    yield "convolution, 3D", torch.nn.functional.conv3d(patches, kernel, stride=(1, 8, 8))
    gradient = _numbers(8, 64, 3, 3, seed=3)
    given = ([16, 16], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False])
    parts = torch.ops.aten.convolution_backward(gradient, pixels, weight, None, *given)
    yield "convolution, backward", tuple(parts[:2])
    gradient = _numbers(288, 64, 1, 1, 1, seed=3)
    given = ([1, 8, 8], [0] * 3, [1] * 3, False, [0] * 3, 1, [False, True, False])
    parts = torch.ops.aten.convolution_backward(gradient, patches, kernel, None, *given)
    yield "convolution, 3D, backward", parts[1]


def _elementwise() -> Iterator[tuple[str, object]]:
    import torch

    numbers = _numbers(57, 171)
    positive = numbers.abs() + 2**-10
    for name in ("exp", "tanh", "erf", "sin", "cos", "sigmoid"):
        yield name, getattr(torch, name)(numbers)
    for name in ("log", "sqrt", "rsqrt", "reciprocal"):
        yield name, getattr(torch, name)(positive)
    yield "pow", (torch.pow(numbers, 2), torch.pow(positive, 1.7), torch.pow(10000.0, numbers))
    yield "division", numbers / positive.flip(0)
    yield "gelu", torch.nn.functional.gelu(numbers)
    yield "gelu, tanh", torch.nn.functional.gelu(numbers, approximate="tanh")
    yield "gelu, backward", torch.ops.aten.gelu_backward(positive, numbers)
    yield "silu", torch.nn.functional.silu(numbers)
    yield "silu, backward", torch.ops.aten.silu_backward(positive, numbers)
    yield "exp, float64", torch.exp(numbers.double())


def _reductions() -> Iterator[tuple[str, object]]:
    import torch

    numbers = _numbers(57, 171)
    yield "sum", (numbers.sum(), numbers.sum(0), numbers.sum(1))
    yield "mean", (numbers.mean(-1), numbers.pow(2).mean(-1))
    yield "norm", torch.linalg.vector_norm(numbers)
    yield "cumsum", (numbers.cumsum(-1), numbers.double().softmax(-1).cumsum(-1))
    yield "standard deviation", numbers.std(-1)
    yield "argmax", numbers.argmax(-1)


def _layers() -> Iterator[tuple[str, object]]:
    import torch

    logits, hidden = _numbers(57, 420) * 4, _numbers(120, 64)
    weight, bias = _numbers(64, seed=2), _numbers(64, seed=3)
    soft, logs = logits.softmax(-1), logits.log_softmax(-1)
    yield "softmax", soft
    yield "log-softmax", logs
    gradient = _numbers(57, 420, seed=4)
    aten, single = torch.ops.aten, torch.float32
    yield "softmax, backward", aten._softmax_backward_data(gradient, soft, -1, single)
    yield "log-softmax, backward", aten._log_softmax_backward_data(gradient, logs, -1, single)
    targets = torch.arange(57) * 7
    yield "cross-entropy", torch.nn.functional.cross_entropy(logits, targets)
    normed, mean, scale = aten.native_layer_norm(hidden, [64], weight, bias, 1e-5)
    yield "layer norm", normed
    given = (_numbers(120, 64, seed=5), hidden, [64], mean, scale, weight, bias, [True] * 3)
    yield "layer norm, backward", tuple(aten.native_layer_norm_backward(*given))
    repeated = torch.arange(120) % 11
    yield "embedding, backward", aten.embedding_dense_backward(hidden, repeated, 11, -1, False)


def _optimizer() -> Iterator[tuple[str, object]]:
    """Three steps of AdamW, as torch's optimizer takes them, whose import would take seconds."""
    import torch

    parameter, mean, square = _numbers(64, 171), torch.zeros(64, 171), torch.zeros(64, 171)
    for step in (1.0, 2.0, 3.0):
        gradient = _numbers(64, 171, seed=int(step) + 1)
        torch._fused_adamw_(
            [parameter],
            [gradient],
            [mean],
            [square],
            [],
            [torch.tensor(step)],
            lr=1e-3,
            beta1=0.9,
            beta2=0.98,
            weight_decay=0.01,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
    yield "AdamW", (parameter, mean, square)
    (root,) = torch._foreach_sqrt([square])
    yield "AdamW, not fused", torch._foreach_addcdiv([parameter], [mean], [root + 1e-8], -1e-3)[0]


def _generators() -> Iterator[tuple[str, object]]:
    import numpy as np
    import torch

    torch.manual_seed(7)
    yield "torch.rand", (torch.rand(257), torch.rand(257, dtype=torch.float64))
    yield "torch.randn", (torch.randn(257), torch.randn(7))
    yield "torch.randperm", torch.randperm(257)
    torch.manual_seed(7)
    yield "torch.multinomial", torch.multinomial(_numbers(8, 420).exp(), 1)
    torch.manual_seed(7)
    yield "dropout", torch.nn.functional.dropout(_numbers(64, 64), 0.1)
    generator = np.random.default_rng(7)
    yield "numpy generator", (generator.permutation(257), generator.random(257))
    yield "numpy normal", generator.standard_normal(257)


def _outside_torch() -> Iterator[tuple[str, object]]:
    import numpy as np

    numbers: NDArray[np.float64] = _numbers(57, 171).double().numpy()
    yield "numpy sum", (numbers.sum(), numbers.mean(0), numbers.std(1, ddof=1))
    yield "numpy matmul", numbers @ numbers.T
    yield "numpy exp", (np.exp(numbers), np.exp(numbers.astype(np.float32)))
    yield "numpy log", (np.log(np.abs(numbers) + 1), np.sin(numbers), np.tanh(numbers))
    few = [float(number) for number in numbers.ravel()[:500]]
    yield "math exp", [math.exp(number) for number in few]
    yield "math log", [math.log(abs(number) + 0.5) for number in few]
    yield "math pow", [math.pow(abs(number) + 0.5, number) for number in few]
    yield "math trigonometry", [math.sin(number) + math.cos(3 * number) for number in few]
