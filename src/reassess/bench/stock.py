"""TRL's own `GRPOTrainer` on the same prompts: what ours is timed against and tested equal to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from trl import GRPOTrainer

from reassess.data.pool import decode_image
from reassess.training.engine import row_order, seed_everything
from reassess.training.loading import Model, Processor
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.rl import grpo_arguments
from reassess.training.rl_settings import RlSettings
from reassess.verifier.rewards import accuracy_reward, format_reward
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.prompts import prompt


def stock_grpo_trainer(
    model: Model,
    processor: Processor,
    items: Sequence[MicroItem],
    settings: RlSettings,
    *,
    order_seed: int,
    sampling_seed: int,
    work: Path,
) -> GRPOTrainer:
    """A stock trainer over the same prompts, in the same order, with the same settings."""
    seed_everything(sampling_seed)
    order = row_order(len(items), settings.prompts_per_step * settings.max_steps, order_seed)
    rows = [items[index] for index in order]
    dataset = Dataset.from_dict(
        {
            "prompt": [_messages(item) for item in rows],
            "images": [[decode_image(item)] for item in rows],
            "answer": [item.answer for item in rows],
            "answer_kind": [item.answer_kind for item in rows],
        }
    )
    return GRPOTrainer(
        model=model,
        args=grpo_arguments(settings, len(items), sampling_seed, work),
        processing_class=processor,
        train_dataset=dataset,
        reward_funcs=[accuracy_reward, format_reward],
    )


def _messages(item: MicroItem) -> list[dict[str, object]]:
    """The item's messages with all content blocks of one shape, as a table of rows needs them."""
    return [
        {
            "role": turn["role"],
            "content": [
                {"type": part["type"], "text": part.get("text", "")} for part in turn["content"]
            ],
        }
        for turn in prompt(item)
    ]


def train_stock_grpo(
    model: Model,
    processor: Processor,
    rows: PreprocessedRows,
    items: Sequence[MicroItem],
    settings: RlSettings,
    *,
    order_seed: int,
    sampling_seed: int,
    work: Path,
) -> GRPOTrainer:
    """Train with the stock trainer; the arguments are those of `train_grpo`."""
    trainer = stock_grpo_trainer(
        model,
        processor,
        items,
        settings,
        order_seed=order_seed,
        sampling_seed=sampling_seed,
        work=work,
    )
    trainer.train()
    return trainer
