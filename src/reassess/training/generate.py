"""Batched generation from preprocessed prompts, for probes, rejection sampling and rollouts.

A prompt and its image are encoded once whatever the number of samples; rows that have ended leave
the batch, and decoding stops with the last of them. The micro world's families are decoded without
their wrappers (`decoders`). Greedy output equals that of transformers' `generate` (a test compares
them).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from reassess.training.adapters import bare
from reassess.training.decoders import Decoder, LeanDecoder, StockDecoder, is_known
from reassess.training.loading import Model, Tokenizer
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.prompts import EncodedPrompts, encode_prompts

SHRINK = 0.6  # ended rows leave once less than this share continues; it copies the cache


def generate(
    model: Model,
    rows: PreprocessedRows,
    indices: Sequence[int],
    *,
    pad: int,
    end: int,
    max_new_tokens: int,
    temperature: float = 0.0,
    samples: int = 1,
) -> list[Tensor]:
    """`samples` completions for each prompt, prompt by prompt, as token ids (C,).

    The end token is included if it came. `temperature` 0 is greedy. The global random state of
    torch decides the samples.
    """
    with _answering(model):
        prompts = encode_prompts(model, _batch(model, rows, indices, pad))
        tokens = _decode(model, _repeated(prompts, samples), pad, end, max_new_tokens, temperature)
    return until_end(tokens.cpu().clone(), end)  # a copy, which autograd may read


def greedy_and_sampled(
    model: Model,
    rows: PreprocessedRows,
    indices: Sequence[int],
    *,
    pad: int,
    end: int,
    max_new_tokens: int,
    samples: int,
    seed: int,
) -> tuple[list[Tensor], list[Tensor]]:
    """What `generate` gives greedily, and `samples` completions for each prompt at temperature 1.

    The samples are by numbers of their own, one for each prompt, sample and place of a token, which
    `seed` alone decides: torch's random state is neither read nor changed, and weights that differ
    are sampled with the same numbers, so that chance tells them apart as little as it can.
    """
    with _answering(model):
        batch = _batch(model, rows, indices, pad)
        prompts = encode_prompts(model, batch)
        # The caches of a large model are not held twice.
        again = prompts.copy() if is_known(bare(model)) else None
        greedy = _decode(model, _repeated(prompts, 1), pad, end, max_new_tokens, 0.0)
        if again is None:
            again = encode_prompts(model, batch)
        numbers = torch.rand(
            (len(indices) * samples, max_new_tokens),
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        ).to(model.device)
        repeated = _repeated(again, samples)
        sampled = _decode(model, repeated, pad, end, max_new_tokens, 1.0, numbers)
    return until_end(greedy.cpu().clone(), end), until_end(sampled.cpu().clone(), end)


@contextmanager
def _answering(model: Model) -> Iterator[None]:
    """Without gradients and dropout inside the context."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        yield
    model.train(was_training)


def _batch(
    model: Model, rows: PreprocessedRows, indices: Sequence[int], pad: int
) -> dict[str, Tensor]:
    batch = rows.prompt_batch(indices, pad)
    return {name: value.to(model.device) for name, value in batch.items()}


def _repeated(prompts: EncodedPrompts, samples: int) -> EncodedPrompts:
    places = torch.arange(len(prompts.logits), device=prompts.logits.device)
    return prompts.take(places.repeat_interleave(samples))


def _decode(
    model: Model,
    prompts: EncodedPrompts,
    pad: int,
    end: int,
    max_new_tokens: int,
    temperature: float,
    numbers: Tensor | None = None,
) -> Tensor:
    """New tokens (B, N), filled with `pad` after a row's end.

    Samples are by `numbers` (B, N), uniform in [0, 1); None: by those that torch draws.
    """
    whole = bare(model)
    banned = torch.tensor(placeholders(model), dtype=torch.long, device=model.device)
    logits = prompts.logits
    decoder: Decoder = (
        LeanDecoder(whole, prompts, max_new_tokens)
        if is_known(whole)
        else StockDecoder(model, prompts)
    )
    active = torch.arange(len(logits), device=logits.device)
    tokens = torch.full((len(logits), max_new_tokens), pad, device=logits.device)
    ended = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for step in range(max_new_tokens):
        logits.index_fill_(1, banned, float("-inf"))
        if temperature == 0:
            chosen = logits.argmax(dim=-1)
        else:
            own = None if numbers is None else numbers[active, step]
            chosen = _sample(logits / temperature, own)
        chosen = chosen.masked_fill(ended, pad)
        tokens[active, step] = chosen
        ended = ended | (chosen == end)
        continuing = len(ended) - int(ended.sum())
        if continuing == 0 or step + 1 == max_new_tokens:
            break
        if continuing < SHRINK * len(ended):
            keep = (~ended).nonzero().flatten()
            decoder.keep(keep)
            active, chosen, ended = active[keep], chosen[keep], ended[keep]
        logits = decoder(chosen)
    return tokens


def placeholders(model: Model) -> list[int]:
    """The ids of image and video placeholders, which a completion must not contain.

    A model may give them any probability, but a completion with one could not be read back, since
    there is no image for it.
    """
    names = ("image_token_id", "image_token_index", "video_token_id")
    return sorted(
        {token for name in names if (token := getattr(model.config, name, None)) is not None}
    )


def _sample(logits: Tensor, numbers: Tensor | None = None) -> Tensor:
    """A token a row (B,), by probability, and by uniform `numbers` (B,) if there are any.

    The first whose cumulative probability exceeds a uniform number: one random number a row, where
    `torch.multinomial` takes one a token, and most of the time of a small model's step. A token
    without probability is never drawn: the uniform number is below the sum, and its own cumulative
    probability is that of the token before.
    """
    cumulative = logits.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    uniform = torch.rand_like(cumulative[:, :1]) if numbers is None else numbers[:, None]
    drawn = uniform * cumulative[:, -1:]
    return torch.searchsorted(cumulative, drawn, right=True).flatten()


def until_end(tokens: Tensor, end: int) -> list[Tensor]:
    """Completions (B, N), each cut after its first end token, (C,)."""
    ends = tokens == end
    lengths = torch.where(ends.any(dim=1), ends.int().argmax(dim=1) + 1, tokens.shape[1])
    return [row[:length] for row, length in zip(tokens, lengths.tolist(), strict=True)]


def decode(tokenizer: Tokenizer, completions: Sequence[Tensor]) -> list[str]:
    """The texts of completions, without special tokens."""
    return [
        text.strip()
        for text in tokenizer.batch_decode(
            [row.tolist() for row in completions], skip_special_tokens=True
        )
    ]
