"""What must not change a result: stock trainer or ours, one process or another, interrupted or not, pictures shared or not."""

import copy
import shutil

import pytest
import torch

from reassess.core.errors import ReassessError
from reassess.training.dynamic_sampling import (
    choose_groups,
    dynamic_sampling_trainer,
    groups_with_variance,
    merge_groups,
)
from reassess.training.engine import check_loss, last_checkpoint
from reassess.training.generate import generate, placeholders, until_end
from reassess.training.history import MARKER
from reassess.training.images import encode_images_once
from reassess.training.loading import save_checkpoint, weights_hash
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings

SFT = SftSettings(max_steps=6, batch_size=8, save_every=2, warmup_steps=1)
RL = RlSettings(
    max_steps=2, prompts_per_step=3, num_generations=4, max_completion_length=12, save_every=1
)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def timeless(history):
    frame = history.frame()
    return frame[frame["metric"] != "seconds"].reset_index(drop=True).to_dict("records")


def fit(model, processor, rows, work, settings=SFT, seed=3):
    model = copy.deepcopy(model)
    history, resumed = train_sft(model, processor, rows, settings, order_seed=seed, work=work)
    return weights(model), history, resumed


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
    from reassess.data.pool import decode_image
    from reassess.worlds.micro.prompts import prompt

    processor = fresh[1]
    text = processor.apply_chat_template(
        prompt(items[4]), add_generation_prompt=True, tokenize=False
    )
    alone = processor(text=[text], images=[[decode_image(items[4])]], return_tensors="pt")
    assert torch.equal(alone["input_ids"][0], rows.prompts[4])
    assert torch.equal(alone["pixel_values"], rows.images.inputs(4)["pixel_values"])


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


@pytest.mark.parametrize("pictured", ["all", "none", "some"])
def test_greedy_generation_is_that_of_transformers(fresh, items, pictured):
    from dataclasses import replace

    from reassess.training.preprocessed import preprocess
    from reassess.worlds.micro.prompts import prompt

    model, processor = fresh
    keep = {
        "all": lambda index: True,
        "none": lambda index: False,
        "some": lambda index: index % 2 == 0,
    }[pictured]
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
    assert [row.tolist() for row in ours] == [until_end(row, end).tolist() for row in theirs]


def test_samples_follow_the_model_whatever_leaves_the_batch(fresh, rows):
    """Early ends shrink the batch; every completion must still be one its own prompt gives: scored tokens are likely ones."""
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


def test_encoding_each_picture_once_changes_neither_output_nor_gradient(fresh, rows):
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


def test_grpo_loss_and_gradient_are_the_stock_trainers(fresh, rows, items, tmp_path, family):
    """Fixed rollouts, one loss: ours scores completion tokens only and shares pictures, the stock trainer does neither."""
    from reassess.bench.stock import stock_grpo_trainer

    model, processor = fresh
    settings = RL.model_copy(update={"loss_type": "dapo", "temperature": 0.9, "max_steps": 1})
    captured = {}

    from reassess.training.rl_trainer import PreprocessedGrpoTrainer

    class Capturing(PreprocessedGrpoTrainer):
        def _compute_loss(self, model, inputs):
            captured["inputs"] = inputs
            loss = super()._compute_loss(model, inputs)
            captured["loss"] = loss.detach().clone()
            captured["gradient"] = torch.autograd.grad(
                loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True
            )
            return super()._compute_loss(model, inputs)

    start, ours_model = (
        copy.deepcopy(model),
        copy.deepcopy(model),
    )  # before a trainer wraps their forward
    order = {"order_seed": 1, "sampling_seed": 1}
    train_grpo(
        model,
        processor,
        rows,
        items,
        settings,
        work=tmp_path / "ours",
        trainer_class=Capturing,
        **order,
    )
    stock = stock_grpo_trainer(start, processor, items, settings, work=tmp_path / "stock", **order)
    stock.current_gradient_accumulation_steps = 1
    start.train()
    inputs = dict(captured["inputs"])
    # A batch whose rewards are all equal would have no gradient to compare.
    inputs["advantages"] = torch.linspace(-1, 1, len(inputs["advantages"]))
    ours = {**captured["inputs"], "advantages": inputs["advantages"]}
    row_indices = inputs.pop("row").tolist()
    inputs |= rows.images.batch(row_indices) | {"num_images": [1] * len(row_indices)}
    width = inputs["prompt_ids"].shape[1] + inputs["completion_ids"].shape[1]
    for name, values in rows.token_fields.items():
        inputs[name] = torch.zeros((len(row_indices), width), dtype=values[0].dtype)
        for row, index in enumerate(row_indices):
            end = inputs["prompt_ids"].shape[1]
            inputs[name][row, end - len(values[index]) : end] = values[index]
    expected = stock._compute_loss(start, inputs)
    expected.backward()
    trainer = _prepared_trainer(
        ours_model, processor, rows, items, settings, tmp_path / "again", order
    )
    loss = trainer._compute_loss(ours_model, ours)
    loss.backward()
    assert torch.allclose(loss, expected, atol=1e-6)
    assert float(sum(p.grad.abs().sum() for p in start.parameters() if p.grad is not None)) > 0
    for (name, mine), theirs in zip(ours_model.named_parameters(), start.parameters(), strict=True):
        if theirs.grad is not None:
            assert torch.allclose(mine.grad, theirs.grad, atol=1e-5), name


