"""What an item of the micro world is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MicroItem:
    """One row of a split. `image` is a PNG, or None where the scene is given in words."""

    id: str
    index: int
    family: str
    hops: int
    question: str
    answer: str
    answer_kind: str
    image: bytes | None
    scene_text: str
    filled: int
    scene_hash: str
    image_hash: str
    scene: str
    ask: str
