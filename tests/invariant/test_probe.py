"""The probe: greedy scores as ever, samples by numbers of their own, and training not disturbed."""

import copy
import random

import numpy as np
import pytest
import torch
from small_runs import RL, SFT, values

from reassess.config.defaults import DEFAULT
from reassess.grid.study import Grid
from reassess.training.generate import generate, greedy_and_sampled, placeholders
from reassess.training.probe import Probe
from reassess.training.rl import train_grpo
from reassess.training.sft import train_sft
from reassess.worlds.micro.config import MicroConfig

SAMPLED = "probe_sampled_accuracy"


@pytest.fixture(params=["lean", "stock"])
def ends(fresh, request, monkeypatch):
    """A model whose completions end at different places, and its processor's special tokens.

    It is decoded by either of the decoders; as any other model is, prompts are then encoded twice.
    """
    if request.param == "stock":
        monkeypatch.setattr("reassess.training.generate.is_known", lambda model: False)
    model, processor = fresh
    end = processor.tokenizer.eos_token_id
    with torch.no_grad():
        model.get_output_embeddings().weight[end] *= 16
    return model, {"pad": processor.tokenizer.pad_token_id, "end": end}


def sampled(model, rows, indices, tokens, **changes):
    settings = {"max_new_tokens": 12, "samples": 2, "seed": 5} | changes
    return greedy_and_sampled(model, rows, indices, **tokens, **settings)


def lists(completions):
    return [completion.tolist() for completion in completions]


def by_hand(model, rows, index, numbers, end):
    """Sample a completion token by token, by whole passes of transformers' own model."""
    batch = rows.prompt_batch([index], 0)
    written = []
    for number in numbers:
        prompt = torch.tensor([[*rows.prompts[index].tolist(), *written]])
        inputs = {**batch, "input_ids": prompt, "attention_mask": torch.ones_like(prompt)}
        for name in ("mm_token_type_ids", "token_type_ids"):
            if name in batch:
                more = torch.zeros((1, len(written)), dtype=batch[name].dtype)
                inputs[name] = torch.cat([batch[name], more], dim=1)
        with torch.no_grad():
            logits = model.eval()(**inputs).logits[0, -1].clone()
        logits[placeholders(model)] = float("-inf")
        shares = logits.double().softmax(-1)
        written.append(int((shares.cumsum(-1) > number * shares.sum()).nonzero()[0]))
        if written[-1] == end:
            break
    return written


def test_the_greedy_completions_are_those_without_samples(ends, rows):
    model, tokens = ends
    alone = generate(model, rows, range(20), max_new_tokens=12, **tokens)
    beside, _ = sampled(model, rows, range(20), tokens)
    assert lists(beside) == lists(alone)
    assert len({len(completion) for completion in alone}) > 1


def test_a_sample_is_the_models_by_the_numbers_of_its_seed(ends, rows):
    """Whatever rows have left the batch before."""
    model, tokens = ends
    indices = [4, 0, 9]
    _, found = sampled(model, rows, indices, tokens)
    generator = torch.Generator().manual_seed(5)
    numbers = torch.rand((6, 12), generator=generator, dtype=torch.float64)
    due = [
        by_hand(model, rows, indices[place // 2], numbers[place], tokens["end"])
        for place in range(6)
    ]
    assert lists(found) == due
    assert len({len(completion) for completion in found}) > 1


def test_a_seed_gives_the_same_samples_at_every_call_and_another_seed_others(ends, rows):
    model, tokens = ends
    first, again, other = (
        lists(sampled(model, rows, range(9), tokens, seed=seed)[1]) for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def test_sampling_reads_and_changes_no_random_state(ends, rows):
    model, tokens = ends
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        random.seed(state)
        np.random.seed(state)
        before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())
        found.append(lists(sampled(model, rows, range(9), tokens)[1]))
        after = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]
    assert found[0] == found[1]


def test_the_share_of_right_samples_is_that_of_all_of_them(fresh, rows, items, monkeypatch):
    probe = Probe(items[:4], rows, fresh[1].tokenizer, 8, samples=3)
    right, wrong = f"Answer: {items[0].answer}", "Answer: 77"
    texts = [right, right, wrong, *[wrong] * 9]
    ids = [torch.tensor(fresh[1].tokenizer(text)["input_ids"]) for text in texts]
    monkeypatch.setattr(
        "reassess.training.probe.greedy_and_sampled", lambda *_, **__: (ids[:1] * 4, ids)
    )
    greedy = probe.score(fresh[0])
    assert greedy[SAMPLED] == pytest.approx(2 / 12)
    assert greedy["probe_length"] == len(ids[0])


def train(method, fresh, rows, items, work, samples):
    """Train a copy of the model with a probe; return its weights and its history."""
    model = copy.deepcopy(fresh[0])
    probe = Probe(items[:6], rows.select(rows.ids[:6]), fresh[1].tokenizer, 8, samples, seed=3)
    options = {"work": work, "probe": probe, "order_seed": 2}
    if method == "sft":
        settings = SFT.model_copy(update={"probe_every": 2})
        outcome = train_sft(model, fresh[1], rows, settings, **options)
    else:
        settings = RL.model_copy(update={"probe_every": 2, "format_weight": 0.5})
        outcome = train_grpo(model, fresh[1], rows, items, settings, sampling_seed=4, **options)
    return model.state_dict(), outcome.history


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_samples_of_the_probe_leave_training_as_it_is(method, fresh, rows, items, tmp_path):
    runs = {n: train(method, fresh, rows, items, tmp_path / str(n), n) for n in (0, 1, 3)}
    weights, history = runs[0]
    assert values(history, SAMPLED) == []
    for samples in (1, 3):
        others, other = runs[samples]
        assert all(torch.equal(others[name], value) for name, value in weights.items())
        frames = [
            one.frame().query("metric not in [@SAMPLED, 'seconds']").reset_index(drop=True)
            for one in (history, other)
        ]
        assert frames[0].equals(frames[1])
        assert len(values(other, SAMPLED)) == len(values(history, "probe_accuracy")) > 2


def test_one_sample_is_no_word_in_a_spec_and_other_numbers_are():
    tree = {**DEFAULT, "methods": {"base": {}, "sft": {}}}
    study = {"question": "?", "models": ["llava-w32"], "methods": ["sft"], "sizes": [20]}
    hashes = {}
    for samples in (None, 0, 1, 2):
        arm = {} if samples is None else {"probe_samples": samples}
        methods = {**tree["methods"], "sft": arm}
        changed = {**tree, "methods": methods, "studies": {"one": study}}
        grid = Grid(MicroConfig.model_validate(changed))
        (cell,) = grid.cells.values()
        hashes[samples] = grid.specs.train_hash(cell)
    assert hashes[None] == hashes[1]
    assert len(set(hashes.values())) == 3
