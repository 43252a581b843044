"""`reassess bench --device cuda`: the speed of full-size models with random weights on a GPU.

MFU is the model FLOPs of real tokens (`reassess.training.flops`) over time, divided by the rate
that the same card reaches in a large matrix product of bfloat16 numbers, measured in the same run.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from reassess.bench.common import Measurement, chosen
from reassess.bench.full_size import Workload, model_of, processor_of, rows_of
from reassess.core.errors import ReassessError
from reassess.training.layout import Layout
from reassess.training.loading import Model
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings
from reassess.training.rl_trainer import PreprocessedGrpoTrainer
from reassess.training.sft import train_sft
from reassess.training.sft_settings import SftSettings

MFU = "the matrix product of this run (MFU)"


def benchmark_gpu(
    device: str, workload: Workload | None = None, only: Sequence[str] = ()
) -> list[Measurement]:
    """Measure the matrix product and what `only` names (default: all); print and return it.

    Raises:
        ReassessError: there is no such device or no such benchmark.
    """
    by_name = {benchmark.__name__: benchmark for benchmark in BENCHMARKS}
    names = chosen(only, by_name)
    if device == "cuda" and not torch.cuda.is_available():
        raise ReassessError(
            "no GPU is visible here: run `reassess bench --device cuda` on a machine that has one"
        )
    workload = workload or Workload()
    peak, about = matrix_rate(device, workload.matrix), f"{workload.matrix} x {workload.matrix}"
    measurements = [
        Measurement.once("matrix product, bfloat16", peak, "TFLOP/s", f"{about}, measured")
    ]
    for name in names:
        if device == "cuda":  # what the benchmark before has left is not this one's memory
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        measurements += by_name[name](device, workload, peak)
    for measurement in measurements:
        print(measurement.line(), flush=True)
    return measurements


def matrix_rate(device: str, side: int, repeats: int = 20) -> float:
    """The TFLOP/s of a product of two square matrices of bfloat16 numbers."""
    first, second = (torch.randn(side, side, dtype=torch.bfloat16, device=device) for _ in range(2))
    for _ in range(3):
        first @ second
    _wait(device)
    started = time.perf_counter()
    for _ in range(repeats):
        first @ second
    _wait(device)
    return repeats * 2 * side**3 / (time.perf_counter() - started) / 1e12


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _gigabytes(device: str) -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else float("nan")


def _layout(device: str, micro_batch: int) -> Layout:
    if device != "cuda":
        return Layout(device="cpu", micro_batch=micro_batch)
    layout = Layout(device="cuda", micro_batch=micro_batch)
    return replace(layout, precision="bfloat16", gradient_checkpointing=True)


def sft(device: str, workload: Workload, peak: float) -> list[Measurement]:
    """Throughput, model FLOPs and memory of SFT. `peak` is in TFLOP/s."""
    rows, layout = rows_of(workload, workload.rows), _layout(device, workload.micro_batch)
    last = workload.warmup + workload.steps
    settings = SftSettings(
        max_steps=last, batch_size=workload.rows, learning_rate=1e-5, probe_every=1
    )
    model, processor = model_of(workload.shape), processor_of(workload)
    with tempfile.TemporaryDirectory() as work:
        history, _ = train_sft(
            model,
            processor,
            rows,
            settings,
            order_seed=1,
            work=Path(work),
            layout=layout,
            save=False,
        )
    frame = history.frame().pivot(index="step", columns="metric", values="value")
    seconds, tokens, flops = (
        float(frame[name][last] - frame[name][workload.warmup])
        for name in ("seconds", "tokens", "flops")
    )
    about = f"text and image; {workload.rows} rows an update"
    batches = f"micro-batches of {workload.micro_batch}"
    return [
        Measurement.once("SFT", tokens / seconds, "tokens/s", about),
        Measurement.once("SFT, model FLOPs", flops / seconds / 1e12, "TFLOP/s", MFU, peak),
        Measurement.once("SFT, peak memory", _gigabytes(device), "GB", batches),
    ]


class _Phases:
    """Seconds of GRPO by phase, and the model FLOPs of the updates, while `on` is set."""

    def __init__(self, device: str) -> None:
        self.device, self.on, self.flops = device, False, 0.0
        self.seconds = {"generation": 0.0, "scoring": 0.0, "update": 0.0}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time inside to a phase, without the time that inner phases took of it."""
        _wait(self.device)
        before, started = sum(self.seconds.values()), time.perf_counter()
        yield
        _wait(self.device)
        if self.on:
            inner = sum(self.seconds.values()) - before
            self.seconds[name] += time.perf_counter() - started - inner


