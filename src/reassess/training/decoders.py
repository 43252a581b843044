"""How the logits of a next token come about: by a model's own forward, or without its wrappers.

transformers' forward of a small model is mostly Python: a call through ten modules, a mask and
positions built again, a cache copied at every token. `LeanDecoder` does the same arithmetic in the
same order on the same weights for the layers of the micro world's two families, so that its logits
are the same bits in `float32` (a test compares them); the rest it does once for a batch. Any other
model is decoded by its own forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from reassess.training.loading import Model
from reassess.training.prompts import EncodedPrompts

ATTENTION = "sdpa"
LAYERS = ("LlamaDecoderLayer", "Qwen3VLTextDecoderLayer")
ATTENTION_WEIGHTS = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP_WEIGHTS = ("gate_proj", "up_proj", "down_proj")


def is_known(model: Model) -> bool:
    """Whether `LeanDecoder` does what a model's own forward does: one on a CPU, in `float32`.

    Its decoder layers are those of `LAYERS`, with nothing added: no adapters, and no hooks, by
    which sharded weights are gathered.
    """
    text = getattr(model.base_model, "language_model", None)
    if text is None or model.device.type != "cpu" or model.dtype != torch.float32:
        return False
    config, modules = text.config, [*text.modules(), model.lm_head]
    return (
        config._attn_implementation == ATTENTION
        and config.hidden_act == "silu"
        and config.num_attention_heads == config.num_key_value_heads
        and _is_plain(model.lm_head)
        and all(_is_known_layer(layer) for layer in text.layers)
        and not any(one._forward_hooks or one._forward_pre_hooks for one in modules)
    )


def _is_known_layer(layer: nn.Module) -> bool:
    linear = [getattr(layer.self_attn, name, None) for name in ATTENTION_WEIGHTS]
    linear += [getattr(layer.mlp, name, None) for name in MLP_WEIGHTS]
    return type(layer).__name__ in LAYERS and all(map(_is_plain, linear))


def _is_plain(module: nn.Module | None) -> bool:
    without_bias = isinstance(module, nn.Linear) and module.bias is None
    return without_bias and type(module) is nn.Linear  # no subclass, as of a parametrization


@dataclass(frozen=True)
class Norm:
    """A root mean square norm: its weights, broadcast over rows, and what is added to a mean."""

    weight: Tensor
    eps: float

    @staticmethod
    def of(module: nn.Module) -> Norm:
        """That of a module."""
        return Norm(module.weight, module.variance_epsilon)

    @staticmethod
    def beside(first: nn.Module, second: nn.Module) -> Norm:
        """Those of two modules, for rows (2, B, heads, D)."""
        weight = torch.stack((first.weight, second.weight))[:, None, None]
        return Norm(weight, first.variance_epsilon)

    def __call__(self, hidden: Tensor) -> Tensor:
        """The normed rows."""
        scale = hidden.pow(2).mean(-1, keepdim=True).add_(self.eps).rsqrt_()
        return (hidden * scale).mul_(self.weight)


@dataclass
class Layer:
    """The weights of a layer, transposed, and its cache: keys and values (B, heads, T, D)."""

    before: Norm
    qkv: tuple[Tensor, Tensor, Tensor]
    heads: Norm | None
    out: Tensor
    scale: float
    after: Norm
    gate: Tensor
    up: Tensor
    down: Tensor
    keys: Tensor
    values: Tensor


class Decoder(Protocol):
    """A model after its prompts: takes a token a row, and gives the next one's logits."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, (K,)."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """The logits (B, V) of the tokens after these, (B,)."""


