"""What the cluster profiles have in common."""

from __future__ import annotations

from pathlib import Path

from reassess.core.files import Json
from reassess.core.project import ROOT

PLACEHOLDER = "CHANGE-ME"  # in a profile: what its site has to fill in


def find_file(name: str) -> Path | None:
    """A file that a profile names, relative to where it is used or to the project."""
    return next((path for path in (Path(name), ROOT / name) if path.is_file()), None)


def default_resource(profile: Json, name: str) -> str | None:
    """A value of a profile's `default-resources`, without quotes."""
    for entry in profile.get("default-resources") or ():
        key, _, value = str(entry).partition("=")
        if key == name:
            return value.strip("\"'")
    return None
