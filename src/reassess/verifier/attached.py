r"""What touches a box and belongs to its value: `-\boxed{5}`, `\boxed{12} million`, its power."""

from __future__ import annotations

import re

from reassess.verifier.numerals import SCALES
from reassess.verifier.units import parse_unit

_LETTERS = re.compile(r"[A-Za-z]{2}")
_MINUS = re.compile(r"(?:\A|[=($])\s*-\Z")
_OPERATION = re.compile(
    r"(?:\^|!|/(?=[0-9({\\])|\s*\\(?:times|cdot)(?![A-Za-z])|\.(?=[0-9]))[^\s$,;]*"
    r"(?:\s*10\s*\^\s*\{?[-+]?[0-9]+\}?)?"
)
_TEXT = re.compile(
    r"[\s$~]*(?:\\[,;: ]\s*)*\\(?:text|mathrm|textrm|mbox)\s*\{(?P<unit>[^{}]{1,30})\}"
    r"(?P<power>\^\{?[0-9]\}?)?"
)
_WORD = re.compile(
    r"[\s$~)*\\]*\s(?P<unit>[A-Za-z]{2,15}(?:/[A-Za-z]{1,10})?(?:\^?[23])?)(?![A-Za-z])"
)
_SIGN = re.compile(r"\s*(?:\\?%|°|\^\s*\{?\s*\\circ\s*\}?)")


def with_attached(content: str, text: str, start: int, end: int) -> str:
    """The content of a box with the sign before it and the operation, unit or scale behind it.

    Args:
        content: what the box holds.
        text: the completion.
        start: where in it the box begins.
        end: where it ends.
    """
    if _LETTERS.search(re.sub(r"\\[A-Za-z]+", "", content)):
        return content  # it has words of its own
    if _MINUS.search(text[max(start - 10, 0) : start]):
        content = f"-{content}"
    operation = _OPERATION.match(text, end)
    if operation is not None:
        return content + operation[0].rstrip(".")
    if (sign := _SIGN.match(text, end)) is not None:
        return content + sign[0]
    named = _TEXT.match(text, end) or _WORD.match(text, end)
    if named is None:
        return content
    unit = named["unit"].strip() + (named.groupdict().get("power") or "")
    known = unit.lower() in SCALES or (unit != "in" and parse_unit(unit) is not None)
    return (
        f"{content} \\text{{ {named['unit'].strip()}}}{named.groupdict().get('power') or ''}"
        if known
        else content
    )
