"""The pool: every split as one parquet file in frozen order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reassess.data.disjoint import require_disjoint
from reassess.errors import ReassessError, unknown
from reassess.files import read_parquet, write_json, write_parquet
from reassess.worlds.micro.items import Item, benchmark_rule, make_item

if TYPE_CHECKING:
    from PIL.Image import Image

TRAIN, PROBE = "train", "probe"
COLUMNS = [field.name for field in fields(Item)]


def build_pool(
    folder: Path, seed: int, pool_rows: int, split_items: int, probe_items: int, scenes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Generate and write every split and the disjointness report.

    Args:
        folder: where the splits are written.
        seed: of the world.
        pool_rows: items of the training pool.
        split_items: items of each benchmark.
        probe_items: items of the probe.
        scenes: by benchmark, how its items are drawn.

    Raises:
        ReassessError: a test scene or picture is in the training pool, or a benchmark's `scenes` cannot be followed.
    """
    splits = {TRAIN: [make_item(TRAIN, seed, index) for index in range(pool_rows)]}
    taken = {value for item in splits[TRAIN] for value in (item.scene_hash, item.image_hash)}
    splits[PROBE] = [make_item(PROBE, seed, index, taken) for index in range(probe_items)]
    taken |= {value for item in splits[PROBE] for value in (item.scene_hash, item.image_hash)}
    for split, drawn in scenes.items():
        if "in_words" not in drawn:
            rule = benchmark_rule(split, drawn)
            splits[split] = [make_item(split, seed, index, taken, rule) for index in range(split_items)]
    for split, drawn in scenes.items():
        if "in_words" in drawn:
            splits[split] = _in_words(split, str(drawn["in_words"]), splits)
    report = require_disjoint(splits[TRAIN], {name: items for name, items in splits.items() if name != TRAIN})
    report |= {
        f"{name} against {PROBE}": found
        for name, found in require_disjoint(splits[PROBE], {name: splits[name] for name in scenes}).items()
    }
    for name, items in splits.items():
        write_pool(folder / f"{name}.parquet", items)
    write_json(folder / "disjointness.json", report)


def _in_words(split: str, original: str, splits: Mapping[str, list[Item]]) -> list[Item]:
    """Return the same items without pictures, so that the same thing is asked across the modality."""
    if original not in splits:
        raise ReassessError(f"benchmark {split!r} asks {original!r} in words: {unknown('benchmark', original, splits)}")
    return [replace(item, id=f"{split}-{item.index:06d}", image=None) for item in splits[original]]


def write_pool(path: Path, items: list[Item]) -> None:
    """Write a split."""
    import pandas as pd

    write_parquet(path, pd.DataFrame([asdict(item) for item in items], columns=COLUMNS))


def read_pool(path: Path) -> list[Item]:
    """Read a split back, in its frozen order.

    Raises:
        ReassessError: the file is missing, damaged, or lacks a column.
    """
    frame = read_parquet(path)
    lacking = [name for name in COLUMNS if name not in frame.columns]
    if lacking:
        raise ReassessError(f"{path} lacks the columns {', '.join(lacking)}; delete it and rerun to make it again")
    rows = frame[COLUMNS].to_dict("records")
    return [Item(**{str(name): value for name, value in row.items()}) for row in rows]


def decode_image(item: Item) -> Image:
    """Return an item's picture.

    Raises:
        ReassessError: there is none, or its bytes are no picture; names the item.
    """
    from PIL import Image, UnidentifiedImageError

    if not item.image:
        raise ReassessError(f"item {item.id}: its picture is missing")
    try:
        with Image.open(BytesIO(item.image)) as opened:
            return opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ReassessError(f"item {item.id}: its picture does not decode ({error})") from error
