"""A layout changes how a job runs and not what it computes: one loss trajectory whatever the micro-batches and processes."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reassess.core.errors import ReassessError
from reassess.training import launch
from reassess.training.layout import Layout
from reassess.training.loading import freeze_vision
from reassess.training.rl import grpo_arguments, train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings
from reassess.training.vllm_engine import image_placeholder

SFT = SftSettings(max_steps=5, batch_size=8, save_every=1, warmup_steps=1, learning_rate=1e-3)
RL = RlSettings(
    max_steps=4,
    prompts_per_step=4,
    num_generations=4,
    max_completion_length=10,
    save_every=1,
    learning_rate=1e-3,
)


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
    parts, spent_in_parts, again = sft(
        fresh, rows, tmp_path / "parts", Layout(micro_batch=micro_batch)
    )
    assert len(whole) == SFT.max_steps
    assert parts == pytest.approx(whole, abs=2e-5)
    for (name, first), second in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.allclose(first, second, atol=2e-4), name
    assert {name: spent_in_parts[name] for name in ("samples", "tokens")} == {
        name: spent[name] for name in ("samples", "tokens")
    }
    assert spent_in_parts["flops"] == pytest.approx(spent["flops"])


def grpo(fresh, rows, items, work, layout, **changes):
    model = copy.deepcopy(fresh[0])
    settings = RL.model_copy(update=changes)
    order = {"order_seed": 1, "sampling_seed": 1}
    history, _ = train_grpo(
        model, fresh[1], rows, items, settings, work=work, layout=layout, **order
    )
    frame = history.frame()
    return frame, history.totals


@pytest.mark.parametrize("loss_type", ["grpo", "dapo"])
def test_grpo_in_micro_batches_follows_one_trajectory(fresh, rows, items, tmp_path, loss_type):
    changes = {"loss_type": loss_type, "format_weight": 0.5}
    whole, spent = grpo(fresh, rows, items, tmp_path / "whole", Layout(), **changes)
    parts, spent_in_parts = grpo(
        fresh, rows, items, tmp_path / "parts", Layout(micro_batch=4), **changes
    )
    for metric in ("reward", "completion_length", "loss"):
        first, second = (
            frame[frame["metric"] == metric]["value"].tolist() for frame in (whole, parts)
        )
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
    moved = {
        name for name, value in model.named_parameters() if not torch.equal(value, before[name])
    }
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
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.sft import train_sft
start, rows, out = (Path(one) for one in sys.argv[1:4])
processes = int(sys.argv[5])
history, _ = train_sft(
    load_model(start), load_processor(start), PreprocessedRows.load(rows), SFT, order_seed=2, work=out / "work",
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
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[processes] = json.loads((out / "found.json").read_text())
    assert found[2]["losses"] == pytest.approx(found[1]["losses"], abs=2e-5)
    for name in ("samples", "tokens", "flops"):
        assert found[2]["totals"][name] == pytest.approx(found[1]["totals"][name]), name


# --- adapters -----------------------------------------------------------------------------------------------------------


def with_adapters(fresh, rows, work, **changes):
    from reassess.training.adapters import add_adapters

    model = add_adapters(copy.deepcopy(fresh[0]), 4, seed=3)
    history, _ = train_sft(
        model, fresh[1], rows, SFT.model_copy(update=changes), order_seed=2, work=work
    )
    return history, model


def test_adapters_move_the_language_model_and_are_merged_into_it(fresh, rows, tmp_path):
    from reassess.training.adapters import merged
    from reassess.training.generate import generate
    from reassess.training.loading import load_model, save_checkpoint

    history, model = with_adapters(fresh, rows, tmp_path / "work", learning_rate=1e-2)
    assert losses(history)[-1] < losses(history)[0]
    options = {"pad": fresh[1].tokenizer.pad_token_id, "end": -1, "max_new_tokens": 8}
    before = [row.tolist() for row in generate(model, rows, range(6), **options)]
    save_checkpoint(merged(model), fresh[1], tmp_path / "checkpoint")
    plain = load_model(tmp_path / "checkpoint")
    assert [row.tolist() for row in generate(plain, rows, range(6), **options)] == before
    start = fresh[0].state_dict()
    moved = {
        name for name, value in plain.state_dict().items() if not torch.equal(value, start[name])
    }
    assert moved
    assert all("language_model" in name and name.endswith("_proj.weight") for name in moved)


def test_a_run_with_adapters_is_resumed_bit_by_bit(fresh, rows, tmp_path, cut_at):
    from reassess.training.sft import PreprocessedSftTrainer

    _, whole = with_adapters(fresh, rows, tmp_path / "whole")
    with cut_at(PreprocessedSftTrainer, 3):
        with_adapters(fresh, rows, tmp_path / "parts")
    history, resumed = with_adapters(fresh, rows, tmp_path / "parts")
    assert len(losses(history)) == SFT.max_steps
    for (name, first), second in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(first, second), name


def test_grpo_trains_adapters(fresh, rows, items, tmp_path):
    from reassess.training.adapters import add_adapters, merged

    model = add_adapters(copy.deepcopy(fresh[0]), 4, seed=3)
    settings = RL.model_copy(update={"format_weight": 0.5, "learning_rate": 1e-2})
    history, _ = train_grpo(
        model, fresh[1], rows, items, settings, order_seed=1, sampling_seed=1, work=tmp_path
    )
    frame = history.frame()
    assert len(frame[frame["metric"] == "loss"]) == RL.max_steps
    assert history.totals["flops"] > 0
    assert {name for name, _ in merged(model).named_parameters()} == {
        name for name, _ in fresh[0].named_parameters()
    }


# --- memory -------------------------------------------------------------------------------------------------------------


class Run:
    """What `launch.train` needs of a training run."""

    def __init__(self, layout, settings):
        self.base, self.settings, self.micro_batch = layout, settings, None

    @property
    def layout(self):
        return replace(self.base, micro_batch=self.micro_batch) if self.micro_batch else self.base

    @property
    def rows_per_update(self):
        return self.settings.rows_per_update

    def halve(self):
        self.micro_batch = self.layout.halved(self.rows_per_update).micro_batch

    def load(self):
        """The methods here bring a model of their own."""

    def finish(self, outcome):
        self.outcome = outcome


def test_a_run_that_does_not_fit_goes_on_in_smaller_micro_batches(
    fresh, rows, tmp_path, monkeypatch, capsys
):
    """The memory here holds two rows, and runs out in the third update: the run goes on from its trainer checkpoint."""
    from reassess.training.sft import PreprocessedSftTrainer

    whole, spent, _ = sft(fresh, rows, tmp_path / "whole", Layout())
    step = PreprocessedSftTrainer.training_step

    def tight(self, model, inputs, num_items_in_batch=None):
        if self.state.global_step >= 2 and len(inputs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, model, inputs, num_items_in_batch)

    monkeypatch.setattr(PreprocessedSftTrainer, "training_step", tight)
    seen = []

    class Method:
        def fit(self, run):
            seen.append(run.layout.split(SFT.batch_size))
            return train_sft(
                copy.deepcopy(fresh[0]),
                fresh[1],
                rows,
                SFT,
                order_seed=2,
                work=tmp_path / "work",
                layout=run.layout,
            )

    run = Run(Layout(), SFT)
    launch.train(run, Method())
    assert seen == [(8, 1), (4, 2), (2, 4)]
    history, resumed = run.outcome
    assert resumed
    assert losses(history) == pytest.approx(whole, abs=2e-5)
    assert history.totals["samples"] == spent["samples"]
    assert (
        "micro-batches of 8: continuing with 4, 8 rows an update" in capsys.readouterr().err
    )


def test_one_row_that_does_not_fit_is_explained_and_other_errors_pass():
    class Never:
        def fit(self, run):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        ReassessError,
        match="one row at a time does not fit into memory: set gradient_checkpointing",
    ):
        launch.train(Run(Layout(micro_batch=4), SFT), Never())

    class Broken:
        def fit(self, run):
            raise RuntimeError("no such kernel")

    with pytest.raises(RuntimeError, match="no such kernel"):
        launch.train(Run(Layout(), SFT), Broken())


@given(st.integers(1, 64), st.integers(1, 8), st.integers(1, 64))
def test_a_halved_layout_keeps_the_rows_of_an_update(own, processes, micro_batch):
    rows = own * processes
    layout = Layout(processes=processes, micro_batch=micro_batch)
    try:
        once, accumulation = layout.split(rows)
    except ReassessError:
        return
    if once > 1:
        smaller, more = layout.halved(rows).split(rows)
        assert smaller <= once // 2
        assert smaller * more * processes == once * accumulation * processes == rows


# --- rollouts by vLLM ---------------------------------------------------------------------------------------------------


class Engine:
    """Stands where TRL puts vLLM: it expands each placeholder, as vLLM does, and counts what is asked of it."""

    times = 3

    def __init__(self, model, processing_class, **options):
        self.model, self.processor, self.options, self.mode = (
            model,
            processing_class,
            options,
            options["mode"],
        )
        self.asked, self.synced, self.forgot = [], 0, 0
        self.vllm_client = SimpleNamespace(
            get_server_info=lambda: {"model_config": {"logprobs_mode": "processed_logprobs"}}
        )
        self.llm = SimpleNamespace(llm_engine=SimpleNamespace(reset_encoder_cache=self._forget))

    def _forget(self):
        self.forgot += 1

    def sync_weights(self):
        self.synced += 1

    def generate(self, prompts, images, num_generations, profiler=None):
        assert images is not None and len(images) == len(prompts)
        self.asked += prompts
        placeholder = image_placeholder(self.processor)
        end = self.processor.tokenizer.eos_token_id
        read = [
            [one for token in row for one in [token] * (self.times if token == placeholder else 1)]
            for row in prompts
        ]
        words = self.processor.tokenizer("a b c d e f g", add_special_tokens=False)["input_ids"]
        completions = [[words[place % 7], words[0], end] for place in range(len(prompts))]
        return read, completions, [[[-2.0]] * 3] * len(prompts), None


@pytest.fixture
def engine(monkeypatch, fresh, rows):
    from trl.trainer import grpo_trainer

    made = []

    def make(**options):
        made.append(Engine(**options))
        return made[0]

    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", make)
    monkeypatch.setattr(grpo_trainer, "is_vllm_available", lambda: True, raising=False)
    monkeypatch.setattr(
        Engine, "times", int((rows.prompts[0] == image_placeholder(fresh[1])).sum())
    )
    return made


def test_a_colocated_engine_gets_one_placeholder_a_picture_and_forgets_pictures_with_the_weights(
    fresh, rows, items, tmp_path, engine
):
    frame, _ = grpo(fresh, rows, items, tmp_path, Layout(rollouts="vllm"))
    (made,) = engine
    placeholder = image_placeholder(fresh[1])
    assert {prompt.count(placeholder) for prompt in made.asked} == {1}
    assert made.synced == made.forgot == RL.max_steps
    assert (
        made.options["temperature"],
        made.options["top_p"],
        made.options["top_k"],
        made.options["min_p"],
    ) == (1.0, 1.0, 0, None)
    assert made.options["enable_sleep_mode"]
    assert (
        made.options["max_model_length"] == max(map(len, rows.prompts)) + RL.max_completion_length
    )
    assert made.options["generation_kwargs"]["logit_bias"][placeholder] == -100
    assert len(frame[frame["metric"] == "reward"]) == RL.max_steps


def test_a_prompt_that_the_engine_reads_otherwise_stops_the_run(
    fresh, rows, items, tmp_path, engine, monkeypatch
):
    monkeypatch.setattr(Engine, "times", Engine.times + 1)
    with pytest.raises(ReassessError, match="visual tokens, the processor makes"):
        grpo(fresh, rows, items, tmp_path, Layout(rollouts="vllm"))


def test_a_server_gets_expanded_prompts_and_is_refused_a_tower_that_trains(
    fresh, rows, items, tmp_path, engine, monkeypatch
):
    monkeypatch.setattr(Engine, "times", 1)
    served = Layout(rollouts="vllm", vllm_mode="server")
    with pytest.raises(ReassessError, match="set freeze_vision"):
        grpo(fresh, rows, items, tmp_path / "refused", served)
    grpo(fresh, rows, items, tmp_path / "served", served, freeze_vision=True)
    placeholder = image_placeholder(fresh[1])
    assert {prompt.count(placeholder) for prompt in engine[0].asked} == {
        int((rows.prompts[0] == placeholder).sum())
    }
    assert engine[0].forgot == 0


def test_a_process_gets_whole_groups(tmp_path):
    with pytest.raises(
        ReassessError,
        match="4 processes get 2 completions of a rollout batch each, no multiple of the group of 4",
    ):
        grpo_arguments(
            RL.model_copy(update={"prompts_per_step": 2}),
            8,
            1,
            tmp_path,
            layout=Layout(processes=4),
        )


# --- sharding -----------------------------------------------------------------------------------------------------------

SHARDED = """
import sys
import reassess  # the torchvision hook, before transformers
from types import SimpleNamespace
import torch
import torch.distributed as dist
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from trl.trainer.utils import add_fused_lm_head
from reassess.training.loading import load_model, load_processor, save_checkpoint
from reassess.training.preprocessed import PreprocessedRows
from reassess.core.compat import keep_head_with_norm
from reassess.training.sharding import whole_state
from pathlib import Path

