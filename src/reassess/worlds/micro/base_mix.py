"""What base checkpoints and teachers are trained on.

The items come from random streams of their own, never from the pool.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.items import RULES, make_item
from reassess.worlds.micro.traces import render_trace

TEXT_ONLY = 0.25
REASONED = {1: 0.5, 2: 0.1}  # share of chains of thought by stage

Pair = tuple[MicroItem, str]


def base_items(
    seed: int, count: int, stage: int, forbidden: Container[str] = frozenset()
) -> list[Pair]:
    """The (item, completion) pairs of a base stage.

    Half of stage 1 has a chain of thought; stage 2 has mostly direct answers.
    """
    split = f"base{stage}"
    pairs = []
    for index in range(count):
        in_words, reasoned = np.random.default_rng([seed, RULES[split].stream, index, 1]).random(
            2
        ) < (TEXT_ONLY, REASONED[stage])
        item = make_item(split, seed, index, forbidden, in_words=in_words)
        completion = render_trace(item, "native") if reasoned else f"Answer: {item.answer}"
        pairs.append((item, completion))
    return pairs


def teacher_items(seed: int, count: int, forbidden: Container[str] = frozenset()) -> list[Pair]:
    """The (item, completion) pairs of a teacher, all with an image and a chain of thought."""
    items = (make_item("teacher", seed, index, forbidden) for index in range(count))
    return [(item, render_trace(item, "native")) for item in items]
