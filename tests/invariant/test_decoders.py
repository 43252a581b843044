"""Decoding without wrappers: the logits and the draws of the libraries, bit by bit."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache

from reassess.training import generate as generation
from reassess.training.adapters import add_adapters, bare
from reassess.training.decoders import LeanDecoder, StockDecoder, is_known
from reassess.training.generate import generate


def after_prompts(model, rows, indices, samples):
    """The cache, mask and positions after the prompts of rows."""
    model.eval()
    batch = rows.prompt_batch(indices, 0)
    if hasattr(model.base_model, "rope_deltas"):
        model.base_model.rope_deltas = None
    cache = DynamicCache(config=model.config.get_text_config())
    model(**batch, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(samples)
    mask = batch["attention_mask"].repeat_interleave(samples, dim=0)
    shift = getattr(model.base_model, "rope_deltas", None)
    if shift is not None:
        shift = mask.sum(dim=1, keepdim=True) + shift.repeat_interleave(samples, dim=0)
    return cache, mask, shift


@pytest.mark.parametrize("indices", [range(12), [3], range(5)])
@pytest.mark.parametrize("samples", [1, 3])
def test_logits_are_those_of_the_models_own_forward(fresh, rows, indices, samples):
    model = fresh[0]
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        lean = LeanDecoder(model, *after_prompts(model, rows, indices, samples), 20)
        stock = StockDecoder(model, *after_prompts(model, rows, indices, samples))
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
    pad, end = processor.tokenizer.pad_token_id, processor.tokenizer.eos_token_id
    with torch.no_grad():
        model.get_output_embeddings().weight[end] += 0.05  # so that rows end at different steps

    def completions():
        torch.manual_seed(5)
        options = {"pad": pad, "end": end, "max_new_tokens": 30, "temperature": temperature}
        return [row.tolist() for row in generate(model, rows, range(9), samples=2, **options)]

    lean = completions()
    monkeypatch.setattr(generation, "is_known", lambda model: False)
    assert completions() == lean
    assert temperature == 0 or len({len(row) for row in lean}) > 1


@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 70),
    tokens=st.integers(1, 500),
    spread=st.floats(0.0, 30.0),
    banned=st.booleans(),
)
@settings(max_examples=60)
def test_draws_are_those_of_multinomial(seed, rows, tokens, spread, banned):
    torch.manual_seed(seed)
    logits = torch.randn(rows, tokens) * spread
    if banned and tokens > 1:
        logits[:, 0] = float("-inf")
    torch.manual_seed(seed)
    theirs = torch.multinomial(logits.softmax(dim=-1), 1).flatten()
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    assert torch.equal(generation._sample(logits), theirs)
    assert torch.equal(torch.get_rng_state(), state)
