"""Checks that no test item is in the training data, by exact scene and by perceptual image hash."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

from reassess.core.errors import ReassessError
from reassess.core.files import Json, canonical_json
from reassess.data.items import HashedItem
from reassess.data.pool import rows_of

# Fields of an item from which no prompt is made, besides hashes.
ASIDE = (
    "id", "index", "source", "licence", "trace", "answer", "answer_kind", "family", "hops",
    "filled", "ask",
)  # fmt: skip
NAMED = 3  # leaked items that a message names
REASONS = {  # by what a mark begins with
    "scene": "the same scene",
    "image": "the same picture by its hash",
    "bytes": "the same picture",
    "content": "the same question and all that its prompt shows",
}


class Shared(NamedTuple):
    """A row that is an item of a split.

    Attributes:
        row: its id.
        item: the item's.
        mark: what they share, a key of `REASONS`.
    """

    row: str
    item: str
    mark: str


class Overlap(TypedDict):
    """What a test split shares with the training data; part of the pool's report."""

    items: int
    same_scene: list[str]
    same_picture: list[str]


def overlaps(
    train: Sequence[HashedItem], tests: Mapping[str, Sequence[HashedItem]]
) -> dict[str, Overlap]:
    """By test split, the ids of items whose scene or image occurs in `train`."""
    scenes = {item.scene_hash for item in train}
    images = {item.image_hash for item in train if item.image is not None}
    return {
        split: {
            "items": len(items),
            "same_scene": [item.id for item in items if item.scene_hash in scenes],
            "same_picture": [
                item.id for item in items if item.image is not None and item.image_hash in images
            ],
        }
        for split, items in tests.items()
    }


def require_disjoint(
    train: Sequence[HashedItem], tests: Mapping[str, Sequence[HashedItem]]
) -> dict[str, Overlap]:
    """The report of `overlaps`, if every split is disjoint from `train`.

    Raises:
        ReassessError: a test item's scene or image is in the training data; names the split and
            the items.
    """
    report = overlaps(train, tests)
    for split, overlap in report.items():
        leaked = sorted({*overlap["same_scene"], *overlap["same_picture"]})
        if leaked:
            raise ReassessError(
                f"split {split!r}: {len(leaked)} items are in the training data too, first "
                f"{', '.join(leaked[:3])}"
            )
    return report


def require_rows_disjoint(
    ids: Sequence[str],
    pool: Path,
    tests: Mapping[str, Path],
    probe: Path,
    *,
    own_questions: bool,
) -> list[str]:
    """Check, by hashes alone, that no row of a cell is an item of a benchmark or of the probe.

    Rows are the same if they have the same scene, the same image (by its perceptual hash or its
    bytes), or the same question with all else that a prompt is made of. In a world without scenes
    a row may share its image with an item of the probe, which has another question on it.

    Args:
        ids: the cell's rows.
        pool: the split that they are of.
        tests: the file of each benchmark's split.
        probe: the file of the probe.
        own_questions: whether the rows are those of a distribution with questions of its own, from
            which nobody has taken the probe's: then what they share with it is only noted.

    Returns:
        notes to print.

    Raises:
        ReassessError: a row is an item of a benchmark or of the probe; names both.
    """
    rows = _marks(pool, set(ids))
    for name, path in tests.items():
        if shared := _shared(rows, path, pictures=True):
            raise _leak(pool, name, path, shared)
    if shared := _shared(rows, probe, pictures=False):
        if not own_questions:
            raise _leak(pool, "probe", probe, shared)
        return [f"{len(shared)} of its rows are also in the probe, whose curve they lift"]
    return []


def _leak(pool: Path, name: str, path: Path, shared: Sequence[Shared]) -> ReassessError:
    pairs = ", ".join(f"{one.row} ({one.item}: {REASONS[one.mark]})" for one in shared[:NAMED])
    return ReassessError(
        f"{len(shared)} rows of {pool} that the cell is trained on are items of {name!r} ({path}), "
        f"first {pairs}; build the pool again (delete {pool.parent} and run the grid again), or "
        "leave out the source that they come from"
    )


def _marks(path: Path, chosen: Container[str] | None = None) -> dict[str, str]:
    """Row ids by what marks a row: see `_marks_of`."""
    return {
        mark: str(row["id"])
        for row in rows_of(path)
        if chosen is None or row["id"] in chosen
        for mark in _marks_of(row)
    }


def _shared(rows: Mapping[str, str], path: Path, *, pictures: bool) -> list[Shared]:
    """Each row that a split shares, with the split's first item that it shares.

    Args:
        rows: ids by mark.
        path: the split.
        pictures: whether the same image makes a row the same, in a world without scenes.
    """
    found: dict[str, Shared] = {}
    for row in rows_of(path):
        everything = pictures or row.get("scene_hash") is not None
        for mark in _marks_of(row):
            kind = mark.partition(" ")[0]
            if mark in rows and (everything or kind == "content"):
                found.setdefault(rows[mark], Shared(rows[mark], str(row["id"]), kind))
    return sorted(found.values())


def _marks_of(row: Json) -> Iterator[str]:
    """What makes two rows the same, one of these being enough."""
    if row.get("scene_hash"):
        yield f"scene {row['scene_hash']}"
    content = {
        name: value
        for name, value in row.items()
        if name not in ASIDE and not name.endswith("_hash")
    }
    if (image := row.get("image")) is not None:
        content["image"] = hashlib.sha256(image).hexdigest()
        if (perceptual := str(row.get("image_hash") or "")).strip("0"):
            yield f"image {perceptual}"  # one without a bit is of an even image: many share it
            yield f"bytes {content['image']}"
    text = canonical_json(content).encode("utf-8", "surrogatepass")
    yield f"content {hashlib.sha256(text).hexdigest()}"
