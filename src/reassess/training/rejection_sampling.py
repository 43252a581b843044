"""Traces by rejection sampling: the shortest correct one of several completions of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reassess.config.schema import Distribution
from reassess.core.files import Json
from reassess.data.items import Item, Prompts
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.vllm_engine import VllmEngine
from reassess.verifier import grade

BATCH = 64  # prompts that transformers completes at once


def shortest_correct(
    completions: Sequence[str], lengths: Sequence[int], answer: str, kind: str
) -> str | None:
    """The shortest completion (in tokens) that is correct and well formed, the first of equals.

    None if there is none.
    """
    verdicts = [grade(text, answer, kind) for text in completions]
    good = [
        index for index, verdict in enumerate(verdicts) if verdict.correct and verdict.format_ok
    ]
    return completions[min(good, key=lambda index: (lengths[index], index))] if good else None


def sample_traces(
    teacher: Path,
    items: Sequence[Item],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], Json]:
    """Sample from the teacher and keep, for each item, the shortest correct completion.

    Returns:
        completions by item id, for the items that have one, and a report (samples, temperature,
        tokens generated, engine).
    """
    sample = _by_vllm if layout.rollouts == "vllm" else _by_transformers
    traces, tokens = sample(teacher, items, world, sampling, layout, seed)
    report = {
        "samples_per_prompt": sampling.samples,
        "temperature": sampling.temperature,
        "tokens": tokens,
        "engine": layout.rollouts,
    }
    return traces, report


def _by_vllm(
    teacher: Path,
    items: Sequence[Item],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], int]:
    traces: dict[str, str] = {}
    sampled = VllmEngine(teacher, world, layout).complete(
        items,
        samples=sampling.samples,
        temperature=sampling.temperature,
        max_new_tokens=sampling.max_new_tokens,
        seed=seed,
    )
    for item, completions in zip(items, sampled, strict=True):
        trace = shortest_correct(
            [completion.text for completion in completions],
            [len(completion.tokens) for completion in completions],
            item.answer,
            item.answer_kind,
        )
        if trace is not None:
            traces[item.id] = trace
    tokens = sum(len(completion.tokens) for completions in sampled for completion in completions)
    return traces, tokens


def _by_transformers(
    teacher: Path,
    items: Sequence[Item],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], int]:
    from reassess.training.engine import seed_everything
    from reassess.training.generate import decode, generate
    from reassess.training.preprocessed import preprocess

    model = load_model(teacher, layout.attention).to(layout.device)
    processor = load_processor(teacher)
    tokenizer = processor.tokenizer
    rows = preprocess(items, None, processor, world.prompt, keep_pixels=world.keep_pixels)
    seed_everything(seed)
    traces: dict[str, str] = {}
    tokens = 0
    for start in range(0, len(items), BATCH):
        batch = range(start, min(start + BATCH, len(items)))
        completions = generate(
            model,
            rows,
            batch,
            pad=tokenizer.pad_token_id,
            end=tokenizer.eos_token_id,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            samples=sampling.samples,
        )
        texts, lengths = decode(tokenizer, completions), [len(row) for row in completions]
        tokens += sum(lengths)
        for place, index in enumerate(batch):
            own = slice(place * sampling.samples, (place + 1) * sampling.samples)
            item = items[index]
            trace = shortest_correct(texts[own], lengths[own], item.answer, item.answer_kind)
            if trace is not None:
                traces[item.id] = trace
    return traces, tokens
