"""The splits of the micro world, generated so that nothing in a test split was seen in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reassess.core.errors import ReassessError, unknown
from reassess.core.files import Json
from reassess.data.disjoint import require_disjoint
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.items import benchmark_rule, make_item

TRAIN, PROBE = "train", "probe"


def make_splits(
    seed: int,
    pool_rows: int,
    split_items: int,
    probe_items: int,
    scenes: Mapping[str, Json],
    items: Mapping[str, int] | None = None,
) -> tuple[dict[str, list[MicroItem]], Json]:
    """Every split, and the report that training and test share nothing.

    A split with fewer items has the first ones of the same split with more.

    Args:
        seed: of the world.
        pool_rows: items of the training pool.
        split_items: items of each benchmark.
        probe_items: items of the probe.
        scenes: by benchmark, how its items are drawn.
        items: by benchmark, the number of its items where it is another one.

    Raises:
        ReassessError: a test scene or image is in the training pool, or a benchmark's `scenes` are
            invalid.
    """
    counts = dict.fromkeys(scenes, split_items) | dict(items or {})
    splits = {TRAIN: [make_item(TRAIN, seed, index) for index in range(pool_rows)]}
    taken = {value for item in splits[TRAIN] for value in (item.scene_hash, item.image_hash)}
    splits[PROBE] = [make_item(PROBE, seed, index, taken) for index in range(probe_items)]
    taken |= {value for item in splits[PROBE] for value in (item.scene_hash, item.image_hash)}
    for split, drawn in scenes.items():
        if "in_words" not in drawn:
            rule = benchmark_rule(split, drawn)
            splits[split] = [
                make_item(split, seed, index, taken, rule) for index in range(counts[split])
            ]
    for split, drawn in scenes.items():
        if "in_words" in drawn:
            in_words = _in_words(split, str(drawn["in_words"]), splits)
            splits[split] = in_words[: counts[split]]
    report = require_disjoint(
        splits[TRAIN], {name: items for name, items in splits.items() if name != TRAIN}
    )
    report |= {
        f"{name} against {PROBE}": found
        for name, found in require_disjoint(
            splits[PROBE], {name: splits[name] for name in scenes}
        ).items()
    }
    return splits, report


def _in_words(split: str, original: str, splits: Mapping[str, list[MicroItem]]) -> list[MicroItem]:
    """The same items without images, so that the same question is asked in the other modality."""
    if original not in splits:
        raise ReassessError(
            f"benchmark {split!r}, scenes.in_words: {unknown('benchmark', original, splits)}"
        )
    return [replace(item, id=f"{split}-{item.index:06d}", image=None) for item in splits[original]]