def _prepared_trainer(model, processor, rows, items, settings, work, order):
    from reassess.training.rl_trainer import PreprocessedGrpoTrainer

    held = {}

    class Held(PreprocessedGrpoTrainer):
        def train(self, *_, **__):
            held["trainer"] = self

    train_grpo(model, processor, rows, items, settings, work=work, trainer_class=Held, **order)
    held["trainer"].current_gradient_accumulation_steps = 1
    model.train()
    return held["trainer"]


def test_sft_twice_is_the_same_and_another_seed_is_not(fresh, rows, tmp_path):
    first, _, _ = fit(*fresh, rows, tmp_path / "a")
    again, _, _ = fit(*fresh, rows, tmp_path / "b")
    other, _, _ = fit(*fresh, rows, tmp_path / "c", seed=4)
    assert same(first, again)
    assert not same(first, other)


def test_grpo_twice_is_the_same(fresh, rows, items, tmp_path):
    found = []
    for name in ("a", "b"):
        model = copy.deepcopy(fresh[0])
        seeds = {"order_seed": 1, "sampling_seed": 2}
        history, _ = train_grpo(model, fresh[1], rows, items, RL, work=tmp_path / name, **seeds)
        found.append((weights(model), [row for row in history.rows if row[1] != "seconds"]))
    assert same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("half_written", [False, True])
def test_sft_resumed_is_bit_identical(fresh, rows, tmp_path, half_written):
    whole, history, _ = fit(*fresh, rows, tmp_path / "whole")
    # What a kill after update 4 leaves: checkpoints up to 4, the last perhaps half-written.
    shutil.copytree(
        tmp_path / "whole", tmp_path / "killed", ignore=shutil.ignore_patterns("checkpoint-6")
    )
    if half_written:
        (tmp_path / "killed" / "checkpoint-4" / MARKER).unlink()
        (tmp_path / "killed" / "checkpoint-4" / "model.safetensors").write_bytes(b"half")
        fit(*fresh, rows, tmp_path / "start", SFT.model_copy(update={"max_steps": 6}))
        shutil.copytree(tmp_path / "start" / "checkpoint-6", tmp_path / "killed" / "checkpoint-99")
        (tmp_path / "killed" / "checkpoint-99" / MARKER).unlink()
    resumed, its_history, was_resumed = fit(*fresh, rows, tmp_path / "killed")
    assert was_resumed is not half_written
    assert same(whole, resumed)
    assert timeless(history) == timeless(its_history)
    assert its_history.totals["tokens"] == history.totals["tokens"]


