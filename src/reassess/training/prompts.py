"""Prompts that are encoded once, however many completions they have."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from reassess.training.adapters import bare
from reassess.training.loading import Model


@dataclass
class EncodedPrompts:
    """A model after its prompts, and after what it read since.

    Attributes:
        logits: of the first new token, (B, V).
        cache: keys and values of what was read, (B, heads, P, D) a layer.
        mask: 0 for padding, (B, P).
        positions: of the next token, (B, 1), which models with three-dimensional positions need;
            None for the others, which count from the prompts with their padding.
    """

    logits: Tensor
    cache: DynamicCache
    mask: Tensor
    positions: Tensor | None

    def take(self, which: Tensor) -> EncodedPrompts:
        """The prompts at `which` (R,), where one may come several times; these are used up."""
        self.cache.batch_select_indices(which)
        positions = None if self.positions is None else self.positions[which]
        return EncodedPrompts(self.logits[which], self.cache, self.mask[which], positions)

    def copy(self) -> EncodedPrompts:
        """The same prompts once more, with a cache of their own."""
        return EncodedPrompts(self.logits.clone(), deepcopy(self.cache), self.mask, self.positions)

    def read(self, model: Model, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Go on with tokens (B, N), all of them unless `mask` (B, N) has zeros: logits (B, N, V).

        The logits are those of the tokens after each.
        """
        if mask is None:
            mask = torch.ones_like(tokens)
        self.mask = torch.cat([self.mask, mask], dim=1)
        place = {}
        if self.positions is not None:
            steps = torch.arange(tokens.shape[1], device=tokens.device)
            place = {"position_ids": (self.positions + steps).expand(3, -1, -1)}
            self.positions = self.positions + tokens.shape[1]
        output = model(
            input_ids=tokens,
            attention_mask=self.mask,
            past_key_values=self.cache,
            use_cache=True,
            **place,
        )
        logits: Tensor = output.logits
        return logits


def encode_prompts(model: Model, batch: Mapping[str, Tensor]) -> EncodedPrompts:
    """Run a model over prompts.

    Args:
        model: image-text model, with adapters or without.
        batch: left-padded prompts and their vision inputs, as of `PreprocessedRows.prompt_batch`.
    """
    inner = bare(model).base_model
    if hasattr(inner, "rope_deltas"):
        inner.rope_deltas = None  # those of an earlier batch would shift positions
    cache = DynamicCache(config=model.config.get_text_config())
    output = model(**batch, past_key_values=cache, use_cache=True, logits_to_keep=1)
    mask, shift = batch["attention_mask"], getattr(inner, "rope_deltas", None)
    positions = None if shift is None else mask.sum(dim=1, keepdim=True) + shift
    return EncodedPrompts(output.logits[:, -1], cache, mask, positions)
