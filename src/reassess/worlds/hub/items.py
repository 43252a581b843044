"""Items of public data sets in one schema, whatever their source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any

from reassess.data.items import Message, Part
from reassess.worlds.hub.config import Prompt

RawRow = Mapping[str, Any]  # a row as its source stores it: only the source's adapter knows more


class Dropped(Exception):  # noqa: N818 - not an error: a row that is left out, with the reason
    """A row that its adapter leaves out; the pool's report counts the reasons."""


@dataclass(frozen=True)
class Row:
    """What an adapter makes of a row of its source.

    Attributes:
        question: the question in words, without options and image markers.
        answer: the right answer; for `option` the letter.
        answer_kind: how it is verified (`reassess.verifier.comparison`).
        image: encoded image, or None.
        options: texts of the options in order; empty for a free question.
        family: category, as the source names it.
        trace: a completion that comes with the row; empty if none does.
    """

    question: str
    answer: str
    answer_kind: str
    image: bytes | None = None
    options: tuple[str, ...] = ()
    family: str = ""
    trace: str = ""

    @property
    def reference_answer(self) -> str:
        """The answer as its kind is verified: for a choice, the right option's letter and text."""
        if self.answer_kind != "choice":
            return self.answer
        return json.dumps([self.answer, self.options[ord(self.answer) - ord("A")]])


@dataclass(frozen=True)
class HubItem:
    """One row of a split. `options` is a JSON list."""

    id: str
    index: int
    source: str
    family: str
    question: str
    options: str
    answer: str
    answer_kind: str
    image: bytes | None
    image_hash: str
    trace: str
    licence: str

    def option_texts(self) -> list[str]:
        """The texts of the options, in order."""
        texts: list[str] = json.loads(self.options)
        return texts

    def answer_text(self) -> str:
        """The right answer in words; for a choice, the right option's text."""
        if self.answer_kind != "choice":
            return self.answer
        texts: list[str] = json.loads(self.answer)
        return texts[-1]

    def asked(self) -> HubItem:
        """The item with what its prompt is made from, and no answer or trace."""
        return replace(self, answer="", trace="")


def option_letter(answer: str, options: Sequence[str]) -> str:
    """The letter of the option whose text is the answer.

    Raises:
        Dropped: no option has that text, or more than one has.
    """
    places = [place for place, text in enumerate(options) if text.strip() == answer.strip()]
    if len(places) != 1:
        raise Dropped("the answer is not exactly one of the options")
    return ascii_uppercase[places[0]]


def messages_of(item: HubItem, prompt: Prompt) -> list[Message]:
    """The chat messages of an item: the image, then question, options and suffix."""
    options = item.option_texts()
    lines = "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options))
    template = prompt.choice if options else prompt.question
    text = template.replace("{options}", lines).replace("{question}", item.question)
    content: list[Part] = [{"type": "image"}] if item.image is not None else []
    content.append({"type": "text", "text": text + prompt.suffix})
    turns: list[Message] = []
    if prompt.system:
        turns.append({"role": "system", "content": prompt.system})  # type: ignore[typeddict-item]
    return [*turns, {"role": "user", "content": content}]


_MARKER = re.compile(r"<image ?\d*>", re.IGNORECASE)


def without_markers(question: str) -> str:
    """Remove the markers that show where a question's one image is placed."""
    return _MARKER.sub("", question).strip()


def image_of(value: object) -> bytes | None:
    """The encoded bytes of an image as parquet files of the hub hold it.

    Args:
        value: the bytes, a struct of bytes and path, or None where the row has no image.

    Raises:
        Dropped: there is an image, but the file does not hold its bytes.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytes):
        return bytes(value["bytes"])
    raise Dropped("the picture's bytes are not in the file")


def only_image(values: Sequence[object]) -> bytes | None:
    """The one image of a row, or None.

    Raises:
        Dropped: the row has more than one.
    """
    images = [value for value in values if value is not None]
    if len(images) > 1:
        raise Dropped("several pictures")
    return image_of(images[0]) if images else None