def _timed_trainer(phases: _Phases, warmup: int) -> type[PreprocessedGrpoTrainer]:
    """The trainer of this project with a clock at the start and the end of each phase."""

    class Timed(PreprocessedGrpoTrainer):
        def _generate_single_turn(self, *arguments: Any, **options: Any) -> Any:
            with phases.timed("generation"):
                return super()._generate_single_turn(*arguments, **options)

        def _generate_and_score_completions(
            self, inputs: list[dict[str, str]]
        ) -> dict[str, torch.Tensor]:
            phases.on = self.state.global_step >= warmup
            with phases.timed("scoring"):
                output = super()._generate_and_score_completions(inputs)
            if phases.on:
                phases.flops += self._flops_of(output)
            return output

        def _flops_of(self, output: dict[str, torch.Tensor]) -> float:
            prompts, completions = output["prompt_mask"], output["completion_mask"]
            lengths = (prompts.sum(dim=1) + completions.sum(dim=1)).tolist()
            first_of_groups = self._group[:: self.num_generations]
            patches = [self.rows.images.patches(index) for index in first_of_groups]
            return self._flops.training(lengths, int(completions.sum()), patches)

        def _prepare_inputs(self, generation_batch: Any) -> Any:
            with phases.timed("scoring"):
                return super()._prepare_inputs(generation_batch)

        def training_step(
            self,
            model: Model,
            inputs: list[dict[str, str]],
            num_items_in_batch: torch.Tensor | int | None = None,
        ) -> torch.Tensor:
            with phases.timed("update"):
                return super().training_step(model, inputs, num_items_in_batch)

    return Timed


def grpo(device: str, workload: Workload, peak: float) -> list[Measurement]:
    """Phases, model FLOPs and memory of GRPO. `peak` is in TFLOP/s.

    The reward is arbitrary, so that groups have variance whatever the random weights generate.
    """

    def reward(completion_ids: list[list[int]], **_: object) -> list[float]:
        return [float(sum(row) % 7) for row in completion_ids]

    phases = _Phases(device)
    settings = RlSettings(
        max_steps=workload.warmup + workload.steps,
        prompts_per_step=workload.prompts,
        num_generations=workload.group,
        max_completion_length=workload.completion,
        learning_rate=1e-6,
    )
    with tempfile.TemporaryDirectory() as work:
        train_grpo(
            model_of(workload.shape),
            processor_of(workload),
            rows_of(workload, workload.prompts),
            [_Item()] * workload.prompts,
            settings,
            order_seed=1,
            sampling_seed=1,
            work=Path(work),
            trainer_class=_timed_trainer(phases, workload.warmup),
            extra_rewards=[reward],
            layout=_layout(device, workload.micro_batch),
            save=False,
        )
    total = sum(phases.seconds.values())
    about = f"{workload.prompts} x {workload.group} completions"
    flops = phases.flops / phases.seconds["update"] / 1e12
    memory = _gigabytes(device)
    return [
        Measurement.once("GRPO step", total / workload.steps, "s", about),
        *(
            Measurement.once(
                f"GRPO, {name}", seconds / workload.steps, "s", f"{seconds / total:.0%} of a step"
            )
            for name, seconds in phases.seconds.items()
        ),
        Measurement.once("GRPO update, model FLOPs", flops, "TFLOP/s", MFU, peak),
        Measurement.once("GRPO, peak memory", memory, "GB", "generation by transformers"),
    ]


@dataclass(frozen=True)
class _Item:
    """An item that only names an answer."""

    id: str = ""
    question: str = ""
    answer: str = "1"
    answer_kind: str = "integer"
    image: bytes | None = None
    family: str = ""


GpuBenchmark: TypeAlias = Callable[[str, Workload, float], list[Measurement]]

BENCHMARKS: tuple[GpuBenchmark, ...] = (sft, grpo)
