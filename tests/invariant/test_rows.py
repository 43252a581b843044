"""Preprocessed rows and generation from them: what the processor and transformers would give."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from reassess.core.errors import ReassessError
from reassess.data.pool import decode_image
from reassess.training.generate import generate, placeholders, until_end
from reassess.training.images import encode_images_once
from reassess.training.preprocessed import PreprocessedRows, preprocess
from reassess.worlds.micro.prompts import prompt


def test_prepared_rows_survive_saving(rows, tmp_path):
    rows.save(tmp_path / "rows.safetensors")
    loaded = PreprocessedRows.load(tmp_path / "rows.safetensors")
    assert loaded.ids == rows.ids
    for index in (0, len(rows) - 1):
        assert torch.equal(loaded.prompts[index], rows.prompts[index])
        assert torch.equal(loaded.completions[index], rows.completions[index])
        assert all(
            torch.equal(loaded.images.inputs(index)[name], value)
            for name, value in rows.images.inputs(index).items()
        )
    (tmp_path / "rows.safetensors").write_bytes(b"short")
    with pytest.raises(ReassessError, match="rows.safetensors is damaged"):
        PreprocessedRows.load(tmp_path / "rows.safetensors")
    with pytest.raises(ReassessError, match="not preprocessed.*nobody"):
        loaded.select(["nobody"])


def test_sft_labels_are_the_completion_and_the_end_token_alone(rows, fresh):
    batch = rows.sft_batch([0, 1, 2], fresh[1].tokenizer.pad_token_id)
    for place, index in enumerate([0, 1, 2]):
        kept = batch["labels"][place][batch["labels"][place] != -100]
        assert torch.equal(kept, rows.completions[index])
        assert kept[-1] == fresh[1].tokenizer.eos_token_id


def test_the_prepared_prompt_is_what_the_processor_makes_of_the_messages(rows, fresh, items):
    processor = fresh[1]
    text = processor.apply_chat_template(
        prompt(items[4]), add_generation_prompt=True, tokenize=False
    )
    alone = processor(text=[text], images=[[decode_image(items[4])]], return_tensors="pt")
    assert torch.equal(alone["input_ids"][0], rows.prompts[4])
    assert torch.equal(alone["pixel_values"], rows.images.inputs(4)["pixel_values"])


def painted(item, size, seed):
    """Return the item with an image of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(noise).save(out, format="PNG")
    return replace(item, id=f"painted-{seed}", image=out.getvalue())


def test_rows_of_one_text_are_what_each_is_alone(fresh, family, items):
    """Their tokens are shared where their images have one size, their pixels never."""
    sizes = [(48, 48)] if family == "llava" else [(48, 48), (64, 32), (90, 70)]
    asked = [items[0], items[1], items[0]]
    shown = [painted(asked[seed % 3], sizes[seed // 3 % len(sizes)], seed) for seed in range(27)]
    shown += [replace(item, id=f"{item.id}-words", image=None) for item in (*asked, items[2])]
    texts = [f"Answer: {place % 4}" for place in range(len(shown))]
    together = preprocess(shown, texts, fresh[1], prompt)
    for place, (item, text) in enumerate(zip(shown, texts)):
        alone = preprocess([item], [text], fresh[1], prompt)
        assert torch.equal(together.prompts[place], alone.prompts[0])
        assert torch.equal(together.completions[place], alone.completions[0])
        assert together.token_fields.keys() == alone.token_fields.keys()
        for name, values in alone.token_fields.items():
            assert len(together.token_fields[name]) == len(shown)
            assert torch.equal(together.token_fields[name][place], values[0])
        assert together.images.has(place) is alone.images.has(0)
        if alone.images.has(0):
            inputs = together.images.inputs(place)
            assert inputs.keys() == alone.images.inputs(0).keys()
            for name, value in alone.images.inputs(0).items():
                assert torch.equal(inputs[name], value), name
    lazy = preprocess(shown, None, fresh[1], prompt, keep_pixels=family == "llava")
    assert all(map(torch.equal, lazy.prompts, together.prompts))


def test_nothing_is_preprocessed_to_no_rows(fresh):
    assert len(preprocess([], [], fresh[1], prompt)) == 0


def test_a_completion_never_holds_a_placeholder(fresh, rows):
    model, processor = fresh
    banned = placeholders(model)
    assert processor.tokenizer.convert_tokens_to_ids("<|image_pad|>") in banned
    with torch.no_grad():
        model.get_output_embeddings().weight[banned] *= 40  # the model wants nothing else
    for temperature in (0.0, 1.0):
        pad, end = processor.tokenizer.pad_token_id, processor.tokenizer.eos_token_id
        found = generate(
            model, rows, range(8), pad=pad, end=end, max_new_tokens=10, temperature=temperature
        )
        assert not {int(token) for row in found for token in row} & set(banned)


@pytest.mark.parametrize("with_image", ["all", "none", "some"])
def test_greedy_generation_is_that_of_transformers(fresh, items, with_image):
    model, processor = fresh
    keep = {
        "all": lambda index: True,
        "none": lambda index: False,
        "some": lambda index: index % 2 == 0,
    }[with_image]
    shown = [
        item if keep(index) else replace(item, image=None) for index, item in enumerate(items[:12])
    ]
    rows = preprocess(shown, None, processor, prompt)
    pad, end = processor.tokenizer.pad_token_id, processor.tokenizer.eos_token_id
    batch = rows.prompt_batch(range(12), pad)
    theirs = model.eval().generate(
        **batch, max_new_tokens=14, do_sample=False, suppress_tokens=placeholders(model)
    )[:, batch["input_ids"].shape[1] :]
    ours = generate(model, rows, range(12), pad=pad, end=end, max_new_tokens=14)
    assert [row.tolist() for row in ours] == [row.tolist() for row in until_end(theirs, end)]


def test_samples_follow_the_model_whatever_leaves_the_batch(fresh, rows):
    """Early ends shrink the batch; near temperature 0 samples must still be the greedy ones."""
    model, processor = fresh
    pad, end = processor.tokenizer.pad_token_id, processor.tokenizer.eos_token_id
    with torch.no_grad():
        model.get_output_embeddings().weight[end] += 0.05  # so that rows end at different steps
    torch.manual_seed(0)
    found = generate(
        model, rows, [0, 1, 2], pad=pad, end=end, max_new_tokens=30, temperature=1e-4, samples=3
    )
    greedy = generate(model, rows, [0, 1, 2], pad=pad, end=end, max_new_tokens=30)
    assert [row.tolist() for row in found] == [greedy[index // 3].tolist() for index in range(9)]


def test_encoding_each_image_once_changes_neither_output_nor_gradient(fresh, rows):
    model, processor = fresh
    pad = processor.tokenizer.pad_token_id
    slots = [0, 1, 0, 2, 1, 0]
    batch = rows.sft_batch(slots, pad)
    model(**batch).loss.backward()
    stock = {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    model.zero_grad()
    shared = {**batch, "pixel_values": rows.images.batch([0, 1, 2])["pixel_values"]}
    with encode_images_once(model, torch.tensor(slots)):
        output = model(**shared)
    assert torch.allclose(output.logits, model(**batch).logits, atol=1e-5)
    output.loss.backward()
    for name, gradient in stock.items():
        assert torch.allclose(dict(model.named_parameters())[name].grad, gradient, atol=1e-5), name
