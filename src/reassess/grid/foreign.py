"""Grids from somebody else's config, as it stands in a bundle: nothing runs unless it is trusted.

A config can name folders of plug-ins, which are imported; folders of benchmarks, whose files name
functions; and other places on a machine. Every value of a path's type that is not the default is
such a place, wherever in the config it stands. Names are checked first, by the config's own models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ValidationError

from reassess.config.limits import check_size
from reassess.config.load import validated
from reassess.config.schema import Config
from reassess.core.errors import ReassessError
from reassess.core.files import Json, sha256_file
from reassess.core.project import ROOT
from reassess.core.text import printable
from reassess.grid.study import Grid
from reassess.methods import discover

OWN = ("results", "scratch")  # given by the caller, who replaces what the bundle states
LISTED = (".py", ".yaml", ".yml")  # what can be code, or can name code
MOST_FILES = 50  # of a folder, in a message
LARGEST_FILE = 2**20  # bytes of a file that is hashed for the list
# Settings of a task file by which lm-eval calls a function or loads something from elsewhere.
NAMES_CODE = re.compile(
    r"!function|\b(?:include|custom_dataset|dataset_path|dataset_name|dataset_kwargs|"
    r"process_docs|process_results|doc_to_\w+|unsafe_code)\s*:"
)


def load_foreign(config: Json, source: Path, *, trust: bool = False) -> Grid:
    """The grid of a config that came out of somebody else's bundle.

    Its relative paths are those of the working folder. In the grid's config they are absolute, so
    that a file written of it means the same anywhere.

    Args:
        config: the config; `results` and `scratch` are the caller's own.
        source: the bundle, for messages.
        trust: load what the config names: plug-ins, benchmarks, files of this machine.

    Raises:
        ReassessError: the config is invalid; or it would load something, which is listed, and
            `trust` is off. Nothing of it has been loaded or run then.
    """
    checked = _checked(config, source)
    listed = [_line(key, place) for key, place in _places(checked)]
    if listed and not trust:
        raise ReassessError(
            "\n  ".join([f"{source}: its config would load what is not part of it:", *listed])
            + "\nNothing of this was loaded or run. Examine it; to allow it, give --trust."
        )
    return Grid(_absolute(checked), source)


def would_load(config: Json) -> list[str]:
    """What the config of a bundle would load from this machine, one line each, with hashes of code.

    Files are listed and hashed; nothing is imported, and nothing is read as YAML.

    Raises:
        ReassessError: the config is invalid.
    """
    return [_line(key, place) for key, place in _places(_checked(config, Path("config.yaml")))]


def _checked(config: Json, source: Path) -> Config:
    check_size(config, source)
    if not isinstance(config, Mapping):
        raise ReassessError(f"{source}: its config is no mapping of keys")
    if "extends" in config:
        raise ReassessError(f"{source}: extends: the config of a bundle stands alone; remove it")
    return validated(config, source)


# --- what it names -------------------------------------------------------------------------------


def _places(config: Config) -> Iterator[tuple[str, Path]]:
    """Yield the key and value of every path that the config states itself."""
    for key, place in _paths(config, ""):
        if key not in OWN:
            yield key, place
    for arm, settings in config.methods.items():
        yield from _paths(_settings(arm, settings), f"methods.{arm}")


def _settings(arm: str, settings: Json) -> BaseModel | None:
    """The settings of an arm of a method that is installed here; None if that cannot be said."""
    method = discover().get(settings.get("uses", arm))
    own = {name: value for name, value in settings.items() if name != "uses"}
    try:
        return method.Settings.model_validate(own) if method else None
    except ValidationError:
        return None  # the grid reports it


def _paths(value: object, key: str) -> Iterator[tuple[str, Path]]:
    """Yield every path below `value`, but no default, which is the project's own choice."""
    if isinstance(value, Path):
        yield key, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            content = getattr(value, name)
            if content != field.get_default(call_default_factory=True):
                yield from _paths(content, f"{key}.{name}" if key else name)
    elif isinstance(value, Mapping):
        for name, content in value.items():
            yield from _paths(content, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for content in value:
            yield from _paths(content, key)


def _absolute(config: Config) -> Config:
    """The config with absolute paths: defaults below the project, others below this folder."""
    stated = {place for _, place in _places(config)}

    def resolved(value: object) -> object:
        if isinstance(value, Path):
            return (Path.cwd() if value in stated else ROOT) / value
        if isinstance(value, BaseModel):
            return value.model_copy(update=_each(dict(value)))
        if isinstance(value, dict):
            return _each(value)
        return [resolved(content) for content in value] if isinstance(value, list) else value

    def _each(values: Json) -> Json:
        return {name: resolved(content) for name, content in values.items()}

    own = {name: getattr(config, name) for name in OWN}
    return config.model_copy(update=_each(dict(config)) | own)


# --- as lines ------------------------------------------------------------------------------------


def _line(key: str, place: Path) -> str:
    head = f"{key}: {printable(place, lines=False)}"
    try:
        if place.is_dir():
            return "\n    ".join([f"{head}, a folder here:", *(_files(place) or ["no code in it"])])
        return f"{head}, {_file(place) if place.is_file() else 'not here'}"
    except OSError as error:
        return f"{head}, not readable here ({error.strerror})"


def _files(folder: Path) -> list[str]:
    """The files of a folder that can be code, or can name code."""
    found = sorted(path for path in islice(folder.rglob("*"), 10_000) if path.suffix in LISTED)
    lines = [
        f"{printable(path.relative_to(folder), lines=False)}: {_file(path)}"
        for path in found[:MOST_FILES]
    ]
    return lines + ([f"and {len(found) - MOST_FILES} more"] if len(found) > MOST_FILES else [])


def _file(path: Path) -> str:
    if not path.is_file():
        return "no ordinary file"
    if path.stat().st_size > LARGEST_FILE:
        return f"{path.stat().st_size} bytes"
    named = _named(path) if path.suffix != ".py" else []
    return "; ".join([f"SHA-256 {sha256_file(path)}", *named])


def _named(path: Path) -> Iterator[str]:
    """Yield the lines of a task file that name code or further files."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if NAMES_CODE.search(line):
            yield printable(line.strip(), lines=False)[:100]
