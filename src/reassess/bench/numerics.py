"""What portable numerics cost: the same updates and tokens in two processes, one in each mode.

A process keeps the kernels that it has loaded, so each mode has one, which works while the other
waits. CPU time is measured: it depends less on what else the machine does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from reassess.bench.common import MODEL, PAIRS, Measurement, repeated
from reassess.bench.decoding import PROMPTS, SAMPLES, TOKENS
from reassess.bench.training import NEVER
from reassess.core import numerics
from reassess.grid.study import Grid
from reassess.training.generate import generate
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings
from reassess.workflow.jobs.train import training_run

WORK = {"SFT step": 12, "GRPO step": 4, "decoding, 8 prompts x 8": 2}  # what is done, how often


def portable(grid: Grid) -> list[Measurement]:
    """An SFT update, a GRPO update and a batch of samples, against those in fast numerics."""
    with ExitStack() as stack:
        ours, fast = (
            stack.enter_context(_Process(grid.source, mode)) for mode in ("portable", "fast")
        )
        measurements = []
        for name, times in WORK.items():
            for one in (ours, fast):
                one.seconds(name, 1)  # warms up
            act = partial(_Process.seconds, name=name, times=times)
            repeats = repeated(partial(act, ours), partial(act, fast), pairs=2 * PAIRS)
            about = "the same in fast numerics; CPU time"
            measurements.append(Measurement(f"portable {name}", "s", repeats, about))
        return measurements


class _Process:
    """A process in a mode that does what it is told, and answers with the CPU seconds it took."""

    def __init__(self, config: Path, mode: str) -> None:
        self._command = [sys.executable, "-m", __name__, str(config)]
        self._environment = {**os.environ, numerics.VARIABLE: mode}

    def __enter__(self) -> _Process:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def seconds(self, name: str, times: int) -> float:
        """Do something that often; the seconds of each time."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        print(name, times, sep="\t", file=stdin, flush=True)
        return float(stdout.readline()) / times

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


# --- in the process -------------------------------------------------------------------------------


def _serve(config: Path) -> None:
    """Do what standard input states, line by line."""
    acts = _acts(Grid.load(config))
    answers, sys.stdout = sys.stdout, sys.stderr  # trainers print
    for line in sys.stdin:
        name, times = line.split("\t")
        print(acts[name](int(times)), file=answers, flush=True)


def _acts(grid: Grid) -> dict[str, Callable[[int], float]]:
    """By name, what does something that often and returns the CPU seconds."""
    run = training_run(grid, grid.cell(f"{MODEL}/same-family/600/grpo/seed1"))

    def sft(steps: int, work: Path) -> None:
        train_sft(
            run.model,
            run.processor,
            run.rows,
            SftSettings(max_steps=steps, save_every=NEVER),
            order_seed=1,
            work=work,
            save=False,
        )

    def grpo(steps: int, work: Path) -> None:
        train_grpo(
            run.model,
            run.processor,
            run.rows,
            run.items,
            RlSettings(max_steps=steps, save_every=NEVER),
            order_seed=1,
            sampling_seed=1,
            work=work,
            save=False,
        )

    def decode(batches: int, work: Path) -> None:
        torch.manual_seed(1)
        for _ in range(batches):
            generate(
                run.model,
                run.rows,
                range(PROMPTS),
                pad=run.processor.tokenizer.pad_token_id,
                end=-1,  # none: all have the same length
                max_new_tokens=TOKENS,
                temperature=1.0,
                samples=SAMPLES,
            )

    def timed(act: Callable[[int, Path], None]) -> Callable[[int], float]:
        def seconds(times: int) -> float:
            run.load()
            with tempfile.TemporaryDirectory() as work:
                started = time.process_time()
                act(times, Path(work))
                return time.process_time() - started

        return seconds

    return dict(zip(WORK, map(timed, (sft, grpo, decode)), strict=True))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
