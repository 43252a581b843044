"""Batched generation from prepared prompts: probes, rejection sampling and rollouts use this one function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reassess.training.prepared import PreparedRows


def generate(
    model: Any,
    rows: PreparedRows,
    indices: Sequence[int],
    *,
    pad: int,
    end: int,
    max_new_tokens: int,
    temperature: float = 0.0,
    samples: int = 1,
) -> list[Tensor]:
    """Return `samples` completions for each prompt, prompt by prompt: token ids (C,), end token included if it came.

    `temperature` 0 is greedy. The global random state of torch decides the samples. Each prompt and its picture are
    encoded once whatever `samples` is; decoding stops when every row has ended.
    """
    was_training = model.training
    model.eval()
    batch = rows.prompt_batch(indices, pad)
    with torch.no_grad():
        output = model.generate(
            **batch,
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            temperature=temperature if temperature > 0 else None,
            top_k=0 if temperature > 0 else None,
            top_p=None,
            num_return_sequences=samples,
            pad_token_id=pad,
            eos_token_id=end,
            use_cache=True,
        )
    model.train(was_training)
    return [until_end(row, end) for row in output[:, batch["input_ids"].shape[1] :]]


def until_end(tokens: Tensor, end: int) -> Tensor:
    """Cut a completion after its first end token."""
    found = (tokens == end).nonzero()
    return tokens[: int(found[0]) + 1] if len(found) else tokens


def decode(tokenizer: Any, completions: Sequence[Tensor]) -> list[str]:
    """Return the texts of completions, without special tokens."""
    return [text.strip() for text in tokenizer.batch_decode([row.tolist() for row in completions], skip_special_tokens=True)]
