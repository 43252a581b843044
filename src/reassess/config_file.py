"""Reading config files: YAML without duplicate keys, and `extends:` for a grid that differs from another in a few lines."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from reassess.errors import ReassessError


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
