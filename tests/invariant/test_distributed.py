"""Jobs of several processes: copies, and sharded models."""

import pytest
import torch
from small_runs import run_in_processes, sft_in_processes

from reassess.training import launch
from reassess.training.layout import Layout


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llava"], indirect=True)
def test_two_processes_follow_the_trajectory_of_one(fresh, rows, tmp_path):
    results = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        results[processes] = sft_in_processes(fresh, rows, folder, processes)
    assert results[2]["losses"] == pytest.approx(results[1]["losses"], abs=2e-5)
    for name, total in results[1]["totals"].items():
        if name != "seconds":
            assert results[2]["totals"][name] == pytest.approx(total), name


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
expected = {name: weight.grad for name, weight in plain.named_parameters()}

model = load_model(Path(start))
add_fused_lm_head(model)
if guarded == "yes":
    keep_head_with_norm()
plugin = FullyShardedDataParallelPlugin(
    fsdp_version=2, auto_wrap_policy="transformer_based_wrap", reshard_after_forward=True
)
job = SimpleNamespace(
    state=SimpleNamespace(fsdp_plugin=plugin), mixed_precision="no", is_main_process=rank == 0,
    device=torch.device("cpu"),
)
model = fsdp2_prepare_model(job, model)
loss_of(model, rank).backward()
worst, head = 0.0, 0.0
for name, weight in model.named_parameters():
    difference = weight.grad.full_tensor() - expected[name]
    error = (difference.norm() / expected[name].norm().clamp(min=1e-12)).item()
    if "lm_head" in name:
        head = error
    else:
        worst = max(worst, error)
save_checkpoint(model, load_processor(Path(start)), Path(out) / "saved")
if rank == 0:
    saved, before = load_model(Path(out) / "saved"), load_model(Path(start)).state_dict()
    same = all(torch.equal(value, before[name]) for name, value in saved.state_dict().items())
    print("RESULT", worst, head, same)
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
    """Without the guard the head of an untied model silently gets the gradient of one process."""
    model = fresh[0]
    if model.config.tie_word_embeddings is not tied:
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = tied
        if tied:
            model.lm_head.weight = model.get_input_embeddings().weight
        else:
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone() + 0.01)
    output = run_in_processes(SHARDED, fresh, rows, tmp_path, 2, "yes" if guarded else "no")
    _, worst, head, same = output[output.index("RESULT") :].split()
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
    """What can be checked without a GPU: complete files, known keys, the number of processes."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    command = launch.launcher(
        Layout(device="cuda", precision="bfloat16", processes=processes, sharding=sharding)
    )
    parsed = launch_command_parser().parse_args([*command[3:], "reassess.cli.entry", "train"])
    assert (
        parsed.num_processes,
        parsed.mixed_precision,
        parsed.module,
        parsed.training_script,
    ) == (
        processes,
        "bf16",
        True,
        "reassess.cli.entry",
    )
    config = load_config_from_file(parsed.config_file)
    assert config.distributed_type == {"fsdp": "FSDP", "zero3": "DEEPSPEED"}[sharding]
    options = vars(launch_command_parser().parse_args(["x"]))
    for key in {**config.fsdp_config, **config.deepspeed_config}:
        assert key in options or f"fsdp_{key}" in options, key
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
