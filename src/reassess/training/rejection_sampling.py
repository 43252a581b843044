"""Traces by rejection sampling: the shortest correct one of several completions of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from reassess.config.schema import Distribution
from reassess.core.files import Json
from reassess.data.items import Item, Prompts
from reassess.training.layout import Layout
from reassess.training.loading import load_model, load_processor
from reassess.training.vllm_engine import VllmEngine
from reassess.verifier import Verdict, grade_all

BATCH = 64  # prompts that transformers completes at once


def shortest_correct(
    completions: Sequence[str], lengths: Sequence[int], verdicts: Sequence[Verdict]
) -> str | None:
    """The shortest completion (in tokens) that is correct and well formed, the first of equals.

    None if there is none.
    """
    good = [
        index for index, verdict in enumerate(verdicts) if verdict.correct and verdict.format_ok
    ]
    return completions[min(good, key=lambda index: (lengths[index], index))] if good else None


def shortest_correct_of(
    items: Sequence[Item], texts: Sequence[Sequence[str]], lengths: Sequence[Sequence[int]]
) -> tuple[dict[str, str], int]:
    """The shortest correct completion of each item that has one, by item id.

    Args:
        items: the items.
        texts: the completions of each.
        lengths: the number of tokens of each completion.

    Returns:
        the completions, and how many verdicts are undecided: none of those is kept.
    """
    rows = [
        (text, item.answer, item.answer_kind)
        for item, of_item in zip(items, texts, strict=True)
        for text in of_item
    ]
    verdicts = grade_all(*(list(column) for column in zip(*rows, strict=True))) if rows else []
    undecided = sum(verdict.undecided for verdict in verdicts)
    rest, traces = iter(verdicts), {}
    for item, of_item, own_lengths in zip(items, texts, lengths, strict=True):
        trace = shortest_correct(of_item, own_lengths, list(islice(rest, len(of_item))))
        if trace is not None:
            traces[item.id] = trace
    return traces, undecided


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
        tokens generated, engine; undecided verdicts if there are any).
    """
    sample = _by_vllm if layout.rollouts == "vllm" else _by_transformers
    traces, tokens, undecided = sample(teacher, items, world, sampling, layout, seed)
    report = {
        "samples_per_prompt": sampling.samples,
        "temperature": sampling.temperature,
        "tokens": tokens,
        "engine": layout.rollouts,
        **({"undecided": undecided} if undecided else {}),
    }
    return traces, report


def _by_vllm(
    teacher: Path,
    items: Sequence[Item],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], int, int]:
    sampled = VllmEngine(teacher, world, layout).complete(
        items,
        samples=sampling.samples,
        temperature=sampling.temperature,
        max_new_tokens=sampling.max_new_tokens,
        seed=seed,
    )
    traces, undecided = shortest_correct_of(
        items,
        [[completion.text for completion in completions] for completions in sampled],
        [[len(completion.tokens) for completion in completions] for completions in sampled],
    )
    tokens = sum(len(completion.tokens) for completions in sampled for completion in completions)
    return traces, tokens, undecided


def _by_transformers(
    teacher: Path,
    items: Sequence[Item],
    world: Prompts,
    sampling: Distribution,
    layout: Layout,
    seed: int,
) -> tuple[dict[str, str], int, int]:
    from reassess.training.engine import seed_everything
    from reassess.training.generate import decode, generate
    from reassess.training.preprocessed import preprocess

    model = load_model(teacher, layout.attention).to(layout.device)
    processor = load_processor(teacher)
    tokenizer = processor.tokenizer
    rows = preprocess(items, None, processor, world.prompt, keep_pixels=world.keep_pixels)
    seed_everything(seed)
    traces: dict[str, str] = {}
    tokens = undecided = 0
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
        groups = [
            slice(start, start + sampling.samples)
            for start in range(0, len(texts), sampling.samples)
        ]
        kept, unknown = shortest_correct_of(
            [items[index] for index in batch],
            [texts[group] for group in groups],
            [lengths[group] for group in groups],
        )
        traces |= kept
        undecided += unknown
    return traces, tokens, undecided
