"""`reassess bench --device cuda`: what a GPU makes of full-size shapes with random weights. No download, no checkpoint is read.

MFU is the model FLOPs of real tokens (`reassess.training.flops`) over time and over the rate that the same card reaches in a large
matrix product of bfloat16 numbers, measured in the same run.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reassess.bench.cpu import Figure
from reassess.core.errors import ReassessError
from reassess.training.engine import COMMON_ARGUMENTS
from reassess.training.layout import Layout
from reassess.worlds.hub.shapes import SHAPES, Shape

MFU = "MFU: against the matrix product of this run"


@dataclass(frozen=True)
class Workload:
    """What is measured.

    Attributes:
        shape: of the model.
        side: of the square picture in pixels; 28 x 28 make a visual token.
        prompt, completion: tokens of text around the picture, and of the answer.
        rows: rows of an SFT update; micro_batch of one forward pass.
        prompts, group: prompts of an RL update, completions of each.
        steps: updates that are timed, after `warmup` ones.
        matrix: side of the matrices whose product sets the reference rate.
    """

    shape: Shape = SHAPES["Qwen/Qwen2.5-VL-3B-Instruct"]
    side: int = 476  # 289 visual tokens
    prompt: int = 150
    completion: int = 350
    rows: int = 64
    micro_batch: int = 8
    prompts: int = 16
    group: int = 5
    steps: int = 4
    warmup: int = 2
    matrix: int = 8192


def benchmark_gpu(device: str, workload: Workload | None = None) -> list[Figure]:
    """Measure SFT and GRPO on a device; return and print the figures.

    Raises:
        ReassessError: there is no such device.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ReassessError(
            "no GPU is visible here: run `reassess bench --device cuda` on a machine that has one"
        )
    found: list[Figure] = []
    chosen = workload or Workload()
    peak = matrix_rate(device, chosen.matrix)
    found.append(
        Figure(
            "matrix product, bfloat16",
            peak,
            None,
            "TFLOP/s",
            f"{chosen.matrix} x {chosen.matrix}, measured",
        )
    )
    for measure in (_sft, _grpo):
        if device == "cuda":  # the part before must not stand in this one's memory
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        found += measure(device, chosen, peak)
    for figure in found:
        print(figure.line(), flush=True)
    return found


def matrix_rate(device: str, side: int, repeats: int = 20) -> float:
    """Return the TFLOP/s of a product of two square matrices of bfloat16 numbers."""
    import torch

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
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def _gigabytes(device: str) -> float:
    import torch

    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else float("nan")


def _layout(device: str, micro_batch: int) -> Layout:
    layout = Layout(device="cuda" if device == "cuda" else "cpu", micro_batch=micro_batch)
    return (
        replace(layout, precision="bfloat16", gradient_checkpointing=True)
        if device == "cuda"
        else layout
    )


def model_of(shape: Shape) -> Any:
    """Return a Qwen2.5-VL of a shape with random weights."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    import reassess.core.compat  # noqa: F401 - before transformers

    half = (
        shape.hidden // shape.heads // 2
    )  # of a head, divided among time, height and width of a position as in the public ones
    sections = [half // 4, half * 3 // 8, half - half // 4 - half * 3 // 8]
    text = {
        "hidden_size": shape.hidden, "intermediate_size": shape.intermediate, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "vocab_size": shape.vocabulary,
        "max_position_embeddings": 32768, "tie_word_embeddings": shape.tied,
        "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections},
    }  # fmt: skip
    every = shape.tower_depth // shape.tower_full
    vision = {
        "depth": shape.tower_depth, "hidden_size": shape.tower_width, "intermediate_size": shape.tower_mlp,
        "num_heads": max(1, shape.tower_width // 80), "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
        "window_size": 112, "out_hidden_size": shape.hidden, "fullatt_block_indexes": [*range(every - 1, shape.tower_depth, every)],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=shape.tied, image_token_id=2, video_token_id=3,
        vision_start_token_id=4, vision_end_token_id=5,
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config)


def rows_of(workload: Workload, count: int) -> Any:
    """Return prepared rows of random words and pictures in the workload's lengths."""
    import torch

    from reassess.training.pixels import GRID, PIXELS, StoredImages
    from reassess.training.preprocessed import PreprocessedRows

    side = workload.side // 14
    visual = side * side // 4
    generator = torch.Generator().manual_seed(1)

    def words(length: int) -> Any:
        return torch.randint(10, workload.shape.vocabulary, (length,), generator=generator)

    prompts = [
        torch.cat(
            [torch.tensor([4]), torch.full((visual,), 2), torch.tensor([5]), words(workload.prompt)]
        )
        for _ in range(count)
    ]
    kinds = [(row == 2).long() for row in prompts]
    grid = torch.tensor([[1, side, side]])
    pictures = [
        {PIXELS: torch.randn(side * side, 1176, generator=generator), GRID: grid}
        for _ in range(count)
    ]
    completions = [
        torch.cat([words(workload.completion - 1), torch.tensor([1])]) for _ in range(count)
    ]
    ids = [str(number) for number in range(count)]
    return PreprocessedRows(
        ids, prompts, completions, {"mm_token_type_ids": kinds}, StoredImages(list(pictures))
    )


