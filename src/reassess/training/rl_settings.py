"""Settings of RL with verifiable rewards, apart from the trainer so that config checks are fast."""

from __future__ import annotations

from math import ceil
from typing import Literal

from pydantic import Field, model_validator

from reassess.training.settings import TrainedSettings


class RlSettings(TrainedSettings):
    """TRL's option names. Defaults without a source are the micro world's recipe (ours)."""

    max_steps: int = Field(
        160, gt=0, description="updates, whatever the data size (ours: matched updates)"
    )
    prompts_per_step: int = Field(
        8, gt=0, description="prompts a rollout batch (ours; the paper's is 512)"
    )
    minibatch_prompts: int | None = Field(
        None,
        gt=0,
        description="prompts an update, where a rollout batch is used for several (EasyR1: 128 of "
        "512); None: all",
    )
    num_generations: int = Field(
        8, ge=2, description="completions a prompt: the group (TRL's default)"
    )
    max_completion_length: int = Field(48, gt=0, description="token budget of a rollout (ours)")
    temperature: float = Field(1.0, gt=0, description="sampling temperature (TRL's default)")
    learning_rate: float = Field(
        1e-4, gt=0, description="constant after warm-up (ours; the paper uses 1e-6)"
    )
    warmup_steps: int = Field(5, ge=0, description="updates of linear warm-up (ours)")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay (ours; EasyR1: 0.01)")
    adam_beta2: float = Field(0.98, gt=0, lt=1, description="AdamW's second-moment decay (ours)")
    beta: float = Field(0.0, ge=0, description="KL coefficient (TRL's default)")
    epsilon: float = Field(0.2, gt=0, description="clip range below 1 (arXiv 2402.03300)")
    epsilon_high: float | None = Field(
        None, gt=0, description="clip range above 1; None: the same as epsilon"
    )
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = Field(
        "grpo",
        description="how the loss is averaged over tokens (arXiv 2402.03300: by completion, then "
        "over completions)",
    )
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group", description="divisor of the advantage (TRL's default)"
    )
    max_grad_norm: float = Field(1.0, gt=0, description="gradient clipping (TRL's default)")
    format_weight: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of the format reward; the rest is accuracy (EasyR1: 0.1)",
    )
    mask_truncated_completions: bool = Field(
        False, description="leave completions without an end token out of the loss"
    )

    @model_validator(mode="after")
    def _minibatches_fit(self) -> RlSettings:
        if self.minibatch_prompts is not None and self.prompts_per_step % self.minibatch_prompts:
            raise ValueError(
                f"minibatch_prompts ({self.minibatch_prompts}) does not divide prompts_per_step "
                f"({self.prompts_per_step})"
            )
        return self

    @property
    def rows_per_update(self) -> int:
        """Completions an update."""
        return (self.minibatch_prompts or self.prompts_per_step) * self.num_generations

    @property
    def updates_per_batch(self) -> int:
        """Updates taken on one rollout batch."""
        return self.prompts_per_step // (self.minibatch_prompts or self.prompts_per_step)

    def updates(self, rows: int) -> int:
        """The number of updates on `rows` prompts."""
        if self.epochs is None:
            return self.max_steps
        return max(1, ceil(rows * self.epochs / self.prompts_per_step)) * self.updates_per_batch
