"""Running a cell's training: in this process or in several, and again with smaller micro-batches where memory runs out."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from types import FrameType

from reassess.core.compat import keep_head_with_norm
from reassess.core.errors import Interrupted, ReassessError
from reassess.core.project import ROOT
from reassess.training.layout import Layout
from reassess.training.preemption import ignore_signals
from reassess.training.run import SupportsFit, TrainingRun

WORKER = "REASSESS_WORKER"  # set in the processes of a job; its value is the micro-batch, or empty for the layout's own
RAN_OUT = "out-of-memory"  # file that a worker leaves in its work folder
STOPPED = "stopped"  # the same for a run that a signal ended
PATIENCE = 280  # seconds that the launcher gives its workers to save, before it kills them
CONFIGS = ROOT / "workflow" / "accelerate"


def is_worker() -> bool:
    """Return whether this process is one of several that train one cell."""
    return WORKER in os.environ


def micro_batch_of_worker() -> int | None:
    """Return the micro-batch that the launching process asked for."""
    return int(os.environ[WORKER]) if os.environ.get(WORKER) else None


def fit(run: TrainingRun, method: SupportsFit) -> None:
    """Load, let the method train, and write what it leaves."""
    run.load()
    run.finish(method.fit(run))


def train(run: TrainingRun, method: SupportsFit) -> None:
    """Train by a method; where memory runs out, start again from the last trainer checkpoint with half the micro-batch.

    The rows of an update stay the same. Raises:
        ReassessError: one row does not fit, or a process of the job failed.
    """
    while not (_in_processes(run) if run.layout.processes > 1 else _here(run, method)):
        before = run.layout
        run.halve()
        print(
            f"out of memory with micro-batches of {before.split(run.rows_per_update)[0]}: going on with "
            f"{run.layout.micro_batch}, {run.rows_per_update} rows an update as before",
            file=sys.stderr,
            flush=True,
        )


def work(run: TrainingRun, method: SupportsFit) -> None:
    """Do the part of one process of a job; leave a file and fail where memory runs out, so that all start again together."""
    if run.layout.sharding == "fsdp":
        keep_head_with_norm()
    try:
        fit(run, method)
    except Interrupted:
        (run.work / STOPPED).touch()
        raise
    except Exception as error:
        if ran_out_of_memory(error):
            (run.work / RAN_OUT).touch()
        raise


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that GPU or host had no memory left."""
    import torch

    return isinstance(
        error, torch.OutOfMemoryError | MemoryError
    ) or "can't allocate memory" in str(error)


def _here(run: TrainingRun, method: SupportsFit) -> bool:
    import torch

    try:
        fit(run, method)
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
    else:
        return True
    gc.collect()  # the trainer is a knot of references
    torch.cuda.empty_cache()
    return False


def _in_processes(run: TrainingRun) -> bool:
    ran_out, stopped = run.work / RAN_OUT, run.work / STOPPED
    for mark in (ran_out, stopped):
        mark.unlink(missing_ok=True)
    asked = "" if run.micro_batch is None else str(run.micro_batch)
    command = [*launcher(run.layout), "reassess.cli.entry", *run.command]
    job = subprocess.Popen(
        command, env={**os.environ, WORKER: asked, "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(PATIENCE)}
    )

    def pass_on(number: int, frame: FrameType | None) -> None:
        job.send_signal(signal.SIGTERM)  # the launcher hands this one, and no other, to its workers

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGUSR1)}
    code = job.wait()
    if code == 0 and not stopped.is_file():
        ignore_signals()
        return True
    for number, handler in before.items():
        signal.signal(number, handler)
    if stopped.is_file():
        raise Interrupted(
            f"cell {run.cell} was stopped by a signal; run the same command again to go on"
        )
    if code and not ran_out.is_file():
        raise ReassessError(
            f"a process of cell {run.cell} failed (exit code {code}); its words are above"
        )
    return False


def launcher(layout: Layout) -> list[str]:
    """Return the command that starts a module in all processes of a job."""
    if layout.sharding == "none":
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc_per_node={layout.processes}",
            "-m",
        ]
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(CONFIGS / f"{layout.sharding}.yaml"),
    ]
    precision = "bf16" if layout.precision == "bfloat16" else "no"
    return [
        *command,
        "--num_processes",
        str(layout.processes),
        "--mixed_precision",
        precision,
        "--module",
    ]
