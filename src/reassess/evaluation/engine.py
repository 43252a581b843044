"""What answers items: a checkpoint in transformers or vLLM, or a method without a model.

`ItemModel` is lm-eval's interface to any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from reassess.core.files import sha256_text
from reassess.data.items import Item, Prompts, WithImage
from reassess.training.engine import seed_everything
from reassess.training.generate import decode, generate
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.preprocessed import PreprocessedRows, preprocess
from reassess.training.vllm_engine import VllmEngine


@dataclass(frozen=True)
class Completion:
    """One completion, with what only the generating side knows.

    Attributes:
        text: without special tokens.
        prompt_hash: of the prompt as the model reads it.
        length: in tokens; in words where no model answers.
        truncated: whether the token budget ended it.
    """

    text: str
    prompt_hash: str
    length: int
    truncated: bool


@dataclass(frozen=True)
class SamplingParams:
    """How completions are sampled: how many an item, at which temperature (0: greedy), the seed."""

    samples: int = 1
    temperature: float = 0.0
    seed: int = 0


GREEDY = SamplingParams()
ItemT = TypeVar("ItemT", bound=WithImage)
# A function that returns the completions of each item.
Responder: TypeAlias = Callable[[Sequence[ItemT], SamplingParams], list[list[Completion]]]


class ItemModel(LM):  # type: ignore[misc]
    """An lm-eval model that answers pool items, all requests of all benchmarks in one call.

    Attributes:
        completions: by item id, what lm-eval has requested so far.
    """

    MULTIMODAL = True

    def __init__(self, respond: Responder[Item], make_item: Callable[..., Item]) -> None:
        """Answer items, which `make_item` makes from lm-eval's documents, by `respond`."""
        super().__init__()
        self._respond, self._make_item = respond, make_item
        self.completions: dict[str, Completion] = {}

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """A completion for each request."""
        items = [self._make_item(**request.doc) for request in requests]
        completions = [completion for (completion,) in self._respond(items, GREEDY)]
        self.completions.update(
            {item.id: completion for item, completion in zip(items, completions, strict=True)}
        )
        return [completion.text for completion in completions]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not supported: no benchmark here scores likelihoods."""
        raise TypeError("the benchmarks of this pack generate; they do not score likelihoods")

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Not supported: no benchmark here scores likelihoods."""
        raise TypeError("the benchmarks of this pack generate; they do not score likelihoods")


def answer_by_engine(
    checkpoint: Path,
    world: Prompts,
    view: Callable[[ItemT], ItemT],
    layout: Layout,
    batch_size: int,
    max_new_tokens: int,
) -> Responder[ItemT]:
    """A function that answers items with a checkpoint, by the layout's engine."""
    if layout.rollouts == "vllm":
        return answer_by_vllm(checkpoint, world, view, layout, max_new_tokens)
    return answer_by_checkpoint(checkpoint, world, view, layout, batch_size, max_new_tokens)


def answer_by_checkpoint(
    checkpoint: Path,
    world: Prompts,
    view: Callable[[ItemT], ItemT],
    layout: Layout,
    batch_size: int,
    max_new_tokens: int,
) -> Responder[ItemT]:
    """A function that answers items with a checkpoint, by transformers.

    Prompts are preprocessed by the code that preprocesses training rows: one template, one image
    pipeline.
    """
    model = load_model(checkpoint, layout.attention).to(layout.device)
    processor = load_processor(checkpoint)
    tokenizer = processor.tokenizer
    end = tokenizer.eos_token_id

    def respond(items: Sequence[ItemT], sampling: SamplingParams) -> list[list[Completion]]:
        seen = [view(item) for item in items]
        if sampling.temperature:
            seed_everything(sampling.seed)
        rows = preprocess(seen, None, processor, world.prompt, keep_pixels=world.keep_pixels)
        completions: dict[int, list[Completion]] = {}
        for batch in _batches(rows, max(1, batch_size // sampling.samples)):
            generated = generate(
                model,
                rows,
                batch,
                pad=tokenizer.pad_token_id,
                end=end,
                max_new_tokens=max_new_tokens,
                temperature=sampling.temperature,
                samples=sampling.samples,
            )
            indices = [index for index in batch for _ in range(sampling.samples)]
            texts = decode(tokenizer, generated)
            for index, tokens, text in zip(indices, generated, texts, strict=True):
                prompt_hash = sha256_text(tokenizer.decode(rows.prompts[index]))
                completions.setdefault(index, []).append(
                    Completion(text, prompt_hash, len(tokens), int(tokens[-1]) != end)
                )
        return [completions[index] for index in range(len(items))]

    return respond


def _batches(rows: PreprocessedRows, size: int) -> list[list[int]]:
    """Indices of rows in batches.

    Rows of one kind and similar length come together: less padding, and no batch that mixes rows
    with and without images.
    """
    order = sorted(
        range(len(rows)),
        key=lambda index: (not rows.images.has(index), len(rows.prompts[index]), index),
    )
    return [order[start : start + size] for start in range(0, len(order), size)]


def answer_by_vllm(
    checkpoint: Path,
    world: Prompts,
    view: Callable[[ItemT], ItemT],
    layout: Layout,
    max_new_tokens: int,
) -> Responder[ItemT]:
    """A function that answers items with a checkpoint, by vLLM."""
    tokenizer = load_processor(checkpoint).tokenizer
    engine = VllmEngine(checkpoint, world, layout)

    def respond(items: Sequence[ItemT], sampling: SamplingParams) -> list[list[Completion]]:
        sampled = engine.complete(
            [view(item) for item in items],
            samples=sampling.samples,
            temperature=sampling.temperature,
            max_new_tokens=max_new_tokens,
            seed=sampling.seed,
        )
        return [
            [
                Completion(
                    completion.text,
                    sha256_text(tokenizer.decode(completion.prompt)),
                    len(completion.tokens),
                    not completion.ended,
                )
                for completion in of_item
            ]
            for of_item in sampled
        ]

    return respond


def answer_by_method(
    questions: Sequence[Item], completions: Mapping[int, Sequence[str]]
) -> Responder[Item]:
    """A function that answers items as a method did, without a model.

    The question's hash stands for that of a prompt.

    Args:
        questions: the items that the method was asked about.
        completions: by seed, its answers to them.
    """
    texts = {
        seed: {item.id: text for item, text in zip(questions, given, strict=True)}
        for seed, given in completions.items()
    }
    first = min(texts)

    def respond(items: Sequence[Item], sampling: SamplingParams) -> list[list[Completion]]:
        rounds = [texts[first + number] for number in range(sampling.samples)]
        return [[_spoken(item, round[item.id]) for round in rounds] for item in items]

    return respond


def _spoken(item: Item, text: str) -> Completion:
    return Completion(text, sha256_text(item.question), len(text.split()), False)
