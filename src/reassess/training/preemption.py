"""Stopping a run without losing work: on a signal, or minutes after the last trainer checkpoint.

A scheduler sends SIGTERM (or SIGUSR1, if configured) before it kills: at a time limit, a preemption
or a cancellation. A terminal sends SIGINT (Ctrl-C), and SIGHUP when it is closed. The run then
finishes its update, writes a trainer checkpoint and exits with a code that means "resume later".
Where several processes train, they agree after every update, so that none saves alone and waits
forever. A second signal does not cut the save short.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import torch
from transformers import TrainerCallback

from reassess.core import lifetime

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
OF_TERMINALS = (signal.SIGINT, signal.SIGHUP)


class PreemptionCallback(TrainerCallback):  # type: ignore[misc]
    """Requests a trainer checkpoint on a signal, and every few minutes.

    Attributes:
        minutes: longest time between two trainer checkpoints.
        period: updates between two states that a run can be resumed from. Rollouts that serve
            several updates are not saved, so a GRPO run stops between rollout batches.
        signalled: whether a signal has come.
        stopped: whether the run ended early because of it.
    """

    def __init__(self, minutes: float, period: int = 1) -> None:
        """Save every `minutes` at the latest, at multiples of `period`."""
        self.minutes, self.period = minutes, period
        self.signalled, self.stopped = False, False
        self._saved_at = time.monotonic()

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> None:
        """Start the clock."""
        self._saved_at = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> None:
        """Save if it is time, and stop after a signal, once all processes agree."""
        late = time.monotonic() - self._saved_at > 60 * self.minutes
        stop, save = agreed(self.signalled, late, device=args.device)
        if (stop or save) and state.global_step % self.period == 0:
            control.should_save = True
            self._saved_at = time.monotonic()
            if stop and state.global_step < state.max_steps:
                control.should_log = True  # the mean loss since the last log would be lost
                control.should_training_stop = True
                self.stopped = True

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> None:
        """Restart the clock, whoever requested this checkpoint."""
        self._saved_at = time.monotonic()

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle the signals inside the context; the earlier handlers return afterwards."""

        def handle(number: int, frame: FrameType | None) -> None:
            if not self.signalled:
                name = signal.Signals(number).name
                print(f"{name}: saving after this update, to be resumed later", flush=True)
            self.signalled = True

        with lifetime.handled(heeded(), handle):
            yield


def heeded() -> list[signal.Signals]:
    """The signals on which a run saves; those of a terminal may be ignored, and stay so."""
    return [*SIGNALS, *lifetime.not_ignored(OF_TERMINALS)]


def ignore_signals() -> None:
    """Ignore the signals until the process ends.

    The run is over and writes its results. A signal could only make a finished cell look like a
    failed one, which would be trained again.
    """
    if threading.current_thread() is threading.main_thread():
        for number in heeded():
            # Not SIG_IGN, which every process started from here would inherit.
            signal.signal(number, lambda received, frame: None)


def agreed(*flags: bool, device: torch.device | str) -> list[bool]:
    """Each flag, true if it is so in any process of the job."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(counts, torch.distributed.ReduceOp.MAX)
    return [bool(flag) for flag in counts.tolist()]
