"""Small trainings that several tests compare: a few updates of SFT and GRPO on fresh weights."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

from reassess.training.layout import Layout
from reassess.training.loading import save_checkpoint
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings

SFT = SftSettings(max_steps=5, batch_size=8, save_every=1, warmup_steps=1, learning_rate=1e-3)
RL = RlSettings(
    max_steps=4,
    prompts_per_step=4,
    num_generations=4,
    max_completion_length=10,
    save_every=1,
    learning_rate=1e-3,
)
ONE_CPU = Layout()


def values(history, metric):
    """Return the numbers of a metric, by step."""
    frame = history.frame()
    return frame[frame["metric"] == metric]["value"].tolist()


def losses(history):
    return values(history, "loss")


def sft(fresh, rows, work, layout=ONE_CPU, settings=SFT):
    """Fine-tune a copy of the model; return its history and the copy."""
    model = copy.deepcopy(fresh[0])
    history, _ = train_sft(model, fresh[1], rows, settings, order_seed=2, work=work, layout=layout)
    return history, model


def grpo(fresh, rows, items, work, layout=ONE_CPU, **changes):
    """Train a copy of the model by GRPO with changed settings; return the history."""
    model, settings = copy.deepcopy(fresh[0]), RL.model_copy(update=changes)
    seeds = {"order_seed": 1, "sampling_seed": 1}
    return train_grpo(
        model, fresh[1], rows, items, settings, work=work, layout=layout, **seeds
    ).history


# --- several processes ---------------------------------------------------------------------------

WORKER = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from small_runs import SFT, losses
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.sft import train_sft
start, rows, out = (Path(path) for path in sys.argv[1:4])
history, _ = train_sft(
    load_model(start), load_processor(start), PreprocessedRows.load(rows), SFT, order_seed=2,
    work=out / "work", layout=Layout(processes=int(sys.argv[5]), micro_batch=2),
)
import torch.distributed as dist
if not dist.is_initialized() or dist.get_rank() == 0:
    result = {"losses": losses(history), "totals": history.totals}
    (out / "result.json").write_text(json.dumps(result))
"""


def run_in_processes(script, fresh, rows, folder, processes, *arguments):
    """Run a script in processes of one job; return what it printed.

    Its arguments are a checkpoint of the model, the saved rows, `folder`, and `arguments`.
    """
    save_checkpoint(*fresh, folder / "start")
    rows.save(folder / "rows.safetensors")
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={processes}", str(folder / "script.py")]
    command += [str(folder / "start"), str(folder / "rows.safetensors"), str(folder), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def sft_in_processes(fresh, rows, folder, processes):
    """Return the losses and totals of the SFT run in processes of one job."""
    here = str(Path(__file__).parent)
    run_in_processes(WORKER, fresh, rows, folder, processes, here, str(processes))
    return json.loads((folder / "result.json").read_text())
