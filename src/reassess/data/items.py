"""What an item is to everything but its own world, and the chat messages made from one."""

from __future__ import annotations

from dataclasses import Field
from typing import Any, ClassVar, Protocol, TypedDict


class WithImage(Protocol):
    """The part of an item that is preprocessed beside its messages."""

    @property
    def id(self) -> str:
        """Unique within its split."""

    @property
    def image(self) -> bytes | None:
        """An encoded image, or None."""


class Item(WithImage, Protocol):
    """One question with its answer and, mostly, an image. Worlds have dataclasses with more."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def question(self) -> str:
        """The question in words."""

    @property
    def answer(self) -> str:
        """The reference answer."""

    @property
    def answer_kind(self) -> str:
        """How the answer is compared; see `reassess.verifier`."""

    @property
    def family(self) -> str:
        """The kind of question."""


class HashedItem(WithImage, Protocol):
    """An item whose overlap with another split can be checked."""

    @property
    def scene_hash(self) -> str:
        """Equal for equal scenes."""

    @property
    def image_hash(self) -> str:
        """A perceptual hash of the image."""


class Part(TypedDict, total=False):
    """One part of a chat message: an image, or text."""

    type: str
    text: str


class Message(TypedDict):
    """One turn of a chat. A system prompt's content is a plain string, as templates expect."""

    role: str
    content: list[Part]


class Prompts(Protocol):
    """How prompts are made from items, and whether preprocessed images are kept in memory."""

    @property
    def keep_pixels(self) -> bool:
        """Whether preprocessed images are kept in memory."""

    def prompt(self, item: Any) -> list[Message]:
        """The chat messages of an item of the world's own type."""
