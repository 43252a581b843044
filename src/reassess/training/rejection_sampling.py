"""Traces by rejection sampling: several completions a prompt, keep the correct ones, take the shortest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reassess.config.schema import Distribution
from reassess.data.items import Prompts
from reassess.training.layout import Layout
from reassess.verifier.grading import judge


def shortest_correct(
    completions: Sequence[str], lengths: Sequence[int], answer: str, kind: str
) -> str | None:
    """Return the shortest completion (in tokens) that is correct and well formed, the earliest of equals; None if there is none."""
    verdicts = [judge(text, answer, kind) for text in completions]
    good = [
        index for index, verdict in enumerate(verdicts) if verdict.correct and verdict.format_ok
    ]
    return completions[min(good, key=lambda index: (lengths[index], index))] if good else None


def sample_traces(
    teacher: Path,
    items: Sequence[Any],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Sample from the teacher and keep, for each item, the shortest correct completion.

    Returns:
        completions by item id, for the items that have one, and a report (samples, temperature, tokens generated, engine).
    """
    if layout.rollouts == "vllm":
        kept, tokens = _by_vllm(teacher, items, world, sampling, layout, seed)
    else:
        kept, tokens = _by_transformers(teacher, items, world, sampling, layout, seed)
    report = {
        "samples_per_prompt": sampling.samples,
        "temperature": sampling.temperature,
        "tokens": tokens,
    }
    return kept, {**report, "engine": layout.rollouts}


def _by_vllm(
    teacher: Path,
    items: Sequence[Any],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], int]:
    from reassess.training.vllm_engine import VllmEngine

    kept: dict[str, str] = {}
    found = VllmEngine(teacher, world, layout).complete(
        items,
        samples=sampling.samples,
        temperature=sampling.temperature,
        max_new_tokens=sampling.max_new_tokens,
        seed=seed,
    )
    for item, drawn in zip(items, found, strict=True):
        lengths = [len(one.tokens) for one in drawn]
        trace = shortest_correct(
            [one.text for one in drawn], lengths, item.answer, item.answer_kind
        )
        if trace is not None:
            kept[item.id] = trace
    return kept, sum(len(one.tokens) for drawn in found for one in drawn)


def _by_transformers(
    teacher: Path,
    items: Sequence[Any],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
    batch: int = 64,
) -> tuple[dict[str, str], int]:
    from reassess.data.pool import decode_image
    from reassess.training.engine import seed_everything
    from reassess.training.generate import decode, generate
    from reassess.training.loading import load_model, load_processor
    from reassess.training.preprocessed import preprocess

    model, processor = (
        load_model(teacher, layout.attention).to(layout.device),
        load_processor(teacher),
    )
    tokenizer = processor.tokenizer
    rows = preprocess(
        items, None, processor, world.prompt, decode_image, keep_pixels=world.keep_pixels
    )
    seed_everything(seed)
    kept: dict[str, str] = {}
    tokens = 0
    for start in range(0, len(items), batch):
        chunk = range(start, min(start + batch, len(items)))
        found = generate(
            model,
            rows,
            chunk,
            pad=tokenizer.pad_token_id,
            end=tokenizer.eos_token_id,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            samples=sampling.samples,
        )
        texts, lengths = decode(tokenizer, found), [len(row) for row in found]
        tokens += sum(lengths)
        for place, index in enumerate(chunk):
            own = slice(place * sampling.samples, (place + 1) * sampling.samples)
            trace = shortest_correct(
                texts[own], lengths[own], items[index].answer, items[index].answer_kind
            )
            if trace is not None:
                kept[items[index].id] = trace
    return kept, tokens
