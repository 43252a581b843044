"""A run that a signal stops saves, and resumed it ends with the weights it would have had."""

import copy
import os
import signal

import pytest
import torch

from reassess.core.errors import Interrupted
from reassess.core.files import read_json
from reassess.training.engine import last_checkpoint
from reassess.training.layout import Layout
from reassess.training.preemption import PreemptionCallback, agreed, heeded, ignore_signals
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.rl_trainer import PreprocessedGrpoTrainer
from reassess.training.sft import PreprocessedSftTrainer, train_sft
from reassess.training.sft_settings import SftSettings

ONE_CPU = Layout()
SFT = SftSettings(max_steps=6, batch_size=8, save_every=100, warmup_steps=1, learning_rate=1e-3)
RL = RlSettings(
    max_steps=6,
    prompts_per_step=4,
    minibatch_prompts=2,
    num_generations=4,
    max_completion_length=8,
    save_every=100,
    learning_rate=1e-3,
    format_weight=0.5,
)


def sft(fresh, rows, items, work, layout=ONE_CPU):
    model = copy.deepcopy(fresh[0])
    history, resumed = train_sft(model, fresh[1], rows, SFT, order_seed=2, work=work, layout=layout)
    return model, history, resumed


def grpo(fresh, rows, items, work, layout=ONE_CPU):
    model = copy.deepcopy(fresh[0])
    seeds = {"order_seed": 1, "sampling_seed": 1}
    history, resumed = train_grpo(
        model, fresh[1], rows, items, RL, work=work, layout=layout, **seeds
    )
    return model, history, resumed


def send(monkeypatch, trainer, number, at):
    """Send a signal in the middle of the update after `at` updates."""
    step = trainer.training_step

    def interrupted(self, model, inputs, num_items_in_batch=None):
        if self.state.global_step == at:
            os.kill(os.getpid(), number)
        return step(self, model, inputs, num_items_in_batch)

    monkeypatch.setattr(trainer, "training_step", interrupted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize(
    ("train", "trainer", "saved"),
    [(sft, PreprocessedSftTrainer, 4), (grpo, PreprocessedGrpoTrainer, 4)],
)
def test_a_stopped_run_resumes_to_the_same_weights(
    fresh, rows, items, tmp_path, monkeypatch, train, trainer, saved, number
):
    """GRPO takes two updates on a rollout batch and stops after the second, not in between."""
    whole, history, _ = train(fresh, rows, items, tmp_path / "whole")
    with (
        monkeypatch.context() as patched,
        pytest.raises(Interrupted, match=f"after update {saved} of 6"),
    ):
        send(patched, trainer, number, saved - (1 if train is sft else 2))
        train(fresh, rows, items, tmp_path / "cut")
    assert last_checkpoint(tmp_path / "cut").name == f"checkpoint-{saved}"
    again, resumed_history, resumed = train(fresh, rows, items, tmp_path / "cut")
    assert resumed
    for (name, first), second in zip(whole.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(first, second), name
    for total in ("samples", "tokens", "flops"):
        assert resumed_history.totals[total] == history.totals[total]


def test_signals_mean_what_they_meant_before_once_a_run_is_over(fresh, rows, items, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    sft(fresh, rows, items, tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_during_the_last_update_changes_nothing(fresh, rows, items, tmp_path, monkeypatch):
    send(monkeypatch, PreprocessedSftTrainer, signal.SIGTERM, 5)
    _, history, _ = sft(fresh, rows, items, tmp_path)
    assert history.totals["samples"] == 48


def test_a_checkpoint_is_never_older_than_configured(fresh, rows, items, tmp_path, monkeypatch):
    """The clock advances by 30 seconds per update; checkpoints may be 45 seconds apart."""
    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr(
        "reassess.training.preemption.time",
        type("Clock", (), {"monotonic": staticmethod(lambda: next(clock))}),
    )
    saved = []
    monkeypatch.setattr(
        PreemptionCallback,
        "on_save",
        lambda self, args, state, control, **_: saved.append(state.global_step),
    )
    sft(fresh, rows, items, tmp_path, Layout(checkpoint_minutes=0.75))
    assert saved == [2, 4, 6]
    assert read_json(last_checkpoint(tmp_path) / "history.json")["totals"]["samples"] == 48


def test_a_signal_that_comes_while_results_are_written_does_not_make_a_finished_cell_fail():
    """In a process that ignores signals from then on; without the call the signal ends it."""
    for call, code in ((ignore_signals, 0), (lambda: None, -signal.SIGTERM)):
        process = os.fork()
        if process == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            call()
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_terminals_signals_stop_a_run_too_unless_they_are_ignored(number):
    """SIGHUP under `nohup`, SIGINT in the background: those stay ignored."""
    before = signal.getsignal(number)
    for ignored in (False, True):
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
        callback = PreemptionCallback(minutes=10)
        with callback.handling_signals():
            os.kill(os.getpid(), number)
        assert callback.signalled is not ignored
        assert (number in heeded()) is not ignored
    signal.signal(number, before)


def test_flags_of_a_single_process_are_its_own():
    assert agreed(True, False, device="cpu") == [True, False]
