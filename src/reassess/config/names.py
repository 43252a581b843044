"""What a name, a place and a line of text in a config may consist of.

A name becomes a part of paths, a wildcard of Snakemake, the value of an option and the name of a
file. It therefore has one pattern, in which neither a shell nor a path nor a regular expression
finds a meaning of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from reassess.core.text import UNSEEN

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_RULE = (
    "allowed: a letter or digit of ASCII, then at most 63 of letters, digits, dots, underscores "
    "and dashes"
)
# As the hub has them: no `--`, which stands for `/` in folders of its cache, and no `..`.
REPOSITORY = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
REPOSITORY_RULE = (
    "allowed: organisation/name, each of at most 96 ASCII letters, digits, underscores, and, in "
    "its middle, single dashes and dots"
)
FILE_PATTERN = r"(?!.*\.\.)[A-Za-z0-9*][A-Za-z0-9._*-]*(?:/[A-Za-z0-9*][A-Za-z0-9._*-]*)*"
LONGEST_PART = 255  # bytes of a name in a file system
_NAME = re.compile(NAME)
_REPOSITORY = re.compile(f"{REPOSITORY}/{REPOSITORY}", re.ASCII)
_FILE_PATTERN = re.compile(FILE_PATTERN)
_BRACES = re.compile(r"[{}]")

Value = TypeVar("Value")
Contents = TypeVar("Contents", bound=Mapping[str, Any])


def is_name(text: object) -> bool:
    """Whether `text` can be a name."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_repository(text: object) -> bool:
    """Whether `text` can be the name of a repository of the hub, organisation/name."""
    return isinstance(text, str) and _REPOSITORY.fullmatch(text) is not None


def is_file_pattern(text: str) -> bool:
    """Whether `text` is a pattern of files within a repository, none of them outside it."""
    return _FILE_PATTERN.fullmatch(text) is not None


def _name(text: str) -> str:
    if not is_name(text):
        raise PydanticCustomError("name", "not usable as a name; {rule}", {"rule": NAME_RULE})
    return text


def _repository(text: str) -> str:
    if not is_repository(text):
        raise PydanticCustomError(
            "name", "not the name of a repository; {rule}", {"rule": REPOSITORY_RULE}
        )
    return text


def unseen_in(text: str) -> bool:
    """Whether a text has a character that is not seen, such as a line end or an escape."""
    return any(unicodedata.category(character) in UNSEEN for character in text)


def _line(text: str) -> str:
    if unseen_in(text):
        raise ValueError("it is shown on one line: no line ends and no control characters")
    return text


def _place(path: Path) -> Path:
    if unseen_in(str(path)):
        raise ValueError("a path with a control character or a line end; name another")
    if any(len(part.encode()) > LONGEST_PART for part in path.parts):
        raise ValueError(f"a part of this path is longer than {LONGEST_PART} bytes; name another")
    return path


def _output(path: Path) -> Path:
    if _BRACES.search(str(path)):
        raise ValueError("braces mark wildcards in Snakemake's paths; name a folder without them")
    return _place(path)


def repeated(names: Iterable[object]) -> list[str]:
    """The names that occur twice, also where they differ in upper and lower case only.

    Such names are one file on some file systems.
    """
    seen: dict[str, list[str]] = {}
    for name in map(str, names):
        seen.setdefault(name.casefold(), []).append(name)
    return sorted({name for group in seen.values() if len(group) > 1 for name in group})


def distinct(values: list[Value]) -> list[Value]:
    """The list itself.

    Raises:
        ValueError: a value occurs twice.
    """
    if found := repeated(values):
        raise ValueError(f"duplicate: {', '.join(found)}")
    return values


def _distinct_keys(mapping: Contents) -> Contents:
    if found := repeated(mapping):
        raise ValueError(f"these differ in upper and lower case only: {', '.join(found)}")
    return mapping


def _names_of_arm(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings that are names in every method, before any method is looked for."""
    for key in ("uses", "start"):
        if key in settings and not is_name(settings[key]):
            context = {"rule": NAME_RULE, "key": key, "found": settings[key]}
            raise PydanticCustomError("name", "not usable as a name; {rule}", context)
    return settings


_Key = Annotated[str, AfterValidator(_name)]
_KEYS = Field(json_schema_extra={"propertyNames": {"pattern": f"^{NAME}$"}})

Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{NAME}$"})]
Names = Annotated[list[Name], AfterValidator(distinct)]
Repository = Annotated[
    str,
    AfterValidator(_repository),
    Field(json_schema_extra={"pattern": f"^{REPOSITORY}/{REPOSITORY}$"}),
]
Named = Annotated[dict[_Key, Value], AfterValidator(_distinct_keys), _KEYS]
NamedReadOnly = Annotated[Mapping[_Key, Value], AfterValidator(_distinct_keys), _KEYS]
ArmSettings = Annotated[dict[str, Any], AfterValidator(_names_of_arm)]
Line = Annotated[str, AfterValidator(_line)]
Place = Annotated[Path, AfterValidator(_place)]
Output = Annotated[
    Path, AfterValidator(_output), Field(json_schema_extra={"pattern": r"^[^{}\x00-\x1f\x7f]*$"})
]
