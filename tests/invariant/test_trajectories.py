"""Committed loss trajectories of tiny runs. Configurations that mean the same must follow them, in this version and in the next.

REASSESS_WRITE=1 pytest tests/invariant/test_trajectories.py    # after a change that is meant to change them: say why in the commit
"""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_layout import RL, SFT, WORKER

from reassess.training.layout import Layout
from reassess.training.loading import load_model, save_checkpoint
from reassess.training.preprocessed import PreprocessedRows, preprocess
from reassess.training.rl import train_grpo
from reassess.training.sft import PreprocessedSftTrainer, train_sft
from reassess.worlds.micro.prompts import prompt
from reassess.worlds.micro.traces import render_trace

COMMITTED = Path(__file__).with_name("trajectories.json")
WITHIN = 5e-5  # of a loss of about 5: another kind of processor adds up in another order
START = SFT.model_copy(update={"max_steps": 150, "learning_rate": 3e-3, "save_every": 1000})
GRPO = RL.model_copy(update={"format_weight": 0.5, "max_completion_length": 40})


def numbers(history, *metrics):
    frame = history.frame()
    return {metric: frame[frame["metric"] == metric]["value"].tolist() for metric in metrics}


def follows(name, found):
    """Hold a run against the committed one; the first step that differs is named."""
    known = json.loads(COMMITTED.read_text()) if COMMITTED.is_file() else {}
    if os.environ.get("REASSESS_WRITE") and name not in known:
        COMMITTED.write_text(json.dumps({**known, name: found}, indent=1, sort_keys=True) + "\n")
        known[name] = found
    assert set(found) == set(known[name])
    for metric, values in found.items():
        assert len(values) == len(known[name][metric])
        for step, (ours, theirs) in enumerate(
            zip(values, known[name][metric], strict=True), start=1
        ):
            assert ours == pytest.approx(theirs, abs=WITHIN), (
                f"{name}: {metric} leaves the committed trajectory at update {step}"
            )


def sft(fresh, rows, work, layout=None):
    return train_sft(
        copy.deepcopy(fresh[0]),
        fresh[1],
        rows,
        SFT,
        order_seed=2,
        work=work,
        layout=layout or Layout(),
    )[0]


@pytest.mark.parametrize("micro_batch", [None, 1])
def test_sft_at_once_and_row_by_row(fresh, rows, family, tmp_path, micro_batch):
    layout = Layout() if micro_batch is None else Layout(micro_batch=micro_batch)
    follows(f"sft {family}", numbers(sft(fresh, rows, tmp_path, layout), "loss"))


def test_sft_resumed(fresh, rows, family, tmp_path, cut_at):
    with cut_at(PreprocessedSftTrainer, 3):
        sft(fresh, rows, tmp_path)
    follows(f"sft {family}", numbers(sft(fresh, rows, tmp_path), "loss"))


@pytest.mark.parametrize("family", ["qwen3-vl"], indirect=True)
def test_sft_on_rows_whose_pictures_are_prepared_batch_by_batch(fresh, items, family, tmp_path):
    """As in the hub world, where the pictures of all rows together would not fit into memory."""
    traces = [render_trace(item, "native") for item in items]
    later = preprocess(items, traces, fresh[1], prompt, keep_pixels=False)
    later.save(tmp_path / "rows.safetensors")
    streamed = PreprocessedRows.load(tmp_path / "rows.safetensors").process_later(
        items, fresh[1]
    )
    follows(f"sft {family}", numbers(sft(fresh, streamed, tmp_path / "work"), "loss"))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llava"], indirect=True)
def test_sft_in_two_processes(fresh, rows, family, tmp_path):
    save_checkpoint(*fresh, tmp_path / "start")
    rows.save(tmp_path / "rows.safetensors")
    (tmp_path / "worker.py").write_text(WORKER)
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
        str(tmp_path / "worker.py"),
    ]
    words += [
        str(tmp_path / "start"),
        str(tmp_path / "rows.safetensors"),
        str(tmp_path),
        str(Path(__file__).parent),
        "2",
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    follows(f"sft {family}", {"loss": json.loads((tmp_path / "found.json").read_text())["losses"]})


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Checkpoints by family that can already write an answer: without rewards there is nothing to follow."""
    return {"folder": tmp_path_factory.mktemp("taught")}


@pytest.mark.parametrize("micro_batch", [None, 4])
def test_grpo_at_once_and_in_parts(fresh, rows, items, family, tmp_path, taught, micro_batch):
    if family not in taught:
        train_sft(fresh[0], fresh[1], rows, START, order_seed=2, work=tmp_path / "start")
        taught[family] = taught["folder"] / family
        save_checkpoint(*fresh, taught[family])
    layout = Layout() if micro_batch is None else Layout(micro_batch=micro_batch)
    seeds = {"order_seed": 1, "sampling_seed": 1}
    history, _ = train_grpo(
        load_model(taught[family]),
        fresh[1],
        rows,
        items,
        GRPO,
        work=tmp_path / "work",
        layout=layout,
        **seeds,
    )
    found = numbers(
        history, "grad_norm", "reward", "completion_length"
    )  # the loss itself is 0 on the policy's own rollouts
    assert len(set(found["reward"])) > 1 and all(found["grad_norm"])
    follows(f"grpo {family}", found)


def test_a_changed_trajectory_is_named():
    known = json.loads(COMMITTED.read_text())["sft llava"]["loss"]
    with pytest.raises(
        AssertionError, match="sft llava: loss leaves the committed trajectory at update 2"
    ):
        follows("sft llava", {"loss": [known[0], known[1] + 1e-3, *known[2:]]})
