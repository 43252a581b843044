"""Is any test scene in the training data? By exact scene, and by a perceptual hash of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reassess.core.errors import ReassessError


def overlaps(train: Sequence[Any], tests: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Return, for each test split, the ids of items whose scene or picture occurs in `train`."""
    scenes = {item.scene_hash for item in train}
    pictures = {item.image_hash for item in train if item.image is not None}
    return {
        split: {
            "items": len(items),
            "same_scene": [item.id for item in items if item.scene_hash in scenes],
            "same_picture": [
                item.id for item in items if item.image is not None and item.image_hash in pictures
            ],
        }
        for split, items in tests.items()
    }


def require_disjoint(
    train: Sequence[Any], tests: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, Any]]:
    """Return `overlaps`, if there are none.

    Raises:
        ReassessError: a test item's scene or picture is in the training data; names the split and the items.
    """
    found = overlaps(train, tests)
    for split, report in found.items():
        leaked = sorted({*report["same_scene"], *report["same_picture"]})
        if leaked:
            raise ReassessError(
                f"split {split!r}: {len(leaked)} items stand in the training data too, first {', '.join(leaked[:3])}"
            )
    return found
