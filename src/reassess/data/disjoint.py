"""Checks that no test item is in the training data, by exact scene and by perceptual image hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from reassess.core.errors import ReassessError
from reassess.data.items import HashedItem


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
