"""Settings of reinforcement learning with verifiable rewards, apart from the trainer to keep config checks light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reassess.method import TrainedSettings


class RlSettings(TrainedSettings):
    """TRL's option names. The defaults are the micro world's recipe (ours) unless a source is named."""

    max_steps: int = Field(160, gt=0, description="updates, whatever the data size (ours: matched updates)")
    prompts_per_step: int = Field(8, gt=0, description="prompts an update (ours; the paper's rollout batch is 512)")
    num_generations: int = Field(8, ge=2, description="completions a prompt: the group (TRL's default)")
    max_completion_length: int = Field(48, gt=0, description="token budget of a rollout (ours)")
    temperature: float = Field(1.0, gt=0, description="sampling temperature (TRL's default)")
    learning_rate: float = Field(1e-4, gt=0, description="constant after warm-up (ours; the paper uses 1e-6)")
    warmup_steps: int = Field(5, ge=0, description="updates of linear warm-up (ours)")
    adam_beta2: float = Field(0.98, gt=0, lt=1, description="AdamW's second-moment decay (ours)")
    beta: float = Field(0.0, ge=0, description="KL coefficient (TRL's default)")
    epsilon: float = Field(0.2, gt=0, description="clip range below 1 (arXiv 2402.03300)")
    epsilon_high: float | None = Field(None, gt=0, description="clip range above 1; None: the same as epsilon")
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = Field(
        "grpo",
        description="how the loss is averaged over tokens (arXiv 2402.03300: by completion, then over completions)",
    )
    scale_rewards: Literal["group", "batch", "none"] = Field("group", description="divisor of the advantage (TRL's default)")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient clipping (TRL's default)")
    format_weight: float = Field(0.1, ge=0, le=1, description="share of the format reward; the rest is accuracy (EasyR1: 0.1)")
    mask_truncated_completions: bool = Field(False, description="leave completions without an end token out of the loss")