start, rows, out, guarded = sys.argv[1:5]
dist.init_process_group("gloo")
rank, rows = dist.get_rank(), PreprocessedRows.load(Path(rows))

def loss_of(model, which):
    batch = rows.sft_batch(range(2 * which, 2 * which + 2), 0)
    return -model(**batch, fused_lm_head=True).log_probs.sum()

plain = load_model(Path(start))
add_fused_lm_head(plain)
sum(loss_of(plain, which) for which in range(2)).div(2).backward()
expected = {name: one.grad for name, one in plain.named_parameters()}

model = load_model(Path(start))
add_fused_lm_head(model)
if guarded == "yes":
    keep_head_with_norm()
plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="transformer_based_wrap", reshard_after_forward=True)
job = SimpleNamespace(
    state=SimpleNamespace(fsdp_plugin=plugin), mixed_precision="no", is_main_process=rank == 0, device=torch.device("cpu")
)
model = fsdp2_prepare_model(job, model)
loss_of(model, rank).backward()
worst, head = 0.0, 0.0
for name, one in model.named_parameters():
    found, wanted = one.grad.full_tensor(), expected[name]
    error = ((found - wanted).norm() / wanted.norm().clamp(min=1e-12)).item()
    if "lm_head" in name:
        head = error
    else:
        worst = max(worst, error)
