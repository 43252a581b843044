"""A layout changes how a job runs and not what it computes: one loss trajectory whatever the micro-batches and processes."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reassess.errors import ReassessError
from reassess.training.layout import Layout
from reassess.training.loading import freeze_vision
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings

SFT = SftSettings(max_steps=5, batch_size=8, save_every=1, warmup_steps=1, learning_rate=1e-3)
RL = RlSettings(max_steps=4, prompts_per_step=4, num_generations=4, max_completion_length=10, save_every=1, learning_rate=1e-3)


def losses(history):
    frame = history.frame()
    return frame[frame["metric"] == "loss"]["value"].tolist()


def sft(fresh, rows, work, layout):
    model = copy.deepcopy(fresh[0])
    history, _ = train_sft(model, fresh[1], rows, SFT, order_seed=2, work=work, layout=layout)
    return losses(history), history.totals, model


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
def test_accumulation_follows_one_loss_trajectory(fresh, rows, tmp_path, micro_batch):
    """1 x 8 and 8 x 1: the loss is the token mean of the whole update, not a mean of means over rows of unlike length."""
    assert len({len(row) for row in rows.completions}) > 1
    whole, spent, model = sft(fresh, rows, tmp_path / "whole", Layout())
    parts, spent_in_parts, again = sft(fresh, rows, tmp_path / "parts", Layout(micro_batch=micro_batch))
    assert len(whole) == SFT.max_steps
    assert parts == pytest.approx(whole, abs=2e-5)
    for (name, first), second in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.allclose(first, second, atol=2e-4), name
    assert {name: spent_in_parts[name] for name in ("samples", "tokens")} == {name: spent[name] for name in ("samples", "tokens")}
    assert spent_in_parts["flops"] == pytest.approx(spent["flops"])


def grpo(fresh, rows, items, work, layout, **changes):
    model = copy.deepcopy(fresh[0])
    settings = RL.model_copy(update=changes)
    order = {"order_seed": 1, "sampling_seed": 1}
    history, _ = train_grpo(model, fresh[1], rows, items, settings, work=work, layout=layout, **order)
    frame = history.frame()
    return frame, history.totals


@pytest.mark.parametrize("loss_type", ["grpo", "dapo"])
def test_grpo_in_micro_batches_follows_one_trajectory(fresh, rows, items, tmp_path, loss_type):
    changes = {"loss_type": loss_type, "format_weight": 0.5}
    whole, spent = grpo(fresh, rows, items, tmp_path / "whole", Layout(), **changes)
    parts, spent_in_parts = grpo(fresh, rows, items, tmp_path / "parts", Layout(micro_batch=4), **changes)
    for metric in ("reward", "completion_length", "loss"):
        first, second = (frame[frame["metric"] == metric]["value"].tolist() for frame in (whole, parts))
        assert len(first) == RL.max_steps
        assert second == pytest.approx(first, abs=1e-5), metric
    assert spent_in_parts["samples"] == spent["samples"]
    assert spent_in_parts["tokens"] == spent["tokens"]


def test_one_rollout_batch_serves_several_updates(fresh, rows, items, tmp_path):
    frame, spent = grpo(fresh, rows, items, tmp_path, Layout(micro_batch=4), minibatch_prompts=2)
    assert spent["samples"] == 2 * 4 * 4  # four updates, two on each of two batches of four prompts
    assert frame[frame["metric"] == "loss"]["step"].tolist() == [1, 2, 3, 4]


def test_updates_follow_from_epochs_and_batches():
    assert SftSettings(epochs=3, batch_size=128).updates(2000) == 47
    assert SftSettings(epochs=3, batch_size=128).updates(20000) == 469
    assert SftSettings(epochs=3, batch_size=128, warmup_ratio=0.1).warmup(2000) == 5
    rl = RlSettings(epochs=2, prompts_per_step=512, minibatch_prompts=128)
    assert (rl.updates(2000), rl.updates(20000)) == (8 * 4, 79 * 4)
    assert RlSettings(max_steps=7).updates(10**6) == 7
    with pytest.raises(ValueError, match=r"100.* does not divide prompts_per_step"):
        RlSettings(prompts_per_step=512, minibatch_prompts=100)


def test_a_layout_that_cannot_divide_an_update_is_explained():
    assert Layout(micro_batch=4, processes=2).split(32) == (4, 4)
    assert Layout().split(32) == (32, 1)
    assert Layout(micro_batch=64).split(32) == (32, 1)
    with pytest.raises(ReassessError, match="32 rows an update cannot be divided among 3"):
        Layout(processes=3).split(32)
    with pytest.raises(ReassessError, match="micro-batches of 5"):
        Layout(micro_batch=5).split(32)


def test_a_frozen_tower_keeps_its_weights_and_takes_its_share_off_the_count(fresh, rows, tmp_path):
    model, processor = copy.deepcopy(fresh[0]), fresh[1]
    _, everything, _ = sft(fresh, rows, tmp_path / "all", Layout())
    freeze_vision(model)
    before = {name: value.clone() for name, value in model.named_parameters()}
    history, _ = train_sft(model, processor, rows, SFT, order_seed=2, work=tmp_path / "frozen")
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    assert frozen and not moved & frozen
    assert moved
    assert history.totals["flops"] < everything["flops"]
    with pytest.raises(ReassessError, match="no vision tower"):
        freeze_vision(torch.nn.Module())


# --- two processes ------------------------------------------------------------------------------------------------------

WORKER = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from test_layout import SFT
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.prepared import PreparedRows
from reassess.training.sft import train_sft
start, rows, out = (Path(one) for one in sys.argv[1:4])
processes = int(sys.argv[5])
history, _ = train_sft(
    load_model(start), load_processor(start), PreparedRows.load(rows), SFT, order_seed=2, work=out / "work",
    layout=Layout(processes=processes, micro_batch=2),
)
import torch.distributed as dist
if not dist.is_initialized() or dist.get_rank() == 0:
    frame = history.frame()
    (out / "found.json").write_text(json.dumps({"losses": frame[frame["metric"] == "loss"]["value"].tolist(), "totals": history.totals}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llava"], indirect=True)
def test_two_processes_follow_the_trajectory_of_one(fresh, rows, tmp_path):
    from reassess.training.loading import save_checkpoint

    save_checkpoint(*fresh, tmp_path / "start")
    rows.save(tmp_path / "rows.safetensors")
    (tmp_path / "worker.py").write_text(WORKER)
    found = {}
    for processes in (1, 2):
        out = tmp_path / str(processes)
        out.mkdir()
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc_per_node={processes}",
            str(tmp_path / "worker.py"),
        ]
        command += [
            str(tmp_path / "start"),
            str(tmp_path / "rows.safetensors"),
            str(out),
            str(Path(__file__).parent),
            str(processes),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr[-3000:]
        found[processes] = json.loads((out / "found.json").read_text())
    assert found[2]["losses"] == pytest.approx(found[1]["losses"], abs=2e-5)
    for name in ("samples", "tokens", "flops"):
        assert found[2]["totals"][name] == pytest.approx(found[1]["totals"][name]), name