class StockDecoder:
    """Any model, by its own forward."""

    def __init__(self, model: Model, prompts: EncodedPrompts) -> None:
        """Go on from prompts."""
        self._model, self._prompts = model, prompts

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, (K,)."""
        self._prompts = self._prompts.take(rows)

    def __call__(self, tokens: Tensor) -> Tensor:
        """The logits (B, V) of the tokens after these, (B,)."""
        return self._prompts.read(self._model, tokens[:, None])[:, -1]


class LeanDecoder:
    """A model that `is_known`, without its wrappers."""

    def __init__(self, model: Model, prompts: EncodedPrompts, room: int) -> None:
        """Go on from prompts.

        Args:
            model: one that `is_known`.
            prompts: as `encode_prompts` gives them.
            room: the new tokens at most.
        """
        mask, positions = prompts.mask, prompts.positions
        text = model.base_model.language_model
        self._embed, self._head = text.embed_tokens.weight, model.lm_head.weight.t()
        self._norm = Norm.of(text.norm)
        self._seen = mask.shape[1]
        size = self._seen + room
        self._layers = [
            _layer(layer, one.keys, one.values, size)
            for layer, one in zip(text.layers, prompts.cache.layers, strict=True)
        ]
        # As transformers has it: no mask at all where nothing is padded.
        self._mask: Tensor | None = None
        if not bool(mask.all()):
            hidden = torch.zeros((len(mask), 1, 1, size), dtype=self._embed.dtype)
            hidden = hidden.to(mask.device)
            hidden[:, 0, 0, : self._seen].masked_fill_(mask == 0, float("-inf"))
            self._mask = hidden
        if positions is None:
            positions = torch.full_like(mask[:, :1], self._seen)
        self._angles(text.rotary_emb, positions, room)

    def _angles(self, rotary: nn.Module, positions: Tensor, room: int) -> None:
        """Cosines and sines of all the positions to come, (room, B, 1, D)."""
        places = positions + torch.arange(room, device=positions.device)
        if hasattr(rotary, "mrope_section"):
            places = places.expand(3, -1, -1)
        cos, sin = rotary(self._embed, places)
        self._cos, self._sin = (one.transpose(0, 1)[:, :, None].contiguous() for one in (cos, sin))
        half = self._sin.shape[-1] // 2
        self._sin[..., :half].neg_()
        self._first = self._seen

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, (K,)."""
        for layer in self._layers:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]
        self._cos, self._sin = self._cos[:, rows], self._sin[:, rows]
        if self._mask is not None:
            self._mask = self._mask[rows]

    def __call__(self, tokens: Tensor) -> Tensor:
        """The logits (B, V) of the tokens after these, (B,)."""
        step, seen = self._seen - self._first, self._seen + 1
        cos, sin = self._cos[step], self._sin[step]
        mask = None if self._mask is None else self._mask[..., :seen]
        hidden = self._embed[tokens]
        for layer in self._layers:
            attended = self._attend(layer, layer.before(hidden), cos, sin, mask)
            hidden = torch.mm(attended, layer.out).add_(hidden)
            normed = layer.after(hidden)
            gated = silu(torch.mm(normed, layer.gate)).mul_(torch.mm(normed, layer.up))
            hidden = torch.mm(gated, layer.down).add_(hidden)
        self._seen = seen
        return torch.mm(self._norm(hidden), self._head)

    def _attend(
        self, layer: Layer, normed: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None
    ) -> Tensor:
        """What the rows (B, d) take from the tokens so far and their own, (B, heads * D)."""
        rows, at, upto = len(normed), self._seen, self._seen + 1
        heads, width = layer.keys.shape[1], layer.keys.shape[3]
        made = normed.new_empty((3, rows, heads * width))
        for part, weight in zip(made, layer.qkv):
            torch.mm(normed, weight, out=part)
        made = made.view(3, rows, heads, width)
        pair = made[:2] if layer.heads is None else layer.heads(made[:2])
        query, layer.keys[:, :, at] = _rotated(pair, cos, sin)
        layer.values[:, :, at] = made[2]
        attended = scaled_dot_product_attention(
            query[:, :, None],
            layer.keys[:, :, :upto],
            layer.values[:, :, :upto],
            attn_mask=mask,
            scale=layer.scale,
        )
        return attended.reshape(rows, -1)


def _rotated(heads: Tensor, cos: Tensor, signed: Tensor) -> Tensor:
    """Rotary positions of (..., B, heads, D); the first half of the sines has the other sign."""
    half = heads.shape[-1] // 2
    swapped = torch.cat((heads[..., half:], heads[..., :half]), dim=-1)
    return (heads * cos).add_(swapped.mul_(signed))


def _layer(layer: nn.Module, keys: Tensor, values: Tensor, size: int) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    heads = None
    if hasattr(attention, "q_norm"):
        heads = Norm.beside(attention.q_norm, attention.k_norm)
    return Layer(
        before=Norm.of(layer.input_layernorm),
        qkv=(
            attention.q_proj.weight.t(),
            attention.k_proj.weight.t(),
            attention.v_proj.weight.t(),
        ),
        heads=heads,
        out=attention.o_proj.weight.t(),
        scale=attention.scaling,
        after=Norm.of(layer.post_attention_layernorm),
        gate=mlp.gate_proj.weight.t(),
        up=mlp.up_proj.weight.t(),
        down=mlp.down_proj.weight.t(),
        keys=_room(keys, size),
        values=_room(values, size),
    )


def _room(cached: Tensor, size: int) -> Tensor:
    """A cache with room for further tokens."""
    rows, heads, seen, width = cached.shape
    made = cached.new_empty((rows, heads, size, width))
    made[:, :, :seen] = cached
    return made
