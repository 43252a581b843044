"""What every trainer here shares: fixed row order, history, probes, checkpoints that are whole, and a stop at NaN."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import TrainerCallback

from reassess.core.errors import Interrupted, ReassessError
from reassess.core.files import is_disk_full
from reassess.training.adapters import has_adapters
from reassess.training.heartbeat import Heartbeat
from reassess.training.history import MARKER, History
from reassess.training.layout import Layout
from reassess.training.loading import load_model
from reassess.training.preemption import PreemptionCallback
from reassess.training.probe import Probe
from reassess.training.sharding import wait_for_all

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

BEAT = 5.0  # seconds between two words on how far a run is
LOGGED = {
    "loss": "loss",
    "reward": "reward",
    "rewards/accuracy_reward/mean": "reward_accuracy",
    "rewards/format_reward/mean": "reward_format",
    "completions/mean_length": "completion_length",
    "completions/clipped_ratio": "truncated_share",
    "frac_reward_zero_std": "zero_variance_share",
    "resampled_share": "resampled_share",
    "entropy": "entropy",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
}

# Settings that determinism needs, or that are the same whatever method and hardware.
COMMON_ARGUMENTS: dict[str, Any] = {
    "report_to": "none",
    "dataloader_pin_memory": False,
    "dataloader_num_workers": 0,
    "disable_tqdm": True,
    "remove_unused_columns": False,
    "logging_nan_inf_filter": False,
    "save_strategy": "steps",
    "save_total_limit": 2,
    "eval_strategy": "no",
    "push_to_hub": False,
}


def row_order(rows: int, count: int, seed: int) -> list[int]:
    """Return `count` row indices: one random permutation after another, the same for every method of a seed."""
    generator = np.random.default_rng(seed)
    passes = -(-count // rows)
    order: list[int] = np.concatenate([generator.permutation(rows) for _ in range(passes)])[
        :count
    ].tolist()
    return order


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch, and keep deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # On a GPU some operations have no deterministic form: those warn, and the manifest's device says what to expect.
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    # Filling every fresh tensor guards against reading it unset; it costs half a training step and changes no result here.
    torch.utils.deterministic.fill_uninitialized_memory = False


class HistoryCallback(TrainerCallback):  # type: ignore[misc]
    """Writes the history: logged numbers, running totals, and the probe every few updates."""

    def __init__(self, history: History, probe: Probe | None, probe_every: int) -> None:
        """Watch a run into `history`; no probe, no probe scores."""
        self.history, self.probe, self.probe_every = history, probe, probe_every
        self._clock, self._said = time.monotonic(), float("-inf")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        """Score the start of the run."""
        self._clock = time.monotonic()
        if state.global_step == 0:
            self._probe(0, kw["model"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        """Score the probe when its turn has come, and at the end; say now and then how far the run is."""
        if state.is_world_process_zero and time.monotonic() - self._said > BEAT:
            self._said = time.monotonic()
            Heartbeat.now(state.global_step, state.max_steps).write(Path(args.output_dir))
        if state.global_step % self.probe_every == 0 or state.global_step == state.max_steps:
            self._probe(state.global_step, kw["model"])

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **kw: Any,
    ) -> None:
        """Record what the trainer logs."""
        self.history.add(
            state.global_step,
            **{LOGGED[name]: value for name, value in logs.items() if name in LOGGED},
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        """Make the trainer checkpoint complete, once every process has written its part."""
        self._tick()
        wait_for_all()
        if state.is_world_process_zero:
            self.history.save(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def _probe(self, step: int, model: Any) -> None:
        self._tick()
        self.history.add_totals(step)
        if self.probe is None:
            return
        # The probe draws no random numbers, but generation code may touch the state: it is put back.
        state = torch.get_rng_state()
        self.history.add(step, **self.probe.score(model))
        torch.set_rng_state(state)
        self._clock = time.monotonic()  # the probe's time is not training time

    def _tick(self) -> None:
        now = time.monotonic()
        self.history.spend(seconds=now - self._clock)
        self._clock = now


class StrictResume:
    """Makes a trainer take its weights from a checkpoint by name conversion and strictly, or not at all.

    transformers' `Trainer` loads the state dict as it was saved, and leniently. Families whose weights are saved under other names
    than they have in memory (LLaVA is one) then resume with none of their weights, and nothing says so.
    """

    model: Any
    is_fsdp_enabled: bool
    is_deepspeed_enabled: bool

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if (
            has_adapters(self.model) or self.is_fsdp_enabled or self.is_deepspeed_enabled
        ):  # saved under the names in memory
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
            return
        saved = load_model(Path(resume_from_checkpoint))
        (self.model if model is None else model).load_state_dict(saved.state_dict(), strict=True)


def check_loss(loss: torch.Tensor, step: int, work: Path) -> None:
    """Stop at a loss that is no number.

    Raises:
        ReassessError: names the step and the last good checkpoint.
    """
    if not torch.isfinite(loss).all():
        good = last_checkpoint(work)
        kept = (
            f"the last good checkpoint is {good}" if good else "no checkpoint had been written yet"
        )
        raise ReassessError(
            f"the loss became {loss.item()} at update {step + 1}; training stopped, {kept}"
        )


def last_checkpoint(work: Path) -> Path | None:
    """Return the newest complete trainer checkpoint, removing half-written ones left by a kill."""
    complete: list[tuple[int, Path]] = []
    for folder in work.glob("checkpoint-*"):
        if (folder / MARKER).is_file():
            complete.append((int(folder.name.rpartition("-")[2]), folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return max(complete)[1] if complete else None


def train_to_end(
    trainer: Any, history: History, work: Path, layout: Layout, period: int = 1
) -> bool:
    """Train, from the newest complete trainer checkpoint if there is one. Return whether it was resumed.

    Raises:
        Interrupted: a signal asked the run to stop; there is a trainer checkpoint to go on from.
        ReassessError: the disk is full; names the folder and what is kept.
    """
    found = last_checkpoint(work)
    if found is not None:
        history.restore(found)
        print(f"going on from {found.name}", flush=True)
    stopper = PreemptionCallback(layout.checkpoint_minutes, period)
    trainer.add_callback(stopper)
    with stopper.listening():
        try:
            trainer.train(resume_from_checkpoint=str(found) if found else None)
        except Exception as error:
            if is_disk_full(error):
                good = last_checkpoint(work)  # removes the half-written one
                kept = (
                    f"{good.name} is whole, and the same command goes on from there"
                    if good
                    else "nothing had been saved yet"
                )
                raise ReassessError(
                    f"no space left for trainer checkpoints in {work}; make room: {kept}"
                ) from error
            raise
    if stopper.stopped:
        step, last = trainer.state.global_step, trainer.state.max_steps
        raise Interrupted(
            f"stopped by a signal after update {step} of {last}; run the same command again to go on from there"
        )
    return found is not None


def lengths(batch: dict[str, torch.Tensor]) -> Sequence[int]:
    """Return the number of real tokens of each row of a batch."""
    found: list[int] = batch["attention_mask"].sum(dim=1).tolist()
    return found
