"""The speed of decoding, which is most of a study: rollouts, probes, traces and evaluations."""

from __future__ import annotations

from collections.abc import Callable

import torch

from reassess.bench.common import MODEL, Measurement, repeated, seconds_of
from reassess.bench.products import products_of
from reassess.grid.study import Grid
from reassess.training.generate import generate, placeholders
from reassess.workflow.jobs.train import training_run

PROMPTS = 8
SAMPLES = 8
TOKENS = 48
SEED = 1


def decoding(grid: Grid) -> list[Measurement]:
    """Sampled tokens a second, against transformers' own `generate` on the same prompts.

    Both draw from the same distribution until a row's end or the budget; only tokens up to a row's
    end count.
    """
    run = training_run(grid, grid.cell(f"{MODEL}/same-family/600/grpo/seed1"))
    run.load()
    model, tokenizer, indices = run.model, run.processor.tokenizer, range(PROMPTS)
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    batch = run.rows.prompt_batch(indices, pad)
    model.eval()

    def ours() -> int:
        torch.manual_seed(SEED)
        rows = generate(
            model,
            run.rows,
            indices,
            pad=pad,
            end=end,
            max_new_tokens=TOKENS,
            temperature=1.0,
            samples=SAMPLES,
        )
        return sum(map(len, rows))

    def stock() -> int:
        torch.manual_seed(SEED)
        with torch.no_grad():
            rows = model.generate(
                **batch,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                max_new_tokens=TOKENS,
                num_return_sequences=SAMPLES,
                pad_token_id=pad,
                eos_token_id=end,
                suppress_tokens=placeholders(model),
            )
        new = rows[:, batch["input_ids"].shape[1] :]
        ended = (new == end).cumsum(dim=1) - (new == end).long()  # ends before a token
        return int((ended == 0).sum())

    tokens = ours()  # also warms up
    stock()
    products = products_of(ours)
    repeats = repeated(lambda: _rate(ours), lambda: _rate(stock), lambda: tokens / products())
    return [
        Measurement(
            f"decoding, {PROMPTS} prompts x {SAMPLES}",
            "tokens/s",
            repeats,
            "transformers' `generate`, same prompts and budget",
            "its matrix products alone",
            less_is_faster=False,
        )
    ]


def _rate(sample: Callable[[], int]) -> float:
    """Tokens a second."""
    tokens = 0

    def act() -> None:
        nonlocal tokens
        tokens = sample()

    seconds = seconds_of(act)
    return tokens / seconds
