"""Adapters train the language model alone, resume, and are merged into its weights."""

import copy

import torch
from small_runs import RL, SFT, losses, values

from reassess.training.adapters import add_adapters, merged
from reassess.training.generate import generate
from reassess.training.loading import load_model, save_checkpoint
from reassess.training.rl import train_grpo
from reassess.training.sft import PreprocessedSftTrainer, train_sft


def with_adapters(fresh, rows, work, **changes):

    model = add_adapters(copy.deepcopy(fresh[0]), 4, seed=3)
    history, _ = train_sft(
        model, fresh[1], rows, SFT.model_copy(update=changes), order_seed=2, work=work
    )
    return history, model


def test_adapters_move_the_language_model_and_are_merged_into_it(fresh, rows, tmp_path):

    history, model = with_adapters(fresh, rows, tmp_path / "work", learning_rate=1e-2)
    assert losses(history)[-1] < losses(history)[0]
    options = {"pad": fresh[1].tokenizer.pad_token_id, "end": -1, "max_new_tokens": 8}
    before = [row.tolist() for row in generate(model, rows, range(6), **options)]
    save_checkpoint(merged(model), fresh[1], tmp_path / "checkpoint")
    plain = load_model(tmp_path / "checkpoint")
    assert [row.tolist() for row in generate(plain, rows, range(6), **options)] == before
    start = fresh[0].state_dict()
    moved = {
        name for name, value in plain.state_dict().items() if not torch.equal(value, start[name])
    }
    assert moved
    assert all("language_model" in name and name.endswith("_proj.weight") for name in moved)


def test_a_run_with_adapters_is_resumed_bit_by_bit(fresh, rows, tmp_path, cut_at):

    _, whole = with_adapters(fresh, rows, tmp_path / "whole")
    with cut_at(PreprocessedSftTrainer, 3):
        with_adapters(fresh, rows, tmp_path / "parts")
    history, resumed = with_adapters(fresh, rows, tmp_path / "parts")
    assert len(losses(history)) == SFT.max_steps
    for (name, first), second in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(first, second), name


def test_grpo_trains_adapters(fresh, rows, items, tmp_path):

    model = add_adapters(copy.deepcopy(fresh[0]), 4, seed=3)
    settings = RL.model_copy(update={"format_weight": 0.5, "learning_rate": 1e-2})
    history, _ = train_grpo(
        model, fresh[1], rows, items, settings, order_seed=1, sampling_seed=1, work=tmp_path
    )
    assert len(values(history, "loss")) == RL.max_steps
    assert history.totals["flops"] > 0
    assert {name for name, _ in merged(model).named_parameters()} == {
        name for name, _ in fresh[0].named_parameters()
    }