def test_only_whole_trainer_checkpoints_count(tmp_path):
    for step, whole in ((2, True), (4, True), (10, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if whole:
            (tmp_path / f"checkpoint-{step}" / MARKER).write_text("{}")
    assert last_checkpoint(tmp_path).name == "checkpoint-4"
    assert not (tmp_path / "checkpoint-10").exists()
    assert last_checkpoint(tmp_path / "nothing") is None


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(fresh, rows, tmp_path):
    model, processor = copy.deepcopy(fresh)
    settings = SFT.model_copy(
        update={"learning_rate": 1e12, "max_grad_norm": 1e30, "max_steps": 60, "save_every": 1}
    )
    with pytest.raises(
        ReassessError,
        match=r"the loss became (nan|inf) at update \d+; training stopped, the last good checkpoint is",
    ):
        train_sft(model, processor, rows, settings, order_seed=1, work=tmp_path)
    assert last_checkpoint(tmp_path) is not None
    with pytest.raises(ReassessError, match="no checkpoint had been written yet"):
        check_loss(torch.tensor(float("nan")), 0, tmp_path / "nothing")


def test_dynamic_sampling_keeps_groups_that_teach(fresh, rows, items, tmp_path):
    model, processor = copy.deepcopy(fresh)
    trainer = dynamic_sampling_trainer(2)
    settings = RL.model_copy(update={"loss_type": "dapo"})
    history, _ = train_grpo(
        model,
        processor,
        rows,
        items,
        settings,
        order_seed=1,
        sampling_seed=1,
        work=tmp_path,
        trainer_class=trainer,
    )
    shares = [value for _, name, value in history.rows if name == "resampled_share"]
    assert len(shares) == 2
    # Fresh weights earn nothing: every group is without variance, so every round is drawn.
    assert shares == [1.0, 1.0]
    assert history.totals["samples"] == 2 * 3 * 12


def test_groups_are_chosen_by_variance_then_age():
    advantages = torch.tensor([0.0, 0.0, 1.0, -1.0, 0.0, 0.0])
    assert groups_with_variance(advantages, 2) == [1]
    assert choose_groups([[1], [0, 2]], 3) == [(0, 1), (1, 0), (1, 2)]
    assert choose_groups([[1], []], 3) == [(0, 1), (0, 0), (0, 2)]
    assert choose_groups([[0, 1, 2], [0]], 3) == [(0, 0), (0, 1), (0, 2)]


def test_merged_groups_are_padded_to_common_widths():
    def batch(prompt, completion, fill):
        shape = {"prompt": (4, prompt), "completion": (4, completion)}
        return {
            "prompt_ids": torch.full(shape["prompt"], fill),
            "prompt_mask": torch.ones(shape["prompt"], dtype=torch.long),
            "completion_ids": torch.full(shape["completion"], fill),
            "completion_mask": torch.ones(shape["completion"], dtype=torch.long),
            "advantages": torch.arange(4.0) + 10 * fill,
            "row": torch.arange(4) + 10 * fill,
            "num_items_in_batch": torch.tensor(4 * completion),
        }

    merged = merge_groups([batch(3, 2, 1), batch(2, 5, 2)], [(0, 1), (1, 0)], 2, pad=0)
    assert merged["prompt_ids"].tolist() == [[1, 1, 1], [1, 1, 1], [0, 2, 2], [0, 2, 2]]
    assert merged["completion_ids"][0].tolist() == [1, 1, 0, 0, 0]
    assert merged["advantages"].tolist() == [12.0, 13.0, 20.0, 21.0]
    assert merged["row"].tolist() == [12, 13, 20, 21]
    assert merged["completion_mask"].sum() == 2 * 2 + 2 * 5


def test_the_weights_hash_is_of_the_weights(fresh, tmp_path):
    save_checkpoint(*fresh, tmp_path / "a")
    save_checkpoint(*fresh, tmp_path / "b")
    assert weights_hash(tmp_path / "a") == weights_hash(tmp_path / "b")
    with torch.no_grad():
        next(fresh[0].parameters()).add_(1)
    save_checkpoint(*fresh, tmp_path / "b")
    assert weights_hash(tmp_path / "a") != weights_hash(tmp_path / "b")
