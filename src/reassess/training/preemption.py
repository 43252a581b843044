"""Stopping a run so that nothing is lost: by a signal, or after so many minutes since the last trainer checkpoint.

A scheduler sends SIGTERM (or SIGUSR1, if asked to) before it kills: at a time limit, a preemption, a cancellation. The run then
ends its update, writes a trainer checkpoint and leaves with a code that says "go on later". Where several processes train, they
agree after every update, so that none saves alone and waits for ever. A second signal does not cut the save short.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class PreemptionCallback(TrainerCallback):  # type: ignore[misc]
    """Asks for a trainer checkpoint when a signal came, and every few minutes.

    `period`: updates between two states that can be gone on from. Rollouts that serve several updates are not saved, so a GRPO
    run is cut between rollout batches.
    """

    def __init__(self, minutes: float, period: int = 1) -> None:
        """Save every `minutes` at the latest, at multiples of `period`."""
        self.minutes, self.period = minutes, period
        self.asked, self.stopped = False, False
        self._saved = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        """Start the clock."""
        self._saved = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        """Save, and stop if a signal came, once all processes know."""
        late = time.monotonic() - self._saved > 60 * self.minutes
        stop, save = agreed(self.asked, late, device=args.device)
        if (stop or save) and state.global_step % self.period == 0:
            control.should_save = True
            self._saved = time.monotonic()
            if stop and state.global_step < state.max_steps:
                control.should_log = True  # the mean loss since the last line would be lost
                control.should_training_stop = True
                self.stopped = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        """Count from here, whoever asked for this checkpoint."""
        self._saved = time.monotonic()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the signals inside; outside they mean what they meant before."""

        def heard(number: int, frame: FrameType | None) -> None:
            if not self.asked:
                print(
                    f"{signal.Signals(number).name}: saving after this update, to go on later",
                    flush=True,
                )
            self.asked = True

        if (
            threading.current_thread() is not threading.main_thread()
        ):  # only the main one may listen
            yield
            return
        before = {number: signal.signal(number, heard) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def ignore_signals() -> None:
    """Ignore the signals from here to the end of the process.

    The run is over and writes its results. A signal could only make a finished cell look like a failed one, to be trained again.
    """
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(
                number, lambda heard, frame: None
            )  # not SIG_IGN, which every process started from here would inherit


def agreed(*flags: bool, device: Any) -> list[bool]:
    """Return each flag as true if it is so in any process of the job."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(flags)
    found = torch.tensor(flags, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    return [bool(flag) for flag in found.tolist()]
