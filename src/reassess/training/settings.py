"""The settings that methods share; those of SFT and RL are in modules of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict, Field


class MethodSettings(BaseModel):
    """Settings every method has.

    Subclasses add theirs, each with a description that names the source of its default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainedSettings(MethodSettings, ABC):
    """Settings of every method that trains: where it starts and how its run is monitored."""

    start: str = Field(
        "base",
        description="arm whose checkpoint of the same cell it starts from; `base` is the base "
        "model",
    )
    probe_every: int = Field(
        20, ge=1, description="updates between two scores on the held-out probe (ours)"
    )
    probe_samples: int = Field(
        1,
        ge=0,
        description="completions sampled for each item of the probe, at temperature 1, beside the "
        "greedy one; they change no weights (ours)",
        exclude_if=lambda samples: samples == 1,
    )
    epochs: float | None = Field(
        None, gt=0, description="passes over the rows; in place of `max_steps` where given"
    )
    freeze_vision: bool = Field(
        False,
        description="leave vision tower and merger as they are (LLaMA-Factory: yes, EasyR1: no)",
    )
    lora_rank: int | None = Field(
        None,
        gt=0,
        description="train adapters of this rank in the language model; None: all weights",
    )
    save_every: int = Field(100, ge=1, description="updates between two trainer checkpoints (ours)")

    @property
    @abstractmethod
    def rows_per_update(self) -> int:
        """Rows (SFT) or completions (RL) that an update sees."""

    @abstractmethod
    def updates(self, rows: int) -> int:
        """The number of updates on `rows` rows."""
