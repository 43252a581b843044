"""lm-eval's interface to what answers here: a checkpoint that reads prepared prompts, or completions made without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from reassess.data.pool import decode_image
from reassess.files import sha256_text
from reassess.training.generate import decode, generate
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.prepared import prepare
from reassess.world import World


@dataclass(frozen=True)
class Answered:
    """One completion, with what only the generating side knows."""

    completion: str
    prompt_hash: str
    length: int
    truncated: bool


class ItemModel(LM):  # type: ignore[misc]
    """An lm-eval model that answers pool items, all requests of all benchmarks in one call."""

    MULTIMODAL = True

    def __init__(self, answer: Callable[[Sequence[Any]], list[Answered]], item_type: type[Any]) -> None:
        """Answer items of a type by `answer`."""
        super().__init__()
        self._answer, self._item_type = answer, item_type
        self.answered: dict[str, Answered] = {}

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return a completion for each request; what else is known of it is kept in `answered`, by item id."""
        items = [self._item_type(**request.doc) for request in requests]
        found = self._answer(items)
        self.answered.update({item.id: answered for item, answered in zip(items, found, strict=True)})
        return [answered.completion for answered in found]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Refuse: no benchmark here scores likelihoods."""
        raise TypeError("the benchmarks of this pack generate; they do not score likelihoods")

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Refuse: no benchmark here scores likelihoods."""
        raise TypeError("the benchmarks of this pack generate; they do not score likelihoods")


def answer_by_checkpoint(
    checkpoint: Path, world: World, view: Callable[[Any], Any], batch_size: int, max_new_tokens: int
) -> Callable[[Sequence[Any]], list[Answered]]:
    """Return a function that answers items greedily with a checkpoint.

    Prompts pass through the very code that prepares training rows: one template, one image pipeline.
    """
    model, processor = load_model(checkpoint), load_processor(checkpoint)
    tokenizer = processor.tokenizer
    end = tokenizer.eos_token_id

    def answer(items: Sequence[Any]) -> list[Answered]:
        seen = [view(item) for item in items]
        rows = prepare(seen, None, processor, world.prompt, decode_image, keep_pixels=world.keep_pixels)
        answered: dict[int, Answered] = {}
        # Rows of one kind and like length together: less padding, and no batch that mixes words and pictures.
        order = sorted(range(len(rows)), key=lambda index: (not rows.images.has(index), len(rows.prompts[index]), index))
        for start in range(0, len(order), batch_size):
            chunk = order[start : start + batch_size]
            found = generate(model, rows, chunk, pad=tokenizer.pad_token_id, end=end, max_new_tokens=max_new_tokens)
            for index, tokens, text in zip(chunk, found, decode(tokenizer, found), strict=True):
                hashed = sha256_text(tokenizer.decode(rows.prompts[index]))
                answered[index] = Answered(text, hashed, len(tokens), int(tokens[-1]) != end)
        return [answered[index] for index in range(len(items))]

    return answer


def answer_by_vllm(
    checkpoint: Path, world: World, view: Callable[[Any], Any], layout: Layout, max_new_tokens: int
) -> Callable[[Sequence[Any]], list[Answered]]:
    """Return a function that answers items greedily with a checkpoint, by vLLM."""
    from reassess.training.vllm_engine import complete

    def answer(items: Sequence[Any]) -> list[Answered]:
        tokenizer = load_processor(checkpoint).tokenizer
        drawn = complete(
            checkpoint,
            world,
            [view(item) for item in items],
            samples=1,
            temperature=0.0,
            max_new_tokens=max_new_tokens,
            seed=0,
            layout=layout,
        )
        return [Answered(one.text, sha256_text(tokenizer.decode(one.prompt)), len(one.tokens), not one.ended) for (one,) in drawn]

    return answer


def answer_by_method(method: Any, seed: int) -> Callable[[Sequence[Any]], list[Answered]]:
    """Return a function that answers items as the method says, without a model; length is counted in words."""

    def answer(items: Sequence[Any]) -> list[Answered]:
        return [
            Answered(text, sha256_text(item.question), len(text.split()), False)
            for item, text in zip(items, method.respond(items, seed), strict=True)
        ]

    return answer
