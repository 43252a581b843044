"""Pydantic's errors as sentences: file, key, value, what is allowed, nearest valid name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeGuard, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reassess.config.names import is_name
from reassess.core.errors import nearest, unknown

OF_NAMES = ("name", "string_pattern_mismatch", "literal_error")  # errors of pydantic
LONGEST = 200  # characters of a value in a message


def explain(error: ValidationError, path: Path, model: type[BaseModel], prefix: str = "") -> str:
    """One line for each error in the file `path`, which `model` describes.

    Args:
        error: what pydantic raised.
        path: the file it was raised for.
        model: the model that was validated.
        prefix: the key in the file under which the model's keys are.
    """
    return "\n".join(_line(details, path, model, prefix) for details in error.errors())


def _line(details: ErrorDetails, path: Path, model: type[BaseModel], prefix: str) -> str:
    location, context = details["loc"], details.get("ctx", {})
    found = context.get("found", details["input"])
    # A wrong key is reported under its own name; it is named as what was found, under its parent.
    parents = location[:-2] if location[-1:] == ("[key]",) else location
    parts = [prefix, *map(_part, parents), str(context.get("key", ""))]
    key = ".".join([part for part in parts if part])
    if details["type"] == "extra_forbidden":
        owner = _model_at(model, location[:-1])
        fields = sorted(owner.model_fields) if owner else []
        return f"{path}: {key}: {unknown('key', _part(location[-1]), fields)}"
    if details["type"] == "missing":
        return f"{path}: {key}: missing; it is required"
    allowed = str(context.get("expected", ""))
    choices = allowed.replace("'", "").replace(" or ", ", ").split(", ")
    hint = nearest(details["input"], choices) if allowed else ""
    shown = _shown(found, ascii if details["type"] in OF_NAMES else repr)
    return f"{path}: {key}: found {shown}: {details['msg']}{hint}"


def _part(part: object) -> str:
    """A part of a key as it stands in the file, or quoted where it is no name."""
    return str(part) if isinstance(part, int) or is_name(part) or not part else _shown(part)


def _shown(value: object, quote: Callable[[object], str] = ascii) -> str:
    """A value, shortened. In ASCII for a name, so that a letter of another script is noticed."""
    text = quote(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text)} characters)"


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that has the key at `location`, through dictionaries of models; None if none."""
    kind: object = model
    for part in location:
        if _is_model(kind):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:
            kind = next((argument for argument in get_args(kind) if _is_model(argument)), None)
    return kind if _is_model(kind) else None


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