def _processor(workload: Workload) -> Any:
    """Return a processor over a vocabulary of numbered words; it names ids and processes nothing."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    special = [
        "<pad>",
        "<end>",
        "<|image_pad|>",
        "<|video_pad|>",
        "<|vision_start|>",
        "<|vision_end|>",
    ]
    words = {word: place for place, word in enumerate(special)} | {
        f"w{place}": place for place in range(6, workload.shape.vocabulary)
    }
    inner = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", chat_template="x"
    )
    return Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(), tokenizer, Qwen2VLVideoProcessor(), chat_template="x"
    )


@contextmanager
def _no_checkpoints() -> Iterator[Path]:
    """Leave out the trainer checkpoint that ends a run: 45 GB at full size, and no part of a step."""
    before = COMMON_ARGUMENTS["save_strategy"]
    COMMON_ARGUMENTS["save_strategy"] = "no"
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    finally:
        COMMON_ARGUMENTS["save_strategy"] = before


def _sft(device: str, workload: Workload, peak: float) -> list[Figure]:
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings

    rows, layout = rows_of(workload, workload.rows), _layout(device, workload.micro_batch)
    last = workload.warmup + workload.steps
    settings = SftSettings(
        max_steps=last, batch_size=workload.rows, learning_rate=1e-5, probe_every=1
    )
    model = model_of(workload.shape)
    with _no_checkpoints() as work:
        history, _ = train_sft(
            model, _processor(workload), rows, settings, order_seed=1, work=work, layout=layout
        )
    frame = history.frame().pivot(index="step", columns="metric", values="value")
    spent = {
        name: float(frame[name][last] - frame[name][workload.warmup])
        for name in ("seconds", "tokens", "flops")
    }
    return [
        Figure(
            "SFT",
            spent["tokens"] / spent["seconds"],
            None,
            "tokens/s",
            f"text and picture; {workload.rows} rows an update",
        ),
        Figure("SFT, model FLOPs", spent["flops"] / spent["seconds"] / 1e12, peak, "TFLOP/s", MFU),
        Figure(
            "SFT, peak memory",
            _gigabytes(device),
            None,
            "GB",
            f"micro-batches of {workload.micro_batch}",
        ),
    ]


class _Phases:
    """Seconds of a GRPO step by phase, and the model FLOPs of the updates, from the first timed update on."""

    def __init__(self, device: str) -> None:
        self.device, self.on, self.flops = device, False, 0.0
        self.seconds = {"generation": 0.0, "scoring": 0.0, "update": 0.0}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time inside to a phase, less what inner phases took of it."""
        _wait(self.device)
        before, started = sum(self.seconds.values()), time.perf_counter()
        yield
        _wait(self.device)
        if self.on:
            self.seconds[name] += (
                time.perf_counter() - started - (sum(self.seconds.values()) - before)
            )


def _timed_trainer(phases: _Phases, warmup: int) -> Any:
    """Return the trainer of this project with a clock at each phase's door."""
    from reassess.training.rl import PreprocessedGrpoTrainer

    class Timed(PreprocessedGrpoTrainer):
        def _generate_single_turn(self, *arguments: Any, **options: Any) -> Any:
            with phases.timed("generation"):
                return super()._generate_single_turn(*arguments, **options)

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            phases.on = self.state.global_step >= warmup
            with phases.timed("scoring"):
                output = super()._generate_and_score_completions(inputs)
            if phases.on:
                whole = (
                    output["prompt_mask"].sum(dim=1) + output["completion_mask"].sum(dim=1)
                ).tolist()
                patches = [
                    self.rows.images.patches(index)
                    for index in self._group[:: self.num_generations]
                ]
                phases.flops += self._flops.training(
                    whole, int(output["completion_mask"].sum()), patches
                )
            return output

        def _prepare_inputs(self, generation_batch: Any) -> Any:
            with phases.timed("scoring"):
                return super()._prepare_inputs(generation_batch)

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            with phases.timed("update"):
                return super().training_step(model, inputs, num_items_in_batch)

    return Timed


def _grpo(device: str, workload: Workload, peak: float) -> list[Figure]:
    """Time a GRPO step by phase. The reward is arbitrary, so that groups have variance whatever random weights say."""
    from reassess.training.rl import train_grpo
    from reassess.training.rl_settings import RlSettings

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [float(sum(row) % 7) for row in completion_ids]

    phases = _Phases(device)
    settings = RlSettings(
        max_steps=workload.warmup + workload.steps,
        prompts_per_step=workload.prompts,
        num_generations=workload.group,
        max_completion_length=workload.completion,
        learning_rate=1e-6,
    )
    with _no_checkpoints() as work:
        train_grpo(
            model_of(workload.shape),
            _processor(workload),
            rows_of(workload, workload.prompts),
            [_Item()] * workload.prompts,
            settings,
            order_seed=1,
            sampling_seed=1,
            work=work,
            trainer_class=_timed_trainer(phases, workload.warmup),
            extra_rewards=[reward],
            layout=_layout(device, workload.micro_batch),
        )
    step = sum(phases.seconds.values()) / workload.steps
    about = f"of a step; {workload.prompts} x {workload.group} completions"
    parts = [
        Figure(f"GRPO, {name}", spent / workload.steps, step, "s", about)
        for name, spent in phases.seconds.items()
    ]
    return [
        *parts,
        Figure(
            "GRPO update, model FLOPs",
            phases.flops / phases.seconds["update"] / 1e12,
            peak,
            "TFLOP/s",
            MFU,
        ),
        Figure("GRPO, peak memory", _gigabytes(device), None, "GB", "generation by transformers"),
    ]


@dataclass(frozen=True)
class _Item:
    answer: str = "1"
    answer_kind: str = "integer"
    image: None = None
