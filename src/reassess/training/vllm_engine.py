"""Completions by vLLM, for traces and evaluation on GPUs, from the same prompts as everywhere.

vLLM is given the token ids of the model's own template with one placeholder per image, and expands
it itself; ids that were expanded before would silently be expanded twice. It reads the pixel budget
from the checkpoint's folder. The prompt that comes back is compared with the image's grid.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.errors import ReassessError
from reassess.core.files import Json
from reassess.data.items import Prompts, WithImage
from reassess.data.pool import decode_image
from reassess.training.layout import Layout
from reassess.training.loading import Processor, check_checkpoint, load_processor

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput


@dataclass(frozen=True)
class SampledCompletion:
    """One completion.

    Attributes:
        text: without special tokens.
        tokens: token ids, the end token included if it came.
        ended: whether it ended by itself, within the token budget.
        prompt: token ids of the prompt as the engine read it.
    """

    text: str
    tokens: list[int]
    ended: bool
    prompt: list[int]


def collapse(tokens: Sequence[int], placeholder: int) -> list[int]:
    """Token ids with every run of the image's placeholder reduced to one."""
    return [
        token
        for token, run in groupby(tokens)
        for token in ([token] if token == placeholder else run)
    ]


class VllmEngine:
    """A checkpoint in vLLM. It starts with the first call, whose prompts decide its length."""

    def __init__(self, checkpoint: Path, world: Prompts, layout: Layout) -> None:
        """Complete prompts of `world` with a checkpoint.

        Raises:
            ReassessError: the checkpoint is not complete, or vLLM is not installed.
        """
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if layout.processes <= 1:  # requests then reach the engine in one order
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        if find_spec("vllm") is None:
            raise ReassessError(
                "vllm is not installed: `make setup-gpu`, or set execution.rollouts to hf"
            )
        check_checkpoint(checkpoint)
        self.checkpoint, self.world, self.layout = checkpoint, world, layout
        self.processor = load_processor(checkpoint)
        self._engine: LLM | None = None

    def complete(
        self,
        items: Sequence[WithImage],
        *,
        samples: int,
        temperature: float,
        max_new_tokens: int,
        seed: int,
    ) -> list[list[SampledCompletion]]:
        """`samples` completions of each item; `temperature` 0 is greedy.

        Sampling is not truncated: no top-p, no top-k, no floor. Each request has its own seed, so
        a shard gives the same completions whatever else is in the batch, as far as the engine's
        arithmetic allows.

        Raises:
            ReassessError: a prompt that vLLM read differs from the processor's.
        """
        from vllm import SamplingParams

        placeholder = image_placeholder(self.processor)
        requests = [_request(self.world, self.processor, item, placeholder) for item in items]
        sampling = [
            SamplingParams(
                seed=seed + place,
                n=samples,
                temperature=temperature,
                top_p=1.0,
                top_k=-1,
                min_p=0.0,
                max_tokens=max_new_tokens,
                logit_bias=ban_placeholders(self.processor),
            )
            for place in range(len(items))
        ]
        outputs = self._started(items, max_new_tokens).generate(requests, sampling)
        return [
            _sampled(output, item, self.processor, placeholder)
            for output, item in zip(outputs, items, strict=True)
        ]

    def _started(self, items: Sequence[WithImage], max_new_tokens: int) -> LLM:
        if self._engine is None:
            from vllm import LLM

            self._engine = LLM(
                model=str(self.checkpoint),
                dtype=self.layout.precision,
                gpu_memory_utilization=self.layout.engine_memory,
                tensor_parallel_size=max(1, self.layout.processes),
                max_model_len=_longest(self.world, self.processor, items) + max_new_tokens,
                limit_mm_per_prompt={"image": 1, "video": 0},
                trust_remote_code=False,
                load_format="safetensors",
                generation_config="vllm",  # not the checkpoint's own: one decoding for all
            )
        return self._engine


def _text(world: Prompts, processor: Processor, item: WithImage) -> str:
    text: str = processor.apply_chat_template(
        world.prompt(item), add_generation_prompt=True, tokenize=False
    )
    return text


def _request(world: Prompts, processor: Processor, item: WithImage, placeholder: int) -> Json:
    text = _text(world, processor, item)
    tokens = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    request: Json = {"prompt_token_ids": collapse(tokens, placeholder)}
    if item.image is not None:
        request["multi_modal_data"] = {"image": decode_image(item)}
    return request


def _visual_tokens(processor: Processor, item: WithImage) -> int:
    if item.image is None:
        return 0
    image = decode_image(item)
    counts: list[int] = processor._get_num_multimodal_tokens(
        image_sizes=[(image.height, image.width)]
    ).num_image_tokens
    return counts[0]


def _longest(world: Prompts, processor: Processor, items: Sequence[WithImage]) -> int:
    return max(
        len(processor.tokenizer(_text(world, processor, item))["input_ids"])
        + _visual_tokens(processor, item)
        for item in items
    )


def image_placeholder(processor: Processor) -> int:
    """The id of the token that stands for a piece of an image."""
    token: int = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    return token


def ban_placeholders(processor: Processor) -> dict[int, float]:
    """The logit bias that keeps placeholders out of completions (see `generate.placeholders`)."""
    names = [name for name in ("image_token", "video_token") if getattr(processor, name, None)]
    return {
        processor.tokenizer.convert_tokens_to_ids(getattr(processor, name)): -100.0
        for name in names
    }


def check_prompt(prompt: Sequence[int], expected: int, placeholder: int, item: str) -> None:
    """Compare the prompt that the engine read with the processor's number of visual tokens.

    Raises:
        ReassessError: they differ.
    """
    count = list(prompt).count(placeholder)
    if count != expected:
        raise ReassessError(
            f"item {item}: vLLM's prompt has {count} visual tokens, the processor makes "
            f"{expected}: placeholders expanded twice, or two pixel budgets"
        )


def _sampled(
    output: RequestOutput, item: WithImage, processor: Processor, placeholder: int
) -> list[SampledCompletion]:
    prompt = list(output.prompt_token_ids)
    check_prompt(prompt, _visual_tokens(processor, item), placeholder, item.id)
    return [
        SampledCompletion(
            processor.tokenizer.decode(sample.token_ids, skip_special_tokens=True).strip(),
            list(sample.token_ids),
            sample.finish_reason == "stop",
            prompt,
        )
        for sample in output.outputs
    ]
