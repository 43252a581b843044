"""What a method that answers by itself is given: questions without their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from reassess.data.items import Item


class AskedItem(Item, Protocol):
    """An item that can be had without what its answer follows from."""

    def asked(self) -> Self:
        """The item as its prompt needs it."""


@dataclass(frozen=True)
class Question:
    """An item as far as it may be known to what answers it.

    Attributes:
        id: the item's.
        family: the kind of question.
        question: the question in words.
        text: all words of its prompt: options, or a scene that is given in words, as well.
        answer_kind: how the answer is compared; see `reassess.verifier`.
        image: the encoded image, or None.
        choices: the answers that occur among all items of the family, sorted. One that is alone in
            its family is given away, to the control `random-choice` too.
    """

    id: str
    family: str
    question: str
    text: str
    answer_kind: str
    image: bytes | None
    choices: tuple[str, ...]


def questions_of(items: Sequence[Item], text_of: Callable[[Item], str]) -> list[Question]:
    """The questions of items; `text_of` gives the words of an item's prompt."""
    answers: dict[str, set[str]] = {}
    for item in items:
        answers.setdefault(item.family, set()).add(item.answer)
    choices = {family: tuple(sorted(found)) for family, found in answers.items()}
    return [
        Question(
            item.id,
            item.family,
            item.question,
            text_of(item),
            item.answer_kind,
            item.image,
            choices[item.family],
        )
        for item in items
    ]
