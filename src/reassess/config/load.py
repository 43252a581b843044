"""Reading config files: YAML without duplicate keys, and `extends:` for a grid that differs from another in a few lines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from reassess.config.messages import explain
from reassess.config.schema import Config
from reassess.core.errors import ReassessError, unknown

WORLDS = Path(__file__).parents[1] / "worlds"


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which YAML would let win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<: *anchor`
                continue
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if key in seen:
                raise ReassessError(f"line {key_node.start_mark.line + 1}: duplicate key {key!r}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_config_file(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, merged over the file its `extends:` names (relative to itself).

    Mappings merge key by key; a key set to null is removed; anything else replaces.

    Raises:
        ReassessError: the file is missing, no YAML, no mapping, has a duplicate key, or extends itself.
    """
    return _read(path, ())


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise ReassessError(f"{path}: extends itself")
    try:
        raw = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError as error:
        raise ReassessError(f"no config file {path}") from error
    except yaml.YAMLError as error:
        raise ReassessError(f"{path} is not valid YAML: {error}") from error
    except ReassessError as error:
        raise ReassessError(f"{path}: {error}") from error
    if not isinstance(raw, dict):
        raise ReassessError(f"{path}: expected a mapping of keys, found {type(raw).__name__}")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    return _merge(_read(path.parent / str(parent), (*above, path.resolve())), raw)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def load_config(path: Path) -> Config:
    """Read, merge (`extends:`) and validate a config file.

    Raises:
        ReassessError: names the file, the key, the value found, what is allowed and the nearest valid name.
    """
    raw = read_config_file(path)
    try:
        kind = config_class(raw)
    except ReassessError as error:
        raise ReassessError(f"{path}: world.kind: {error}") from error
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ReassessError(explain(error, path, kind)) from error


def config_class(raw: Mapping[str, Any]) -> type[Config]:
    """Return the config class of the world that a raw config names; the micro world if it names none.

    Raises:
        ReassessError: no such world.
    """
    world = raw.get("world")
    kind = str(world.get("kind", "micro")) if isinstance(world, Mapping) else "micro"
    worlds = sorted(path.parent.name for path in WORLDS.glob("*/config.py"))
    if kind not in worlds:
        raise ReassessError(unknown("world", kind, worlds))
    found: type[Config] = import_module(f"reassess.worlds.{kind}.config").CONFIG
    return found
