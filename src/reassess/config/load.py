"""Reading config files: YAML, and `extends:` for a grid that differs a little from another."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from reassess.config.limits import MOST_BYTES, check_aliases, check_size
from reassess.config.messages import explain
from reassess.config.schema import Config
from reassess.core.errors import ReassessError, unknown
from reassess.core.files import Json

WORLDS = Path(__file__).parents[1] / "worlds"


def read_config_file(path: Path) -> Json:
    """The mapping in a YAML file, merged over the file that its `extends:` names.

    That name is relative to the file, and so are the folders of plug-ins, claims and benchmarks in
    each of the files. Mappings merge key by key; a key set to null is removed; anything else
    replaces.

    Raises:
        ReassessError: the file is missing, is no YAML, has a key twice, is no mapping, is larger
            than a config can be, or extends itself.
    """
    return _read(path, ())


def read_yaml(path: Path) -> Json:
    """The mapping in a YAML file, as it stands there.

    Raises:
        ReassessError: the file is missing, is no YAML, has a key twice, is no mapping, or is larger
            than a config can be.
    """
    raw = _load(path)
    check_size(raw, path)
    if not isinstance(raw, dict):
        raise ReassessError(f"{path}: expected a mapping of keys, found {type(raw).__name__}")
    return raw


def _read(path: Path, extended_by: tuple[Path, ...]) -> Json:
    if path.resolve() in extended_by:
        raise ReassessError(f"{path}: extends itself")
    raw = read_yaml(path)
    _anchor_folders(raw, path.parent)
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    return _merge(_read(path.parent / str(parent), (*extended_by, path.resolve())), raw)


def _anchor_folders(raw: Json, beside: Path) -> None:
    """Make the folders that one file names relative to the working folder."""
    evaluation = raw.get("evaluation")
    for section, key in ((raw, "plugins"), (raw, "claims"), (evaluation, "folders")):
        if isinstance(section, dict) and isinstance(section.get(key), list):
            section[key] = [
                str(beside / folder) if isinstance(folder, str) else folder
                for folder in section[key]
            ]


def _load(path: Path) -> object:
    """What a file of YAML 1.2 holds, without tags that construct objects of Python."""
    try:
        text = _text(path)
        check_aliases(text, path)
        content: object = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:  # YAML itself would let the second silently win
        line = error.problem_mark.line + 1
        raise ReassessError(f"{path}: line {line}: {error.problem}") from error
    except (YAMLError, ValueError) as error:  # ValueError: of a number or a date
        raise ReassessError(f"{path} is not valid YAML: {error}") from error
    except RecursionError as error:
        raise ReassessError(f"{path}: too many levels deep; a config is not") from error
    return content


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ReassessError(f"{path}: larger than {MOST_BYTES} bytes; a config is smaller")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ReassessError(f"no config file {path}") from error
    except OSError as error:
        raise ReassessError(f"{path} cannot be read: {error.strerror}") from error


def _merge(under: Json, over: Json) -> Json:
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
        ReassessError: names the file, the key, its value, what is allowed and the nearest valid
            name.
    """
    return validated(read_config_file(path), path)


def validated(raw: Json, path: Path) -> Config:
    """The config that a mapping is; `path` is named in messages.

    Raises:
        ReassessError: as `load_config`.
    """
    try:
        kind = config_class(raw)
    except ReassessError as error:
        raise ReassessError(f"{path}: world.kind: {error}") from error
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ReassessError(explain(error, path, kind)) from error


def config_class(raw: Mapping[str, object]) -> type[Config]:
    """The config class of the world that a raw config names; of the micro world if it names none.

    Raises:
        ReassessError: no such world.
    """
    world = raw.get("world")
    kind = str(world.get("kind", "micro")) if isinstance(world, Mapping) else "micro"
    worlds = sorted(path.parent.name for path in WORLDS.glob("*/config.py"))
    if kind not in worlds:
        raise ReassessError(unknown("world", kind, worlds))
    config: type[Config] = import_module(f"reassess.worlds.{kind}.config").CONFIG
    return config
