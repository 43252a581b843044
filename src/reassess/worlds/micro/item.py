"""What an item of the micro world is."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class MicroItem:
    """One row of a split.

    `image` is a PNG, or None where the scene is given in words. Of items that no file keeps, such
    as those of bases and teachers, it is a BMP, which takes a fraction of the time.
    """

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

    def asked(self) -> MicroItem:
        """The item with what its prompt is made from, and nothing that the answer follows from.

        The scene's words are kept where there is no image: they are part of the prompt then.
        """
        return replace(
            self,
            answer="",
            hops=0,
            filled=0,
            scene_text="" if self.image is not None else self.scene_text,
            scene_hash="",
            image_hash="",
            scene="",
            ask="",
        )
