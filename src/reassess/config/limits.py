"""How large a config may be: files and bundles of unknown origin are read too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
    ScalarEvent,
)

from reassess.core.errors import ReassessError

MOST_BYTES = 2**20  # of a file
MOST_VALUES = 100_000  # of a config, each repetition by an alias counted
MOST_CHARACTERS = 2**22  # the same, of all its text
DEEPEST = 40  # levels


def check_size(content: object, source: Path) -> None:
    """Refuse content that no config has, before anything walks through all of it.

    Raises:
        ReassessError: too many values or too much text, repetitions counted; or too deep.
    """
    values = characters = 0
    waiting = [(content, 1)]
    while waiting:
        value, depth = waiting.pop()
        values += 1
        characters += len(value) if isinstance(value, str) else 0
        if depth > DEEPEST:
            raise ReassessError(f"{source}: more than {DEEPEST} levels deep; a config is not")
        if values > MOST_VALUES or characters > MOST_CHARACTERS:
            raise _too_large(source)
        waiting += [(part, depth + 1) for part in _parts(value)]


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, list | tuple | set) else []


def check_aliases(text: str, source: Path) -> None:
    """Refuse YAML whose aliases repeat so much that merely constructing it takes for ever.

    Raises:
        ReassessError: more values than a config may have, repetitions counted.
        YAMLError: the text is no YAML.
    """
    if "*" not in text:
        return
    sizes: dict[str, int] = {}  # of anchored nodes, their aliases counted as often as they occur
    opened: list[tuple[str | None, int]] = []
    size = 0
    for event in _nodes(text):
        if isinstance(event, CollectionStartEvent):
            opened.append((event.anchor, size))
            continue
        start, anchor = size, getattr(event, "anchor", None)
        if isinstance(event, CollectionEndEvent):
            anchor, start = opened.pop()
        size += sizes.get(event.anchor, 1) if isinstance(event, AliasEvent) else 1
        if anchor is not None and not isinstance(event, AliasEvent):
            sizes[anchor] = size - start
        if size > MOST_VALUES:
            raise _too_large(source)


def _nodes(text: str) -> Iterator[NodeEvent | CollectionEndEvent]:
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, ScalarEvent | AliasEvent | CollectionStartEvent | CollectionEndEvent):
            yield event


def _too_large(source: Path) -> ReassessError:
    return ReassessError(
        f"{source}: more than {MOST_VALUES} values or {MOST_CHARACTERS} characters, counting what "
        "aliases repeat; a config is smaller"
    )
