"""What must not change a result: stock trainer or ours, run twice, interrupted or not."""

import copy
import shutil

import pytest
import torch

from reassess.bench.stock import stock_grpo_trainer
from reassess.core.errors import ReassessError
from reassess.training.checkpoints import weights_hash
from reassess.training.engine import check_loss, last_checkpoint
from reassess.training.history import MARKER
from reassess.training.layout import Layout
from reassess.training.loading import save_checkpoint
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.rl_trainer import PreprocessedGrpoTrainer
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


@pytest.mark.parametrize("checkpointing", [False, True])
def test_grpo_loss_and_gradient_are_the_stock_trainers(fresh, rows, items, tmp_path, checkpointing):
    """On fixed rollouts. Ours scores completion tokens alone and shares prompts; stock does not."""
    model, processor = fresh
    settings = RL.model_copy(update={"loss_type": "dapo", "temperature": 0.9, "max_steps": 1})
    seeds = {"order_seed": 1, "sampling_seed": 1}
    models = {name: copy.deepcopy(model) for name in ("rollouts", "stock", "ours")}
    batches = []

    class Recording(PreprocessedGrpoTrainer):
        def _compute_loss(self, model, inputs):
            batches.append(inputs)
            return super()._compute_loss(model, inputs)

    class Untrained(PreprocessedGrpoTrainer):
        def train(self, *_, **__):
            trainers.append(self)

    trainers = []
    for name, trainer_class in (("rollouts", Recording), ("ours", Untrained)):
        layout = Layout(gradient_checkpointing=checkpointing and name == "ours")
        options = {"work": tmp_path / name, "trainer_class": trainer_class, **seeds}
        options["layout"] = layout
        train_grpo(models[name], processor, rows, items, settings, **options)
    work = tmp_path / "stock"
    stock = stock_grpo_trainer(models["stock"], processor, items, settings, work=work, **seeds)
    # A batch whose rewards are all equal would have no gradient to compare.
    advantages = torch.linspace(-1, 1, len(batches[0]["advantages"]))
    batch = {**batches[0], "advantages": advantages}
    results = {}
    for name, trainer, inputs in (
        ("ours", trainers[0], batch),
        ("stock", stock, as_stock(batch, rows)),
    ):
        trainer.current_gradient_accumulation_steps = 1
        models[name].train()
        results[name] = trainer._compute_loss(models[name], inputs)
        results[name].backward()
    assert torch.allclose(results["ours"], results["stock"], atol=1e-6)
    compared = 0
    for (name, ours), theirs in zip(
        models["ours"].named_parameters(), models["stock"].parameters(), strict=True
    ):
        if theirs.grad is not None:
            assert torch.allclose(ours.grad, theirs.grad, atol=1e-5), name
            compared += float(theirs.grad.abs().sum()) > 0
    assert compared


def as_stock(batch, rows):
    """Return a generation batch as the stock trainer has it: every image, and all token fields."""
    inputs = dict(batch)
    indices = inputs.pop("row").tolist()
    inputs |= rows.images.batch(indices) | {"num_images": [1] * len(indices)}
    end = inputs["prompt_ids"].shape[1]
    width = end + inputs["completion_ids"].shape[1]
    for name, values in rows.token_fields.items():
        inputs[name] = torch.zeros((len(indices), width), dtype=values[0].dtype)
        for row, index in enumerate(indices):
            inputs[name][row, end - len(values[index]) : end] = values[index]
    return inputs


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
        match=r"loss became (nan|inf) at update \d+.*last good checkpoint is .*checkpoint-\d+",
    ):
        train_sft(model, processor, rows, settings, order_seed=1, work=tmp_path)
    assert last_checkpoint(tmp_path) is not None
    with pytest.raises(ReassessError, match="no checkpoint"):
        check_loss(torch.tensor(float("nan")), 0, tmp_path / "nothing")


def test_the_weights_hash_is_of_the_weights(fresh, tmp_path):
    save_checkpoint(*fresh, tmp_path / "a")
    save_checkpoint(*fresh, tmp_path / "b")
    assert weights_hash(tmp_path / "a") == weights_hash(tmp_path / "b")
    with torch.no_grad():
        next(fresh[0].parameters()).add_(1)
    save_checkpoint(*fresh, tmp_path / "b")
    assert weights_hash(tmp_path / "a") != weights_hash(tmp_path / "b")
