"""What all trainers share: row order, seeds, histories, resuming, and a stop at a NaN loss."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from transformers import Trainer, TrainerCallback

from reassess.core.errors import Interrupted, ReassessError
from reassess.core.files import is_disk_full, set_usual_modes
from reassess.training.adapters import has_adapters
from reassess.training.heartbeat import Heartbeat
from reassess.training.history import MARKER, History
from reassess.training.layout import Layout
from reassess.training.loading import Model, load_model
from reassess.training.overrides import require
from reassess.training.preemption import PreemptionCallback
from reassess.training.probe import Probe
from reassess.training.sharding import wait_for_all
from reassess.verifier.rewards import UNDECIDED_SHARE

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

require(Trainer)

BEAT = 5.0  # seconds between two heartbeats
LOGGED = {
    "loss": "loss",
    "reward": "reward",
    "rewards/accuracy_reward/mean": "reward_accuracy",
    "rewards/format_reward/mean": "reward_format",
    "completions/mean_length": "completion_length",
    "completions/clipped_ratio": "truncated_share",
    "frac_reward_zero_std": "zero_variance_share",
    "resampled_share": "resampled_share",
    UNDECIDED_SHARE: UNDECIDED_SHARE,
    "entropy": "entropy",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
}

# Settings that determinism needs, or that are the same whatever method and hardware.
COMMON_ARGUMENTS: dict[str, str | int | bool] = {
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
    """`count` row indices, one random permutation of `rows` after another.

    The order is the same for every method of a seed.
    """
    generator = np.random.default_rng(seed)
    passes = -(-count // rows)
    permutations = [generator.permutation(rows) for _ in range(passes)]
    order: list[int] = np.concatenate(permutations)[:count].tolist()
    return order


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch, and use deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # On a GPU some operations have no deterministic form and warn; the manifest records the device.
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    # Filling every fresh tensor guards against reading unset memory; it costs half a training step
    # and changes no result here.
    torch.utils.deterministic.fill_uninitialized_memory = False


class HistoryCallback(TrainerCallback):  # type: ignore[misc]
    """Records logged numbers, running totals and probe scores, and writes heartbeats."""

    def __init__(self, history: History, probe: Probe | None, probe_every: int) -> None:
        """Record into `history`; without a probe there are no probe scores."""
        self.history, self.probe, self.probe_every = history, probe, probe_every
        self._clock, self._last_beat = time.monotonic(), float("-inf")

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Model,
        **_: object,
    ) -> None:
        """Score the model that the run starts from."""
        self._clock = time.monotonic()
        if state.global_step == 0:
            self._score(0, model)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Model,
        **_: object,
    ) -> None:
        """Score the probe every `probe_every` updates and after the last; write a heartbeat."""
        if state.is_world_process_zero and time.monotonic() - self._last_beat > BEAT:
            self._last_beat = time.monotonic()
            Heartbeat.now(state.global_step, state.max_steps).write(Path(args.output_dir))
        if state.global_step % self.probe_every == 0 or state.global_step == state.max_steps:
            self._score(state.global_step, model)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: object,
    ) -> None:
        """Record what the trainer logs.

        The share of rewards whose verdict is undecided is recorded only where there are any, so
        that a history without them is the one that earlier versions wrote.
        """
        values = {LOGGED[name]: value for name, value in logs.items() if name in LOGGED}
        if not values.get(UNDECIDED_SHARE):
            values.pop(UNDECIDED_SHARE, None)
        self.history.add(state.global_step, **values)

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> None:
        """Mark the trainer checkpoint as complete once every process has written its part."""
        self._tick()
        wait_for_all()
        if state.is_world_process_zero:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            set_usual_modes(checkpoint)  # so that a colleague can resume the run
            self.history.save(checkpoint)

    def _score(self, step: int, model: Model) -> None:
        self._tick()
        self.history.add_totals(step)
        if self.probe is None:
            return
        # The probe has random numbers of its own, but generation may touch the random state.
        state = torch.get_rng_state()
        self.history.add(step, **self.probe.score(model))
        torch.set_rng_state(state)
        self._clock = time.monotonic()  # the probe's time is not training time

    def _tick(self) -> None:
        now = time.monotonic()
        self.history.spend(seconds=now - self._clock)
        self._clock = now


class StrictResume:
    """Mixin: a trainer takes all its weights from a checkpoint, converted by name, or fails.

    transformers' `Trainer` loads the state dict as it was saved, and leniently. Families whose
    weights are saved under other names than they have in memory (LLaVA is one) then silently resume
    with none of their weights.

    transformers' estimate of FLOPs is left out: `reassess.training.flops` counts them, and the
    estimate looks through all modules at every update.
    """

    model: Model
    is_fsdp_enabled: bool
    is_deepspeed_enabled: bool

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: Model | None = None
    ) -> None:
        same_names = has_adapters(self.model) or self.is_fsdp_enabled or self.is_deepspeed_enabled
        if same_names:  # the checkpoint has the names that weights have in memory
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
            return
        saved = load_model(Path(resume_from_checkpoint))
        (self.model if model is None else model).load_state_dict(saved.state_dict(), strict=True)

    def floating_point_ops(self, inputs: dict[str, object]) -> int:
        """No estimate; see the class."""
        return 0


def check_loss(loss: Tensor, step: int, work: Path) -> None:
    """Stop at a loss that is NaN or infinite.

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
    """The newest complete trainer checkpoint; removes incomplete ones that a kill left."""
    complete: list[tuple[int, Path]] = []
    for folder in work.glob("checkpoint-*"):
        if (folder / MARKER).is_file():
            complete.append((int(folder.name.rpartition("-")[2]), folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return max(complete)[1] if complete else None


def train_to_end(
    trainer: Trainer, history: History, work: Path, layout: Layout, period: int = 1
) -> bool:
    """Train, from the newest complete trainer checkpoint if there is one.

    Returns:
        whether the run was resumed.

    Raises:
        Interrupted: a signal stopped the run; it can be resumed from a trainer checkpoint.
        ReassessError: the disk is full; names the folder and what is kept.
    """
    start = last_checkpoint(work)
    if start is not None:
        history.restore(start)
        print(f"resuming from {start.name}", flush=True)
    preemption = PreemptionCallback(layout.checkpoint_minutes, period)
    trainer.add_callback(preemption)
    with preemption.handling_signals():
        try:
            trainer.train(resume_from_checkpoint=str(start) if start else None)
        except Exception as error:
            if is_disk_full(error):
                raise _no_space(work) from error
            raise
    if preemption.stopped:
        step, last = trainer.state.global_step, trainer.state.max_steps
        raise Interrupted(
            f"stopped by a signal after update {step} of {last}; run the same command again to "
            "resume there"
        )
    return start is not None


def _no_space(work: Path) -> ReassessError:
    good = last_checkpoint(work)  # removes the half-written one
    kept = (
        f"{good.name} is complete, and the same command resumes from it"
        if good
        else "no checkpoint had been written yet"
    )
    return ReassessError(f"no space left for trainer checkpoints in {work}; make room: {kept}")


def lengths(batch: dict[str, Tensor]) -> Sequence[int]:
    """The number of real tokens of each row of a batch, (B,)."""
    counts: list[int] = batch["attention_mask"].sum(dim=1).tolist()
    return counts