save_checkpoint(model, load_processor(Path(start)), Path(out) / "saved")
if rank == 0:
    saved = load_model(Path(out) / "saved").state_dict()
    same = all(torch.equal(saved[name], value) for name, value in load_model(Path(start)).state_dict().items())
    print("FOUND", worst, head, same)
dist.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "tied", "guarded"),
    [("qwen3-vl", False, True), ("qwen3-vl", False, False), ("qwen3-vl", True, True)],
    indirect=["family"],
)
def test_a_sharded_head_gets_the_gradient_of_all_processes(
    family, fresh, rows, tmp_path, tied, guarded
):
    """Without the guard the head of an untied model gets the gradient of one process, and nothing says so."""
    from reassess.training.loading import save_checkpoint

    model, processor = fresh
    if model.config.tie_word_embeddings is not tied:
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = tied
        if tied:
            model.lm_head.weight = model.get_input_embeddings().weight
        else:
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone() + 0.01)
    save_checkpoint(model, processor, tmp_path / "start")
    rows.save(tmp_path / "rows.safetensors")
    (tmp_path / "sharded.py").write_text(SHARDED)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
        str(tmp_path / "sharded.py"),
    ]
    command += [
        str(tmp_path / "start"),
        str(tmp_path / "rows.safetensors"),
        str(tmp_path),
        "yes" if guarded else "no",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    _, worst, head, same = done.stdout[done.stdout.index("FOUND") :].split()
    assert float(worst) < 1e-4
    assert same == "True"
    if guarded:
        assert float(head) < 1e-4
    else:
        assert float(head) > 0.1


@pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
@pytest.mark.parametrize("processes", [1, 4, 8])
def test_accelerate_reads_our_files_and_takes_the_number_of_processes_from_the_model(
    sharding, processes
):
    """Only what a machine without a GPU can say: the files are whole, their keys are known, and the command says how many."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    command = launch.launcher(
        Layout(device="cuda", precision="bfloat16", processes=processes, sharding=sharding)
    )
    found = launch_command_parser().parse_args([*command[3:], "reassess.cli.entry", "train"])
    assert (found.num_processes, found.mixed_precision, found.module, found.training_script) == (
        processes,
        "bf16",
        True,
        "reassess.cli.entry",
    )
    config = load_config_from_file(found.config_file)
    assert config.distributed_type == {"fsdp": "FSDP", "zero3": "DEEPSPEED"}[sharding]
    known = vars(launch_command_parser().parse_args(["x"]))
    for key in {**config.fsdp_config, **config.deepspeed_config}:
        assert key in known or f"fsdp_{key}" in known, key
    if sharding == "fsdp":
        assert config.fsdp_config["fsdp_version"] == 2
        assert config.fsdp_config["fsdp_activation_checkpointing"] is False
    else:
        assert config.deepspeed_config["zero_stage"] == 3
        assert config.deepspeed_config["offload_optimizer_device"] == "none"


def test_copies_are_started_by_torch():
    command = launch.launcher(Layout(processes=4))
    assert command[1:] == [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=4",
        "-m",
    ]
