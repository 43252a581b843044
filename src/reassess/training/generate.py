"""Batched generation from prepared prompts: probes, rejection sampling and rollouts use this one function.

A prompt and its picture are encoded once whatever the number of samples; rows that have ended leave the batch, and
decoding stops with the last of them. Greedy output equals that of transformers' `generate` (a test holds them together).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from reassess.training.adapters import bare
from reassess.training.preprocessed import PreprocessedRows

SHRINK = 0.6  # ended rows are dropped once fewer than this share of the batch goes on: dropping copies the cache


def generate(
    model: Any,
    rows: PreprocessedRows,
    indices: Sequence[int],
    *,
    pad: int,
    end: int,
    max_new_tokens: int,
    temperature: float = 0.0,
    samples: int = 1,
) -> list[Tensor]:
    """Return `samples` completions for each prompt, prompt by prompt: token ids (C,), end token included if it came.

    `temperature` 0 is greedy. The global random state of torch decides the samples.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        batch = {
            name: value.to(model.device) for name, value in rows.prompt_batch(indices, pad).items()
        }
        found = _decode(model, batch, pad, end, max_new_tokens, temperature, samples)
    model.train(was_training)
    return [until_end(row, end) for row in found.cpu()]


def _decode(
    model: Any,
    batch: dict[str, Tensor],
    pad: int,
    end: int,
    max_new_tokens: int,
    temperature: float,
    samples: int,
) -> Tensor:
    """Return new tokens (B * samples, N), filled with `pad` after a row's end."""
    inner = bare(model).base_model
    if hasattr(inner, "rope_deltas"):
        inner.rope_deltas = None  # left from another batch, they would shift positions
    cache = DynamicCache(config=model.config.get_text_config())
    output = model(**batch, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(samples)
    banned = placeholders(model)
    logits = output.logits[:, -1].repeat_interleave(samples, dim=0)
    mask = batch["attention_mask"].repeat_interleave(samples, dim=0)
    shift = getattr(inner, "rope_deltas", None)
    # Models with three-dimensional positions want them spelled out after the prompt; the others count by themselves.
    positions = (
        None
        if shift is None
        else mask.sum(dim=1, keepdim=True) + shift.repeat_interleave(samples, dim=0)
    )
    active = torch.arange(len(logits), device=logits.device)
    tokens = torch.full((len(logits), max_new_tokens), pad, device=logits.device)
    ended = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for step in range(max_new_tokens):
        logits[:, banned] = float("-inf")
        chosen = logits.argmax(dim=-1) if temperature == 0 else _sample(logits / temperature)
        chosen = chosen.masked_fill(ended, pad)
        tokens[active, step] = chosen
        ended = ended | (chosen == end)
        going = int((~ended).sum())
        if going == 0 or step + 1 == max_new_tokens:
            break
        if going < SHRINK * len(ended):
            keep = (~ended).nonzero().flatten()
            cache.batch_select_indices(keep)
            active, chosen, mask, ended = active[keep], chosen[keep], mask[keep], ended[keep]
            positions = None if positions is None else positions[keep]
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
        place = {} if positions is None else {"position_ids": (positions + step).expand(3, -1, -1)}
        output = model(
            input_ids=chosen[:, None],
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **place,
        )
        logits = output.logits[:, -1]
    return tokens


def placeholders(model: Any) -> list[int]:
    """Return the ids of image and video placeholders, which a completion must not hold.

    A model may give them any probability, but a completion with one could not be read back: there is no picture for it.
    """
    names = ("image_token_id", "image_token_index", "video_token_id")
    return sorted(
        {token for name in names if (token := getattr(model.config, name, None)) is not None}
    )


def _sample(logits: Tensor) -> Tensor:
    return torch.multinomial(logits.softmax(dim=-1), 1).flatten()


def until_end(tokens: Tensor, end: int) -> Tensor:
    """Cut a completion after its first end token."""
    found = (tokens == end).nonzero()
    return tokens[: int(found[0]) + 1] if len(found) else tokens


def decode(tokenizer: Any, completions: Sequence[Tensor]) -> list[str]:
    """Return the texts of completions, without special tokens."""
    return [
        text.strip()
        for text in tokenizer.batch_decode(
            [row.tolist() for row in completions], skip_special_tokens=True
        )
    ]
