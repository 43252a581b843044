"""A layout changes how a job runs and not what it computes: one loss trajectory for all of them."""

import copy
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import RL, SFT, grpo, losses, sft, values

from reassess.core.errors import ReassessError
from reassess.training import launch
from reassess.training.layout import Layout
from reassess.training.loading import freeze_vision
from reassess.training.rl import grpo_arguments, train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import PreprocessedSftTrainer, train_sft
from reassess.training.sft_settings import SftSettings


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
def test_accumulation_follows_one_loss_trajectory(fresh, rows, tmp_path, micro_batch):
    """The loss is the token mean of the whole update, not a mean of means over unlike rows."""
    assert len({len(row) for row in rows.completions}) > 1
    whole, model = sft(fresh, rows, tmp_path / "whole")
    parts, again = sft(fresh, rows, tmp_path / "parts", Layout(micro_batch=micro_batch))
    assert len(losses(whole)) == SFT.max_steps
    assert losses(parts) == pytest.approx(losses(whole), abs=2e-5)
    for (name, first), second in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.allclose(first, second, atol=2e-4), name
    for total in ("samples", "tokens"):
        assert parts.totals[total] == whole.totals[total]
    assert parts.totals["flops"] == pytest.approx(whole.totals["flops"])


@pytest.mark.parametrize("loss_type", ["grpo", "dapo"])
def test_grpo_in_micro_batches_follows_one_trajectory(fresh, rows, items, tmp_path, loss_type):
    changes = {"loss_type": loss_type, "format_weight": 0.5}
    whole = grpo(fresh, rows, items, tmp_path / "whole", **changes)
    parts = grpo(fresh, rows, items, tmp_path / "parts", Layout(micro_batch=4), **changes)
    for metric in ("reward", "completion_length", "loss"):
        assert len(values(whole, metric)) == RL.max_steps
        assert values(parts, metric) == pytest.approx(values(whole, metric), abs=1e-5), metric
    for total in ("samples", "tokens"):
        assert parts.totals[total] == whole.totals[total]


@pytest.mark.parametrize("train", [train_sft, train_grpo])
def test_the_layout_alone_decides_on_the_precision(
    fresh, rows, items, tmp_path, monkeypatch, train
):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "7")
    seen = []

    def look(trainer, *_):
        seen.append(trainer.accelerator)
        return False

    monkeypatch.setattr(f"{train.__module__}.train_to_end", lambda *given, **_: look(*given))
    if train is train_sft:
        sft(fresh, rows, tmp_path, Layout(micro_batch=4))
    else:
        grpo(fresh, rows, items, tmp_path, Layout(micro_batch=8))
    assert seen[0].mixed_precision == "no"
    assert seen[0].gradient_accumulation_steps == 1  # transformers accumulates itself


def test_workers_inherit_nothing_of_accelerate(monkeypatch, tmp_path):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    tell = "import os, sys; sys.exit('ACCELERATE_MIXED_PRECISION' in os.environ)"
    monkeypatch.setattr(launch, "launcher", lambda layout: [sys.executable, "-c", tell])
    run = SimpleNamespace(work=tmp_path, layout=None, command=[], micro_batch=None, cell="a cell")
    assert launch._in_processes(run)


def test_one_rollout_batch_serves_several_updates(fresh, rows, items, tmp_path):
    history = grpo(fresh, rows, items, tmp_path, Layout(micro_batch=4), minibatch_prompts=2)
    # Four updates, two on each of two batches of four prompts.
    assert history.totals["samples"] == 2 * 4 * 4
    assert [step for step, metric, _ in history.rows if metric == "loss"] == [1, 2, 3, 4]


def test_updates_follow_from_epochs_and_batches():
    assert SftSettings(epochs=3, batch_size=128).updates(2000) == 47
    assert SftSettings(epochs=3, batch_size=128).updates(20000) == 469
    assert SftSettings(epochs=3, batch_size=128, warmup_ratio=0.1).warmup(2000) == 5
    rl = RlSettings(epochs=2, prompts_per_step=512, minibatch_prompts=128)
    assert (rl.updates(2000), rl.updates(20000)) == (8 * 4, 79 * 4)
    assert RlSettings(max_steps=7).updates(10**6) == 7
    with pytest.raises(ValueError, match=r"100.*prompts_per_step.*512"):
        RlSettings(prompts_per_step=512, minibatch_prompts=100)


