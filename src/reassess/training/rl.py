"""Reinforcement learning with verifiable rewards, as one `train_grpo` call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from datasets import Dataset
from transformers.trainer_utils import SaveStrategy
from trl import GRPOConfig

from reassess.core.errors import ReassessError
from reassess.data.items import Item
from reassess.training.engine import (
    COMMON_ARGUMENTS,
    HistoryCallback,
    row_order,
    seed_everything,
    train_to_end,
)
from reassess.training.history import History, Outcome
from reassess.training.layout import Layout
from reassess.training.loading import Model, Processor
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.probe import Probe
from reassess.training.rl_settings import RlSettings
from reassess.training.rl_trainer import PreprocessedGrpoTrainer
from reassess.training.vllm_engine import ban_placeholders
from reassess.verifier.rewards import accuracy_reward, format_reward

Reward = Callable[..., list[float]]
ONE_CPU = Layout()


class GrpoOptions(TypedDict, total=False):
    """Arguments of `train_grpo` that variants of GRPO change."""

    trainer_class: type[PreprocessedGrpoTrainer]
    extra_rewards: Sequence[Reward]


def train_grpo(
    model: Model,
    processor: Processor,
    rows: PreprocessedRows,
    items: Sequence[Item],
    settings: RlSettings,
    *,
    order_seed: int,
    sampling_seed: int,
    work: Path,
    probe: Probe | None = None,
    trainer_class: type[PreprocessedGrpoTrainer] = PreprocessedGrpoTrainer,
    extra_rewards: Sequence[Reward] = (),
    layout: Layout = ONE_CPU,
    save: bool = True,
) -> Outcome:
    """Train `model` in place with group-relative advantages.

    Args:
        model: image-text model.
        processor: its processor.
        rows: preprocessed prompts, in frozen order.
        items: the pool items of those rows; the reward checks completions against their answers.
        settings: see `RlSettings`.
        order_seed: decides the order of prompts (shared by all methods of a seed).
        sampling_seed: decides the rollouts.
        work: folder of trainer checkpoints; the run continues from a complete one found there.
        probe: held-out items scored every `settings.probe_every` updates.
        trainer_class: subclass to use.
        extra_rewards: reward functions added at weight 1 (penalties, say).
        layout: how the job uses its hardware.
        save: whether trainer checkpoints are written; a benchmark of speed needs none.

    Raises:
        ReassessError: the layout divides groups, or a vLLM server is used while the vision tower
            trains.
    """
    seed_everything(sampling_seed)
    history = History()
    arguments = grpo_arguments(settings, len(rows), sampling_seed, work, len(extra_rewards), layout)
    if not save:
        arguments.save_strategy = SaveStrategy.NO
    if arguments.use_vllm:
        longest = max(len(prompt) for prompt in rows.prompts)
        arguments.vllm_max_model_length = longest + settings.max_completion_length
        arguments.generation_kwargs = {"logit_bias": ban_placeholders(processor)}
    if layout.vllm_mode == "server" and arguments.use_vllm and not settings.freeze_vision:
        raise ReassessError(
            "a vLLM server keeps images as the old weights encoded them: set freeze_vision, or "
            "execution.vllm_mode: colocate"
        )
    batches = arguments.max_steps // settings.updates_per_batch
    order = row_order(len(rows), settings.prompts_per_step * batches, order_seed)
    prompts = Dataset.from_dict(
        {
            "prompt": [rows.ids[index] for index in order],
            "answer": [items[index].answer for index in order],
            "answer_kind": [items[index].answer_kind for index in order],
        }
    )
    trainer = trainer_class(
        rows,
        history,
        work,
        items,
        model=model,
        args=arguments,
        processing_class=processor,
        train_dataset=prompts,
        reward_funcs=[accuracy_reward, format_reward, *extra_rewards],
        callbacks=[HistoryCallback(history, probe, settings.probe_every)],
    )
    resumed = train_to_end(trainer, history, work, layout, period=settings.updates_per_batch)
    return Outcome(history, resumed)


def grpo_arguments(
    settings: RlSettings,
    rows: int,
    sampling_seed: int,
    work: Path,
    extra_rewards: int = 0,
    layout: Layout = ONE_CPU,
) -> GRPOConfig:
    """TRL's arguments for training on `rows` prompts.

    `extra_rewards` reward functions have weight 1 each, beside accuracy and format.

    Raises:
        ReassessError: a process would get parts of groups.
    """
    once, accumulation = layout.split(settings.rows_per_update)
    own = once * accumulation * settings.updates_per_batch
    if own % settings.num_generations:
        raise ReassessError(
            f"{layout.processes} processes get {own} completions of a rollout batch each, no "
            f"multiple of the group of {settings.num_generations}: use fewer processes or more "
            "prompts_per_step"
        )
    return GRPOConfig(
        output_dir=str(work),
        per_device_train_batch_size=once,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation * settings.updates_per_batch,
        num_generations=settings.num_generations,
        max_completion_length=settings.max_completion_length,
        max_steps=settings.updates(rows),
        temperature=settings.temperature,
        top_p=1.0,
        top_k=0,
        min_p=None,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=settings.warmup_steps,
        adam_beta2=settings.adam_beta2,
        weight_decay=settings.weight_decay,
        beta=settings.beta,
        epsilon=settings.epsilon,
        epsilon_high=settings.epsilon_high,
        loss_type=settings.loss_type,
        scale_rewards=settings.scale_rewards,
        max_grad_norm=settings.max_grad_norm,
        mask_truncated_completions=settings.mask_truncated_completions,
        reward_weights=[1 - settings.format_weight, settings.format_weight, *[1.0] * extra_rewards],
        shuffle_dataset=False,
        logging_steps=1,
        save_steps=settings.save_every,
        seed=sampling_seed,
        **COMMON_ARGUMENTS,
        **layout.arguments(),
        **layout.rollout_arguments(),
    )
