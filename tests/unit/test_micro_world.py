"""The generated world: right answers, splits that follow their rules, models that load offline."""

import json
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reassess.grid.benchmarks import benchmarks_of
from reassess.worlds.micro import base_mix
from reassess.worlds.micro.items import RULES, benchmark_rule, make_item
from reassess.worlds.micro.questions import FAMILIES, Question, draw_question
from reassess.worlds.micro.scenes import (
    ALL_COMBINATIONS,
    COLOURS,
    SHAPES,
    UNSEEN,
    describe,
    image_hash,
    render,
    scene_hash,
)
from reassess.worlds.micro.traces import chain_of_thought

scenes = st.lists(
    st.one_of(st.none(), st.sampled_from(ALL_COMBINATIONS)), min_size=9, max_size=9
).map(tuple)
colour_pairs = st.permutations(list(COLOURS)).map(lambda names: names[:2])


def brute_force(scene, question):
    """Answer by reading the question's words, not its fields."""
    words = re.findall(r"\w+", question.text)
    cells = [" ".join(filling) if filling else "" for filling in scene]
    colours = [word for word in words if word in COLOURS]
    shapes = [word[:-1] for word in words if word[:-1] in SHAPES]
    if "rows" in words:
        rows = (cells[start : start + 3] for start in (0, 3, 6))
        return str(sum(any(colours[0] in cell.split() for cell in row) for row in rows))
    if "more" in words:
        first, second = (sum(colour in cell.split() for cell in cells) for colour in colours)
        return "equal" if first == second else colours[0] if first > second else colours[1]
    if colours and shapes:
        return str(sum(cell == f"{colours[0]} {shapes[0]}" for cell in cells))
    if shapes:
        return str(sum(shapes[0] in cell.split() for cell in cells))
    return str(sum(any(colour in cell.split() for colour in colours) for cell in cells))


@given(scenes, st.sampled_from(FAMILIES), colour_pairs, st.sampled_from(SHAPES))
def test_answers_are_those_of_a_brute_force_reading(scene, family, colours, shape):
    first, second = {"shape": (shape, None), "both": (colours[0], shape)}.get(
        family, (colours[0], colours[1])
    )
    question = Question(family, first, second if family in ("both", "either", "more") else None)
    assert question.answer(scene) == brute_force(scene, question)


@given(scenes, st.integers(0, 2**31), st.sampled_from(["native", "words"]))
def test_a_chain_of_thought_ends_in_its_last_state_and_in_the_answer(scene, seed, style):
    question = draw_question(np.random.default_rng(seed), scene)
    trace = chain_of_thought(scene, question, style)
    reasoning, answer = re.fullmatch(r"(.*)\. Answer: (\w+)", trace).groups()
    assert answer == question.answer(scene)
    last = reasoning.split()[-1]
    if question.family != "more":
        assert last == answer
    else:
        balance = -int(last[4:]) if last.startswith("less") else int(last)
        assert answer == (
            "equal" if balance == 0 else question.first if balance > 0 else question.second
        )


@given(scenes, st.integers(0, 2**31), st.sampled_from([0, 2, 3]))
@settings(max_examples=60)
def test_the_perceptual_hash_is_that_of_the_scene_whatever_the_jitter(scene, seed, jitter):
    expected = "".join(
        "--" if filling is None else filling[0][0] + filling[1][0] for filling in scene
    )
    assert image_hash(render(scene, np.random.default_rng(seed), jitter)) == expected


def test_scenes_that_differ_in_one_cell_have_other_hashes():
    scene = (ALL_COMBINATIONS[0],) * 9
    other = (*scene[:8], None)
    assert scene_hash(scene) != scene_hash(other)
    assert describe(other).endswith("nothing")


def test_images_are_48_pixels_of_even_colours():
    image = render((ALL_COMBINATIONS[0],) * 9, np.random.default_rng(0), 2)
    assert image.size == (48, 48)
    assert set(image.getdata()) == {(127, 127, 127), COLOURS[ALL_COMBINATIONS[0][0]]}
    assert isinstance(image, Image.Image)


ALL_RULES = RULES | {
    name: benchmark_rule(name, benchmark.metadata["scenes"])
    for name, benchmark in benchmarks_of("micro").items()
    if "in_words" not in benchmark.metadata["scenes"]
}


def made(split, seed, index, forbidden=frozenset()):
    return make_item(split, seed, index, forbidden, ALL_RULES[split])


@pytest.mark.parametrize("split", sorted(ALL_RULES))
def test_items_depend_on_seed_and_index_alone(split):
    forward = [made(split, 3, index) for index in range(12)]
    backward = [made(split, 3, index) for index in reversed(range(12))]
    assert forward == backward[::-1]
    assert forward != [made(split, 4, index) for index in range(12)]


@pytest.mark.parametrize("split", sorted(ALL_RULES))
def test_splits_keep_their_rules(split):
    rule, items = ALL_RULES[split], [made(split, 3, index) for index in range(60)]
    fillings = [[tuple(cell) for cell in json.loads(item.scene) if cell] for item in items]
    assert {filling for scene in fillings for filling in scene} <= set(rule.combinations)
    assert all(sum(cell in UNSEEN for cell in scene) >= rule.unseen_cells for scene in fillings)
    assert {item.family for item in items} <= set(rule.families)
    if rule.smallest_answer:
        assert all(int(item.answer) >= rule.smallest_answer for item in items)
    elif not rule.unseen_cells:
        assert abs(np.mean([item.filled for item in items]) / 9 - rule.fill) < 0.08