def test_a_layout_that_cannot_divide_an_update_is_explained():
    assert Layout(micro_batch=4, processes=2).split(32) == (4, 4)
    assert Layout().split(32) == (32, 1)
    assert Layout(micro_batch=64).split(32) == (32, 1)
    with pytest.raises(ReassessError, match=r"32 rows.*3 processes"):
        Layout(processes=3).split(32)
    with pytest.raises(ReassessError, match=r"32 rows.*micro-batches of 5"):
        Layout(micro_batch=5).split(32)


def test_a_process_gets_whole_groups(tmp_path):
    settings = RL.model_copy(update={"prompts_per_step": 2})
    with pytest.raises(ReassessError, match=r"4 processes.*2 completions.*group of 4.*prompts_per"):
        grpo_arguments(settings, 8, 1, tmp_path, layout=Layout(processes=4))


@given(st.integers(1, 64), st.integers(1, 8), st.integers(1, 64))
def test_a_halved_layout_keeps_the_rows_of_an_update(own, processes, micro_batch):
    rows = own * processes
    layout = Layout(processes=processes, micro_batch=micro_batch)
    try:
        once, accumulation = layout.split(rows)
    except ReassessError:
        return
    if once > 1:
        smaller, more = layout.halved(rows).split(rows)
        assert smaller <= once // 2
        assert smaller * more * processes == once * accumulation * processes == rows


def test_a_frozen_tower_keeps_its_weights_and_costs_fewer_flops(fresh, rows, tmp_path):
    model, processor = copy.deepcopy(fresh[0]), fresh[1]
    all_trained, _ = sft(fresh, rows, tmp_path / "all")
    freeze_vision(model)
    before = {name: value.clone() for name, value in model.named_parameters()}
    history, _ = train_sft(model, processor, rows, SFT, order_seed=2, work=tmp_path / "frozen")
    moved = {
        name for name, value in model.named_parameters() if not torch.equal(value, before[name])
    }
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    assert frozen and not moved & frozen
    assert moved
    assert history.totals["flops"] < all_trained.totals["flops"]
    with pytest.raises(ReassessError, match="no vision tower"):
        freeze_vision(torch.nn.Module())


# --- memory --------------------------------------------------------------------------------------


class Run:
    """What `launch.train` uses of a training run."""

    def __init__(self, layout, settings, rows):
        self.base, self.settings, self.micro_batch = layout, settings, None
        self.row_ids = rows.ids

    @property
    def layout(self):
        return replace(self.base, micro_batch=self.micro_batch) if self.micro_batch else self.base

    @property
    def rows_per_update(self):
        return self.settings.rows_per_update

    def halve(self):
        self.micro_batch = self.layout.halved(self.rows_per_update).micro_batch

    def load(self):
        """Stand for a model in memory; the methods here bring one of their own."""
        assert not hasattr(self, "model"), "two models in memory at once"
        self.model = object()

    def release(self):
        del self.model

    def finish(self, outcome):
        self.outcome = outcome


def test_a_run_that_does_not_fit_continues_in_smaller_micro_batches(
    fresh, rows, tmp_path, monkeypatch, capsys
):
    """Memory holds two rows and runs out in the third update: the run resumes from the second."""
    whole, _ = sft(fresh, rows, tmp_path / "whole")
    step = PreprocessedSftTrainer.training_step

    def tight(self, model, inputs, num_items_in_batch=None):
        if self.state.global_step >= 2 and len(inputs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, model, inputs, num_items_in_batch)

    monkeypatch.setattr(PreprocessedSftTrainer, "training_step", tight)
    splits = []

    class Method:
        def fit(self, run):
            splits.append(run.layout.split(SFT.batch_size))
            model, options = copy.deepcopy(fresh[0]), {"order_seed": 2, "layout": run.layout}
            return train_sft(model, fresh[1], rows, SFT, work=tmp_path / "work", **options)

    run = Run(Layout(), SFT, rows)
    launch.train(run, Method())
    assert splits == [(8, 1), (4, 2), (2, 4)]
    history, resumed = run.outcome
    assert resumed
    assert losses(history) == pytest.approx(losses(whole), abs=2e-5)
    assert history.totals["samples"] == whole.totals["samples"]
    message = capsys.readouterr().err
    assert "micro-batches of 8" in message and "8 rows an update" in message


def test_one_row_that_does_not_fit_is_explained_and_other_errors_pass(rows):
    class TooLarge:
        def fit(self, run):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ReassessError, match=r"one row.*gradient_checkpointing"):
        launch.train(Run(Layout(micro_batch=4), SFT, rows), TooLarge())

    class Broken:
        def fit(self, run):
            raise RuntimeError("no such kernel")

    with pytest.raises(RuntimeError, match="no such kernel"):
        launch.train(Run(Layout(), SFT, rows), Broken())
