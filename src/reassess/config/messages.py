"""Turning pydantic's findings into sentences: file, key, value found, what is allowed, nearest valid name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from reassess.core.errors import nearest, unknown


def explain(error: ValidationError, path: Path, model: type[BaseModel], prefix: str = "") -> str:
    """Return one line for each finding of `error`, for the file `path` described by `model`."""
    return "\n".join(_line(dict(found), path, model, prefix) for found in error.errors())


def _line(found: dict[str, Any], path: Path, model: type[BaseModel], prefix: str) -> str:
    location = found["loc"]
    key = ".".join([part for part in (prefix, *map(str, location)) if part])
    if found["type"] == "extra_forbidden":
        owner = _model_at(model, location[:-1])
        fields = sorted(owner.model_fields) if owner else []
        return f"{path}: {key}: {unknown('key', location[-1], fields)}"
    if found["type"] == "missing":
        return f"{path}: {key}: missing; it is required"
    allowed = found.get("ctx", {}).get("expected", "")
    hint = (
        nearest(found["input"], allowed.replace("'", "").replace(" or ", ", ").split(", "))
        if allowed
        else ""
    )
    return f"{path}: {key}: found {found['input']!r}: {found['msg']}{hint}"


def _model_at(model: type[BaseModel], location: tuple[Any, ...]) -> type[BaseModel] | None:
    """Return the model that holds the key at `location`, following dictionaries of models."""
    here: Any = model
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        else:
            here = next(
                (
                    arg
                    for arg in get_args(here)
                    if isinstance(arg, type) and issubclass(arg, BaseModel)
                ),
                None,
            )
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None
