"""Decoding without wrappers: the logits of the libraries bit by bit, and draws by probability."""

import copy
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reassess.training import generate as generation
from reassess.training.adapters import add_adapters, bare
from reassess.training.decoders import LeanDecoder, StockDecoder, is_known
from reassess.training.generate import generate
from reassess.training.prompts import encode_prompts


def after_prompts(model, rows, indices, samples):
    """The prompts of rows, encoded, each as often as it has samples."""
    model.eval()
    which = torch.arange(len(indices)).repeat_interleave(samples)
    return encode_prompts(model, rows.prompt_batch(indices, 0)).take(which)


@pytest.mark.parametrize("indices", [range(12), [3], range(5)])
@pytest.mark.parametrize("samples", [1, 3])
def test_logits_are_those_of_the_models_own_forward(fresh, rows, indices, samples):
    model = fresh[0]
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        lean = LeanDecoder(model, after_prompts(model, rows, indices, samples), 20)
        stock = StockDecoder(model, after_prompts(model, rows, indices, samples))
        left = len(indices) * samples
        for step in range(20):
            if step in {6, 13} and left > 2:
                kept = torch.randperm(left, generator=generator)[: left // 2].sort().values
                left = len(kept)
                lean.keep(kept)
                stock.keep(kept)
            tokens = torch.randint(10, 300, (left,), generator=generator)
            assert torch.equal(lean(tokens), stock(tokens)), step


def test_the_families_of_the_world_are_decoded_without_wrappers(fresh):
    assert is_known(fresh[0])


@pytest.mark.parametrize("change", ["adapters", "attention", "precision", "hook", "bias"])
def test_a_model_with_anything_added_is_decoded_by_its_own_forward(fresh, change):
    model = copy.deepcopy(fresh[0])
    layer = model.base_model.language_model.layers[1]
    if change == "adapters":
        model = bare(add_adapters(model, 4, seed=1))
    elif change == "attention":
        model.set_attn_implementation("eager")
    elif change == "precision":
        model = model.bfloat16()
    elif change == "hook":
        layer.mlp.register_forward_hook(lambda *_: None)
    else:
        layer.mlp.up_proj.bias = torch.nn.Parameter(torch.ones(layer.mlp.up_proj.out_features))
    assert not is_known(model)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_completions_are_those_of_the_own_forward(fresh, rows, monkeypatch, temperature):
    model, processor = fresh

    def completions(end):
        torch.manual_seed(5)
        options = {"pad": processor.tokenizer.pad_token_id, "end": end, "max_new_tokens": 30}
        found = generate(model, rows, range(9), samples=2, temperature=temperature, **options)
        return [row.tolist() for row in found]

    # A token that comes now and then, so that rows end at different steps.
    counts = Counter(
        token for row in completions(processor.tokenizer.eos_token_id) for token in row
    )
    end = min(counts, key=lambda token: abs(counts[token] - 6))
    lean = completions(end)
    assert len({len(row) for row in lean}) > 1
    monkeypatch.setattr(generation, "is_known", lambda model: False)
    assert completions(end) == lean


@given(
    weights=st.lists(st.integers(0, 6), min_size=2, max_size=9).filter(any),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_tokens_are_drawn_by_their_probabilities(weights, seed):
    """The shares of many draws are within five standard errors; what has no probability: never."""
    torch.manual_seed(seed)
    logits = torch.tensor(weights, dtype=torch.float32).log()
    rows = 4000
    counts = torch.bincount(
        generation._sample(logits.expand(rows, -1) + 3.0), minlength=len(weights)
    )
    for weight, count in zip(weights, counts.tolist(), strict=True):
        share = weight / sum(weights)
        assert abs(count / rows - share) <= 5 * (share * (1 - share) / rows) ** 0.5


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
@pytest.mark.parametrize("banned", [[0], [5], [0, 1, 5]])
def test_a_token_without_probability_is_not_drawn_at_the_ends_either(monkeypatch, uniform, banned):
    logits = torch.randn((64, 6), generator=torch.Generator().manual_seed(1))
    logits[:, banned] = float("-inf")
    monkeypatch.setattr(torch, "rand_like", lambda like: torch.full_like(like, uniform))
    drawn = generation._sample(logits)
    assert set(drawn.tolist()).isdisjoint(banned)
    allowed = [token for token in range(6) if token not in banned]
    assert set(drawn.tolist()) == {allowed[0] if uniform == 0 else allowed[-1]}


def test_a_row_takes_one_random_number():
    torch.manual_seed(4)
    generation._sample(torch.zeros(7, 300))
    state = torch.get_rng_state()
    torch.manual_seed(4)
    torch.rand((7, 1), dtype=torch.float64)
    assert torch.equal(torch.get_rng_state(), state)
