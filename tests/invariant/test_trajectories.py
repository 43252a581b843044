"""Committed loss trajectories of tiny runs, which equivalent configurations must follow.

After a change that is meant to change them, delete the old ones, write new ones by
`REASSESS_WRITE=1 pytest tests/invariant/test_trajectories.py`, and give the reason in the commit.
"""

import json
import os
from pathlib import Path

import pytest
from small_runs import RL, SFT, sft, sft_in_processes, values

from reassess.training.layout import Layout
from reassess.training.loading import load_model, save_checkpoint
from reassess.training.preprocessed import PreprocessedRows, preprocess
from reassess.training.rl import train_grpo
from reassess.training.sft import PreprocessedSftTrainer, train_sft
from reassess.worlds.micro.prompts import prompt
from reassess.worlds.micro.traces import render_trace

COMMITTED = Path(__file__).with_name("trajectories.json")
TOLERANCE = 5e-5  # of a loss of about 5: another kind of processor adds up in another order
START = SFT.model_copy(update={"max_steps": 150, "learning_rate": 3e-3, "save_every": 1000})
GRPO = RL.model_copy(update={"format_weight": 0.5, "max_completion_length": 40})


def follows(name, metrics):
    """Compare a run with the committed one; the first update that differs is named."""
    committed = json.loads(COMMITTED.read_text()) if COMMITTED.is_file() else {}
    if os.environ.get("REASSESS_WRITE") and name not in committed:
        committed[name] = metrics
        COMMITTED.write_text(json.dumps(committed, indent=1, sort_keys=True) + "\n")
    assert set(metrics) == set(committed[name])
    for metric, numbers in metrics.items():
        assert len(numbers) == len(committed[name][metric])
        for step, (number, expected) in enumerate(
            zip(numbers, committed[name][metric], strict=True), start=1
        ):
            assert number == pytest.approx(expected, abs=TOLERANCE), (
                f"{name}: {metric} leaves the committed trajectory at update {step}"
            )


def follows_sft(family, history):
    follows(f"sft {family}", {"loss": values(history, "loss")})


@pytest.mark.parametrize("micro_batch", [None, 1])
def test_sft_at_once_and_row_by_row(fresh, rows, family, tmp_path, micro_batch):
    follows_sft(family, sft(fresh, rows, tmp_path, Layout(micro_batch=micro_batch))[0])


def test_sft_resumed(fresh, rows, family, tmp_path, cut_at):
    with cut_at(PreprocessedSftTrainer, 3):
        sft(fresh, rows, tmp_path)
    follows_sft(family, sft(fresh, rows, tmp_path)[0])


@pytest.mark.parametrize("family", ["qwen3-vl"], indirect=True)
def test_sft_on_rows_whose_images_are_processed_batch_by_batch(fresh, items, family, tmp_path):
    """As in the hub world, where the images of all rows together would not fit into memory."""
    traces = [render_trace(item, "native") for item in items]
    later = preprocess(items, traces, fresh[1], prompt, keep_pixels=False)
    later.save(tmp_path / "rows.safetensors")
    loaded = PreprocessedRows.load(tmp_path / "rows.safetensors")
    streamed = loaded.process_later(items, fresh[1])
    follows_sft(family, sft(fresh, streamed, tmp_path / "work")[0])


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llava"], indirect=True)
def test_sft_in_two_processes(fresh, rows, family, tmp_path):
    losses = sft_in_processes(fresh, rows, tmp_path, 2)["losses"]
    follows(f"sft {family}", {"loss": losses})


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Checkpoints by family that can already write an answer; without rewards nothing moves."""
    return {"folder": tmp_path_factory.mktemp("taught")}


@pytest.mark.parametrize("micro_batch", [None, 4])
def test_grpo_at_once_and_in_parts(fresh, rows, items, family, tmp_path, taught, micro_batch):
    if family not in taught:
        train_sft(fresh[0], fresh[1], rows, START, order_seed=2, work=tmp_path / "start")
        taught[family] = taught["folder"] / family
        save_checkpoint(*fresh, taught[family])
    model, layout = load_model(taught[family]), Layout(micro_batch=micro_batch)
    options = {"order_seed": 1, "sampling_seed": 1, "work": tmp_path / "work", "layout": layout}
    history, _ = train_grpo(model, fresh[1], rows, items, GRPO, **options)
    # Not the loss, which is 0 on the policy's own rollouts.
    metrics = ("grad_norm", "reward", "completion_length")
    numbers = {metric: values(history, metric) for metric in metrics}
    assert len(set(numbers["reward"])) > 1 and all(numbers["grad_norm"])
    follows(f"grpo {family}", numbers)


def test_a_changed_trajectory_is_named():
    first, second, *others = json.loads(COMMITTED.read_text())["sft llava"]["loss"]
    with pytest.raises(AssertionError, match=r"sft llava: loss.*update 2"):
        follows("sft llava", {"loss": [first, second + 1e-3, *others]})