def test_only_the_split_of_new_combinations_and_no_training_data_has_them():
    trained = ("train", "probe", "base1", "base2", "teacher")
    assert all(not set(ALL_RULES[split].combinations) & set(UNSEEN) for split in trained)
    assert ALL_RULES["combo"].unseen_cells >= 2
    assert {made("train", 3, index).family for index in range(60)} == set(FAMILIES)


def test_a_forbidden_scene_is_drawn_again():
    first = made("iid", 3, 0)
    again = made("iid", 3, 0, {first.scene_hash})
    assert again.scene_hash != first.scene_hash
    assert made("iid", 3, 0, {first.image_hash}).image_hash != first.image_hash


@pytest.mark.parametrize("split", ["base1", "base2", "teacher"])
def test_an_item_in_words_is_the_one_with_an_image_without_it(split):
    for index in range(12):
        drawn = make_item(split, 3, index)
        assert make_item(split, 3, index, in_words=True) == replace(drawn, image=None)


def test_what_files_keep_is_png():
    assert made("train", 3, 0).image.startswith(b"\x89PNG")
    assert made("iid", 3, 0).image.startswith(b"\x89PNG")
    assert made("base1", 3, 0).image.startswith(b"BM")


@given(st.integers(0, 2**31), st.sampled_from(["noise", "near grey", "specks"]))
@settings(max_examples=30)
def test_the_perceptual_hash_of_any_image_is_that_of_its_cells(seed, kind):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (48, 48, 3))
    if kind == "near grey":
        pixels = 127 + generator.integers(-30, 31, (48, 48, 3))
    elif kind == "specks":
        pixels = np.where(generator.random((48, 48, 1)) < 0.01, pixels, 127)
    image = Image.fromarray(pixels.astype(np.uint8))
    corners = [(column, row) for row in (0, 16, 32) for column in (0, 16, 32)]
    cells = [pixels[row : row + 16, column : column + 16] for column, row in corners]
    assert image_hash(image) == "".join(map(code_of_cell, cells))


def code_of_cell(cell):
    """Return a cell's code, pixel by pixel."""
    spots = [
        (row, column)
        for row, column in product(range(16), repeat=2)
        if sum(abs(int(value) - 127) for value in cell[row, column]) > 60
    ]
    if not spots:
        return "--"
    means = [sum(int(cell[spot][channel]) for spot in spots) / len(spots) for channel in range(3)]
    nearest = min(COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(means, COLOURS[name])))
    rows, columns = zip(*spots)
    share = len(spots) / ((max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1))
    return nearest[0] + ("s" if share > 0.95 else "c" if share > 0.68 else "t")


@pytest.mark.parametrize(("stage", "reasoned"), [(1, 0.5), (2, 0.1)])
def test_the_base_mix_has_its_shares(stage, reasoned):
    pairs = base_mix.base_items(1, 400, stage)
    assert abs(np.mean([item.image is None for item, _ in pairs]) - 0.25) < 0.08
    assert abs(np.mean([not text.startswith("Answer") for _, text in pairs]) - reasoned) < 0.08
    assert all(text.endswith(f"Answer: {item.answer}") for item, text in pairs)


def test_teacher_items_all_reason_on_images():
    pairs = base_mix.teacher_items(1, 30)
    assert all(item.image is not None and not text.startswith("Answer") for item, text in pairs)


@pytest.mark.parametrize(
    ("family_name", "width", "count"),
    [
        ("llava", 32, 77_024),
        ("llava", 64, 232_896),
        ("qwen3-vl", 32, 98_848),
        ("qwen3-vl", 64, 354_368),
    ],
)
def test_models_have_their_size(tokenizer_dir, family_name, width, count):
    from reassess.worlds.micro.models import build_model

    model, _ = build_model(family_name, width, 1, tokenizer_dir)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_checkpoints_load_by_the_auto_classes_offline(fresh, rows, tmp_path):
    import torch

    from reassess.training.loading import load_model, load_processor, save_checkpoint

    model, processor = fresh
    save_checkpoint(model, processor, tmp_path / "checkpoint")
    batch = rows.sft_batch(range(4), processor.tokenizer.pad_token_id)
    loaded = load_model(tmp_path / "checkpoint")
    assert torch.equal(model.eval()(**batch).logits, loaded.eval()(**batch).logits)
    assert load_processor(tmp_path / "checkpoint").chat_template == processor.chat_template
    assert loaded.generation_config.eos_token_id == processor.tokenizer.eos_token_id


def test_a_missing_shard_is_named(fresh, tmp_path):
    from reassess.core.errors import ReassessError
    from reassess.training.loading import load_model, save_checkpoint

    model, processor = fresh
    model.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    shard = sorted((tmp_path / "sharded").glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(ReassessError, match=shard.name):
        load_model(tmp_path / "sharded")
    save_checkpoint(model, processor, tmp_path / "whole")
    (tmp_path / "whole" / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ReassessError, match="damaged"):
        load_model(tmp_path / "whole")
    with pytest.raises(ReassessError, match="no checkpoint"):
        load_model(tmp_path / "nowhere")


def test_prompts_put_the_question_before_nine_image_tokens(fresh, rows, items):
    tokenizer = fresh[1].tokenizer
    text = tokenizer.decode(rows.prompts[0])
    assert text.startswith(f"<|im_start|>user\n{items[0].question}<|vision_start|>")
    assert text.count("<|image_pad|>") == 9
    assert text.endswith("<|im_start|>assistant\n")
    assert max(map(len, rows.prompts)) <= 30
    assert max(map(len, rows.completions)) <= 34


def test_words_survive_the_tokenizer(fresh, items):
    from reassess.worlds.micro.traces import render_trace

    tokenizer = fresh[1].tokenizer
    for item in items:
        for text in (item.question, render_trace(item, "words"), f" Scene: {item.scene_text}."):
            assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
