"""The time of one update, against loops that do without this project."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from reassess.bench.common import MODEL, PAIRS, Measurement, repeated, seconds_of
from reassess.bench.products import products_of
from reassess.bench.stock import train_stock_grpo
from reassess.grid.study import Grid
from reassess.training.engine import row_order
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings
from reassess.workflow.jobs.train import training_run

NEVER = 10_000  # updates between trainer checkpoints
PRODUCTS = "its matrix products alone"


def sft(grid: Grid) -> list[Measurement]:
    """An SFT update, against a bare PyTorch loop."""
    steps = 120  # so that what a run costs once is a small part
    run = training_run(grid, grid.cell(f"{MODEL}/same-family/600/sft/seed1"))
    settings = SftSettings(max_steps=steps, save_every=NEVER)
    order = row_order(len(run.rows), settings.batch_size * steps, 1)

    def ours() -> float:
        run.load()
        with tempfile.TemporaryDirectory() as work:
            inputs = (run.model, run.processor, run.rows, settings)
            history, _ = train_sft(*inputs, order_seed=1, work=Path(work), save=False)
        return history.totals["seconds"] / steps

    def bare() -> float:
        run.load()
        model, processor = run.model, run.processor
        model.train()
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0
        )
        pad = processor.tokenizer.pad_token_id
        started = time.perf_counter()
        for step in range(steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            model(**run.rows.sft_batch(rows, pad), use_cache=False).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return (time.perf_counter() - started) / steps

    products = products_of(ours)
    # The two are nearly the same: it takes more pairs to tell them apart.
    repeats = repeated(ours, bare, lambda: products() / steps, pairs=3 * PAIRS)
    about = "a bare PyTorch loop on the same tensors"
    return [Measurement("SFT step", "s", repeats, about, PRODUCTS)]


def grpo(grid: Grid) -> list[Measurement]:
    """A GRPO update, against TRL's own trainer."""
    steps = 64  # so that what a run costs once, half a second, is a small part
    run = training_run(grid, grid.cell(f"{MODEL}/same-family/600/grpo/seed1"))
    settings = RlSettings(max_steps=steps, save_every=NEVER)

    def measure(train: Callable[..., object]) -> Callable[[], float]:
        def seconds() -> float:
            run.load()
            with tempfile.TemporaryDirectory() as work:
                inputs = (run.model, run.processor, run.rows, run.items, settings)
                return seconds_of(
                    lambda: train(*inputs, order_seed=1, sampling_seed=1, work=Path(work))
                )

        return lambda: seconds() / steps

    ours = measure(train_grpo)
    products = products_of(ours)
    repeats = repeated(ours, measure(train_stock_grpo), lambda: products() / steps)
    about = "TRL's `GRPOTrainer`, same prompts and settings"
    return [Measurement("GRPO step", "s", repeats, about, PRODUCTS)]
