"""Running a cell's training in one process or several, with smaller micro-batches if needed."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType

import psutil

from reassess.core import lifetime, view
from reassess.core.compat import keep_head_with_norm
from reassess.core.errors import Interrupted, ReassessError
from reassess.core.project import ROOT
from reassess.training.layout import Layout, without_accelerate
from reassess.training.own_rows import only_rows
from reassess.training.preemption import heeded, ignore_signals
from reassess.training.run import SupportsFit, TrainingRun

# Set in the processes of a job; its value is the micro-batch, or empty for the layout's own.
WORKER = "REASSESS_WORKER"
OUT_OF_MEMORY = "out-of-memory"  # file that a worker leaves in its work folder
STOPPED = "stopped"  # the same for a run that a signal ended
SAVE_SECONDS = 280  # time that the launcher gives its workers to save before it kills them
WORKERS = "reassess.cli.enclosed"  # the module that the processes of a job start with
CONFIGS = ROOT / "workflow" / "accelerate"


def is_worker() -> bool:
    """Whether this process is one of several that train one cell."""
    return WORKER in os.environ


def micro_batch_of_worker() -> int | None:
    """The micro-batch that the launching process requested; None for the layout's own."""
    return int(os.environ[WORKER]) if os.environ.get(WORKER) else None


def fit(run: TrainingRun, method: SupportsFit) -> None:
    """Load the model, let the method train it, and write the results.

    Raises:
        ReassessError: the method trained on rows of others, or opened files that it is not shown.
    """
    run.load()
    with only_rows(run.row_ids):
        outcome = method.fit(run)
    if (sight := view.current()) is not None:
        sight.require_kept(f"cell {run.cell}")
        run.manifest.add(**sight.record())
    run.finish(outcome)


def train(run: TrainingRun, method: SupportsFit) -> None:
    """Train by a method.

    When memory runs out, restart from the last trainer checkpoint with half the micro-batch and as
    many rows per update as before.

    Raises:
        Interrupted: a signal stopped the run.
        ReassessError: one row does not fit, or a process of the job failed.
    """
    while not (_in_processes(run) if run.layout.processes > 1 else _in_this_process(run, method)):
        before, _ = run.layout.split(run.rows_per_update)
        run.halve()
        print(
            f"out of memory with micro-batches of {before}: continuing with "
            f"{run.layout.micro_batch}, {run.rows_per_update} rows an update as before",
            file=sys.stderr,
            flush=True,
        )


def work(run: TrainingRun, method: SupportsFit) -> None:
    """Do the part of one process of a job.

    When memory runs out it leaves a file and fails, so that all processes restart together.
    """
    if run.layout.sharding == "fsdp":
        keep_head_with_norm()
    try:
        fit(run, method)
    except Interrupted:
        (run.work / STOPPED).touch()
        raise
    except Exception as error:
        if is_out_of_memory(error):
            (run.work / OUT_OF_MEMORY).touch()
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that GPU or host had no memory left."""
    import torch

    return isinstance(
        error, torch.OutOfMemoryError | MemoryError
    ) or "can't allocate memory" in str(error)


def _in_this_process(run: TrainingRun, method: SupportsFit) -> bool:
    """Train here; whether it fitted into memory."""
    import torch

    try:
        fit(run, method)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    run.release()
    gc.collect()  # the trainer is full of reference cycles
    torch.cuda.empty_cache()
    return False


def _in_processes(run: TrainingRun) -> bool:
    """Train in the layout's processes; whether it fitted into memory.

    They end with this one, and none is left when it goes on, however their launcher has ended.
    """
    lifetime.adopt_orphans()
    others = set(psutil.Process().children(recursive=True))
    out_of_memory, stopped = run.work / OUT_OF_MEMORY, run.work / STOPPED
    for mark in (out_of_memory, stopped):
        mark.unlink(missing_ok=True)
    job = subprocess.Popen(
        [*launcher(run.layout), WORKERS, *run.command],
        env={
            **without_accelerate(os.environ),
            WORKER: "" if run.micro_batch is None else str(run.micro_batch),
            "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(SAVE_SECONDS),
            lifetime.OWNER: lifetime.myself(),
        },
        start_new_session=True,  # a terminal's signals reach it once, by this process
    )
    told: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if not told:  # a second one would end the launcher before its workers
            job.send_signal(signal.SIGTERM)  # the only signal that it passes to its workers
        told.append(number)

    with lifetime.handled(heeded(), pass_on):
        code = job.wait()
        _end_rest(others)
    if code == 0 and not stopped.is_file():
        ignore_signals()
        return True
    if stopped.is_file():
        raise Interrupted(
            f"cell {run.cell} was stopped by a signal; run the same command again to resume"
        )
    if code and not out_of_memory.is_file():
        raise ReassessError(
            f"a process of cell {run.cell} failed (exit code {code}); its output is above"
        )
    return False


def _end_rest(others: set[psutil.Process]) -> None:
    """Let workers that have outlived their launcher save, and kill what has not ended then.

    Args:
        others: processes that this one had started before.
    """
    for act, seconds in ((psutil.Process.terminate, SAVE_SECONDS), (psutil.Process.kill, 10)):
        rest = set(psutil.Process().children(recursive=True)) - others
        for process in rest:
            with suppress(psutil.Error):
                act(process)
        psutil.wait_procs(rest, timeout=seconds)


def launcher(layout: Layout) -> list[str]:
    """The command that starts a module, to be appended, in all processes of a job."""
    if layout.sharding == "none":
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc_per_node={layout.processes}",
            "-m",
        ]
    return [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(CONFIGS / f"{layout.sharding}.yaml"),
        "--num_processes",
        str(layout.processes),
        "--mixed_precision",
        "bf16" if layout.precision == "bfloat16" else "no",
        "--module",
    ]
