"""lm-eval's interface to what answers here: a checkpoint that reads prepared prompts, or completions made without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from reassess.core.files import sha256_text
from reassess.data.items import Prompts
from reassess.data.pool import decode_image
from reassess.training.engine import seed_everything
from reassess.training.generate import decode, generate
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.preprocessed import preprocess


@dataclass(frozen=True)
class Answered:
    """One completion, with what only the generating side knows."""

    completion: str
    prompt_hash: str
    length: int
    truncated: bool


@dataclass(frozen=True)
class Drawing:
    """How completions are drawn: how many an item, at which temperature (0: greedy), from which seed."""

    samples: int = 1
    temperature: float = 0.0
    seed: int = 0


GREEDY = Drawing()
Answer = Callable[[Sequence[Any], Drawing], list[list[Answered]]]  # completions of each item


class ItemModel(LM):  # type: ignore[misc]
    """An lm-eval model that answers pool items, all requests of all benchmarks in one call."""

    MULTIMODAL = True

    def __init__(self, answer: Answer, item_type: type[Any]) -> None:
        """Answer items of a type by `answer`."""
        super().__init__()
        self._answer, self._item_type = answer, item_type
        self.answered: dict[str, Answered] = {}

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return a completion for each request; what else is known of it is kept in `answered`, by item id."""
        items = [self._item_type(**request.doc) for request in requests]
        found = [answered for (answered,) in self._answer(items, GREEDY)]
        self.answered.update(
            {item.id: answered for item, answered in zip(items, found, strict=True)}
        )
        return [answered.completion for answered in found]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Refuse: no benchmark here scores likelihoods."""
        raise TypeError("the benchmarks of this pack generate; they do not score likelihoods")

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Refuse: no benchmark here scores likelihoods."""
        raise TypeError("the benchmarks of this pack generate; they do not score likelihoods")


def answer_by_engine(
    checkpoint: Path,
    world: Prompts,
    view: Callable[[Any], Any],
    layout: Layout,
    batch_size: int,
    max_new_tokens: int,
) -> Answer:
    """Return a function that answers items with a checkpoint, by the layout's engine."""
    if layout.rollouts == "vllm":
        return answer_by_vllm(checkpoint, world, view, layout, max_new_tokens)
    return answer_by_checkpoint(checkpoint, world, view, layout, batch_size, max_new_tokens)


def answer_by_checkpoint(
    checkpoint: Path,
    world: Prompts,
    view: Callable[[Any], Any],
    layout: Layout,
    batch_size: int,
    max_new_tokens: int,
) -> Answer:
    """Return a function that answers items with a checkpoint.

    Prompts pass through the very code that prepares training rows: one template, one image pipeline.
    """
    model, processor = (
        load_model(checkpoint, layout.attention).to(layout.device),
        load_processor(checkpoint),
    )
    tokenizer = processor.tokenizer
    end = tokenizer.eos_token_id

    def answer(items: Sequence[Any], drawing: Drawing = GREEDY) -> list[list[Answered]]:
        seen = [view(item) for item in items]
        if drawing.temperature:
            seed_everything(drawing.seed)
        rows = preprocess(
            seen, None, processor, world.prompt, decode_image, keep_pixels=world.keep_pixels
        )
        answered: dict[int, list[Answered]] = {}
        size = max(1, batch_size // drawing.samples)
        # Rows of one kind and like length together: less padding, and no batch that mixes words and pictures.
        order = sorted(
            range(len(rows)),
            key=lambda index: (not rows.images.has(index), len(rows.prompts[index]), index),
        )
        for start in range(0, len(order), size):
            chunk = order[start : start + size]
            options: dict[str, Any] = {
                "temperature": drawing.temperature,
                "samples": drawing.samples,
            }
            found = generate(
                model,
                rows,
                chunk,
                pad=tokenizer.pad_token_id,
                end=end,
                max_new_tokens=max_new_tokens,
                **options,
            )
            drawn = [index for index in chunk for _ in range(drawing.samples)]
            for index, tokens, text in zip(drawn, found, decode(tokenizer, found), strict=True):
                hashed = sha256_text(tokenizer.decode(rows.prompts[index]))
                answered.setdefault(index, []).append(
                    Answered(text, hashed, len(tokens), int(tokens[-1]) != end)
                )
        return [answered[index] for index in range(len(items))]

    return answer


def answer_by_vllm(
    checkpoint: Path,
    world: Prompts,
    view: Callable[[Any], Any],
    layout: Layout,
    max_new_tokens: int,
) -> Answer:
    """Return a function that answers items with a checkpoint, by vLLM."""
    from reassess.training.vllm_engine import VllmEngine

    tokenizer, completer = (
        load_processor(checkpoint).tokenizer,
        VllmEngine(checkpoint, world, layout),
    )

    def answer(items: Sequence[Any], drawing: Drawing = GREEDY) -> list[list[Answered]]:
        found = completer.complete(
            [view(item) for item in items],
            samples=drawing.samples,
            temperature=drawing.temperature,
            max_new_tokens=max_new_tokens,
            seed=drawing.seed,
        )
        return [
            [
                Answered(
                    one.text,
                    sha256_text(tokenizer.decode(one.prompt)),
                    len(one.tokens),
                    not one.ended,
                )
                for one in drawn
            ]
            for drawn in found
        ]

    return answer


def answer_by_method(method: Any, seed: int) -> Answer:
    """Return a function that answers items as the method says, without a model; length is counted in words."""

    def answer(items: Sequence[Any], drawing: Drawing = GREEDY) -> list[list[Answered]]:
        rounds = [method.respond(items, seed + place) for place in range(drawing.samples)]
        return [
            [
                Answered(one[index], sha256_text(item.question), len(one[index].split()), False)
                for one in rounds
            ]
            for index, item in enumerate(items)
        ]

    return answer
