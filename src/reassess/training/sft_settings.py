"""Settings of supervised fine-tuning, apart from the trainer so that config checks are fast."""

from __future__ import annotations

from math import ceil
from typing import Literal

from pydantic import Field

from reassess.training.settings import TrainedSettings


class SftSettings(TrainedSettings):
    """TRL's option names. The defaults are the micro world's recipe (ours).

    They are chosen so that scores are near neither floor nor ceiling.
    """

    max_steps: int = Field(
        300, gt=0, description="updates, whatever the data size (ours: matched updates)"
    )
    batch_size: int = Field(32, gt=0, description="rows an update (ours; the paper uses 128)")
    learning_rate: float = Field(
        2e-3, gt=0, description="peak learning rate (ours; the paper uses 1e-5 at 2B to 7B)"
    )
    lr_scheduler_type: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        "cosine", description="schedule (ours)"
    )
    warmup_steps: int = Field(20, ge=0, description="updates of linear warm-up (ours)")
    warmup_ratio: float | None = Field(
        None, ge=0, le=1, description="share of the updates; in place of `warmup_steps` where given"
    )
    adam_beta2: float = Field(0.98, gt=0, lt=1, description="AdamW's second-moment decay (ours)")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay (ours)")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient clipping (TRL's default)")

    @property
    def rows_per_update(self) -> int:
        """Rows an update."""
        return self.batch_size

    def updates(self, rows: int) -> int:
        """The number of updates on `rows` rows."""
        if self.epochs is None:
            return self.max_steps
        return max(1, ceil(rows * self.epochs / self.batch_size))

    def warmup(self, rows: int) -> int:
        """The number of warm-up updates on `rows` rows."""
        if self.warmup_ratio is None:
            return self.warmup_steps
        return ceil(self.updates(rows) * self.warmup_ratio)
