"""Words around a stated answer that say whether a completion stands by it.

They stand in `phrases.toml`, which explains its form.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

_REFERENCE = re.compile(r"<([a-z]+(?:-[a-z]+)*)>")
_CONTINUED = re.compile(r"\n +")
_NEXT = re.compile(r"\n| \| ")


@cache
def pattern(name: str) -> re.Pattern[str]:
    """The pattern with that name in `phrases.toml`.

    Raises:
        KeyError: there is none.
    """
    return re.compile(_expanded(name))


def references(text: str) -> list[str]:
    """The other entries that an entry is made of."""
    return _REFERENCE.findall(text)


def _expanded(name: str) -> str:
    alternatives = _NEXT.split(_CONTINUED.sub("", _texts()[name].strip()))
    return "(?:" + "|".join(_REFERENCE.sub(_referred, one) for one in alternatives) + ")"


def _referred(reference: re.Match[str]) -> str:
    return _expanded(reference[1])


@cache
def _texts() -> dict[str, str]:
    text = resources.files("reassess.verifier").joinpath("phrases.toml").read_text("utf-8")
    return tomllib.loads(text)
