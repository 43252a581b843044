"""Completions by vLLM: for traces and evaluation on GPUs. One prompt, one image pipeline and one budget, as everywhere.

vLLM is given the token ids of the model's own template with one placeholder a picture, and expands it itself; ids that were
expanded before would be expanded twice, and nothing would say so. It reads the pixel budget from the checkpoint's folder. The
prompt that comes back is held against the picture's grid.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from reassess.core.errors import ReassessError
from reassess.data.items import Prompts
from reassess.data.pool import decode_image
from reassess.training.layout import Layout
from reassess.training.loading import check_checkpoint, load_processor


@dataclass(frozen=True)
class SampledCompletion:
    """One completion: its text, its tokens (end token included if it came), and the prompt as the engine read it."""

    text: str
    tokens: list[int]
    ended: bool
    prompt: list[int]


def collapse(tokens: Sequence[int], placeholder: int) -> list[int]:
    """Return token ids with every run of the picture's placeholder made one."""
    return [
        token
        for token, run in groupby(tokens)
        for token in ([token] if token == placeholder else run)
    ]


class VllmEngine:
    """A checkpoint in vLLM. The engine starts with the first call, whose prompts say how long a sequence it must take."""

    def __init__(self, checkpoint: Path, world: Prompts, layout: Layout) -> None:
        """Complete prompts of `world` with a checkpoint.

        Raises:
            ReassessError: the checkpoint is not whole, or vLLM is not installed.
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
        self._engine: Any = None

    def complete(
        self,
        items: Sequence[Any],
        *,
        samples: int,
        temperature: float,
        max_new_tokens: int,
        seed: int,
    ) -> list[list[SampledCompletion]]:
        """Return `samples` completions of each item; `temperature` 0 is greedy.

        Sampling is not truncated: no top-p, no top-k, no floor. Each request has a seed of its own, so a shard gives the same
        completions whatever else is in the batch, as far as the engine's arithmetic allows.

        Raises:
            ReassessError: a prompt that vLLM read is not the one that the processor makes.
        """
        from vllm import SamplingParams

        placeholder = image_placeholder(self.processor)
        requests = [_request(self.world, self.processor, item, placeholder) for item in items]
        shared: dict[str, Any] = {
            "n": samples, "temperature": temperature, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "max_tokens": max_new_tokens,
            "logit_bias": ban_placeholders(self.processor),
        }  # fmt: skip
        sampling = [SamplingParams(seed=seed + place, **shared) for place in range(len(items))]
        outputs = self._started(items, max_new_tokens).generate(requests, sampling)
        return [
            _sampled(output, item, self.processor, placeholder)
            for output, item in zip(outputs, items, strict=True)
        ]

    def _started(self, items: Sequence[Any], max_new_tokens: int) -> Any:
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


def _text(world: Prompts, processor: Any, item: Any) -> str:
    text: str = processor.apply_chat_template(
        world.prompt(item), add_generation_prompt=True, tokenize=False
    )
    return text


def _request(world: Prompts, processor: Any, item: Any, placeholder: int) -> dict[str, Any]:
    tokens = processor.tokenizer(_text(world, processor, item), add_special_tokens=False)[
        "input_ids"
    ]
    request: dict[str, Any] = {"prompt_token_ids": collapse(tokens, placeholder)}
    if item.image is not None:
        request["multi_modal_data"] = {"image": decode_image(item)}
    return request


def _visual_tokens(processor: Any, item: Any) -> int:
    if item.image is None:
        return 0
    picture = decode_image(item)
    found: list[int] = processor._get_num_multimodal_tokens(
        image_sizes=[(picture.height, picture.width)]
    ).num_image_tokens
    return found[0]


def _longest(world: Prompts, processor: Any, items: Sequence[Any]) -> int:
    return max(
        len(processor.tokenizer(_text(world, processor, item))["input_ids"])
        + _visual_tokens(processor, item)
        for item in items
    )


def image_placeholder(processor: Any) -> int:
    """Return the id of the token that stands for a piece of a picture."""
    found: int = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    return found


def ban_placeholders(processor: Any) -> dict[int, float]:
    """Return the logit bias that keeps placeholders out of completions, as transformers' side bans them."""
    names = [name for name in ("image_token", "video_token") if getattr(processor, name, None)]
    return {
        processor.tokenizer.convert_tokens_to_ids(getattr(processor, name)): -100.0
        for name in names
    }


def check_prompt(prompt: Sequence[int], expected: int, placeholder: int, item: str) -> None:
    """Hold the prompt that the engine read against the number of visual tokens that the processor makes.

    Raises:
        ReassessError: they differ.
    """
    if (found := list(prompt).count(placeholder)) != expected:
        raise ReassessError(
            f"item {item}: vLLM's prompt holds {found} visual tokens, the processor makes {expected}: "
            "placeholders expanded twice, or two pixel budgets"
        )


def _sampled(output: Any, item: Any, processor: Any, placeholder: int) -> list[SampledCompletion]:
    prompt = list(output.prompt_token_ids)
    check_prompt(prompt, _visual_tokens(processor, item), placeholder, item.id)
    return [
        SampledCompletion(
            processor.tokenizer.decode(one.token_ids, skip_special_tokens=True).strip(),
            list(one.token_ids),
            one.finish_reason == "stop",
            prompt,
        )
        for one in output.outputs
    ]
