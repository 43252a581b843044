"""Items of public data sets in one schema, whatever their source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from reassess.data.items import Message, Part
from reassess.worlds.hub.config import Prompt


class Dropped(Exception):  # noqa: N818 - not an error: a row that is left out, with the reason
    """A row that its adapter leaves out; the reason is counted in the pool's report."""


@dataclass(frozen=True)
class Row:
    """What an adapter makes of a row of its source.

    Attributes:
        question: words of the question, without options and picture markers.
        answer: the right answer; for `option` the letter.
        answer_kind: how it is verified (`reassess.verifier.grading`).
        image: encoded picture, or None.
        options: texts of the options in order; empty for a free question.
        family: category, as the source names it.
        trace: a completion that comes with the row; empty if none does.
        precision: decimals that count, for `number`; None: exact as far as the gold is written.
    """

    question: str
    answer: str
    answer_kind: str
    image: bytes | None = None
    options: tuple[str, ...] = ()
    family: str = ""
    trace: str = ""


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
        """Return the texts of the options."""
        found: list[str] = json.loads(self.options)
        return found


def option_letter(answer: str, options: Sequence[str]) -> str:
    """Return the letter of the option whose text is the answer.

    Raises:
        Dropped: no option has that text, or two have.
    """
    places = [place for place, text in enumerate(options) if text.strip() == answer.strip()]
    if len(places) != 1:
        raise Dropped("the answer is not exactly one of the options")
    return ascii_uppercase[places[0]]


def messages_of(item: HubItem, prompt: Prompt) -> list[Message]:
    """Return the chat messages of an item: the picture, then the question with its options and the suffix."""
    options = item.option_texts()
    lines = "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options))
    template = prompt.choice if options else prompt.question
    words = (
        template.replace("{options}", lines).replace("{question}", item.question) + prompt.suffix
    )
    content: list[Part] = [{"type": "image"}] if item.image is not None else []
    turns: list[Message] = []
    if prompt.system:
        turns.append({"role": "system", "content": prompt.system})  # type: ignore[typeddict-item]
    return [*turns, {"role": "user", "content": [*content, {"type": "text", "text": words}]}]


_MARKER = re.compile(r"<image ?\d*>", re.IGNORECASE)


def without_markers(question: str) -> str:
    """Return a question without the markers that say where its one picture stands."""
    return _MARKER.sub("", question).strip()


def picture_of(value: Any) -> bytes | None:
    """Return the encoded bytes of a picture as parquet files of the hub hold it: bytes, or a struct of bytes and path.

    Raises:
        Dropped: there is a picture but not its bytes.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytes):
        return bytes(value["bytes"])
    raise Dropped("the picture's bytes are not in the file")


def only_picture(values: Sequence[Any]) -> bytes | None:
    """Return the one picture of a row.

    Raises:
        Dropped: it has several.
    """
    found = [value for value in values if value is not None]
    if len(found) > 1:
        raise Dropped("several pictures")
    return picture_of(found[0]) if found else None
