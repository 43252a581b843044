"""Option letters, in the layouts in which models write them.

A letter beside another option, behind an "or", or with a negation is a hedge, not an answer.
"""

from __future__ import annotations

import re

from reassess.verifier.notation import clean

_ANNOUNCED = re.compile(
    r"(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+|my\s+)?(?:(?:final|correct|right|best)\s+)?(?:answer|option|choice)s?\b(?:\s+(?:is|are))?\s*:?\s*(?:option\b\s*)?",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|\{\s*([A-Za-z])\s*\})[.:,;]?"
)
_BARE = re.compile(r"([A-Za-z])(?:\s*\Z|[.):,;]+(?:\s|\Z|(?=[^\w]))|\s+[-–—]\s+|(?=\s+\())")  # noqa: RUF001
_OTHER = re.compile(
    r"[(\[{]\s*[A-Za-z]\s*[)\]}]|(?<![\w'\\+\-*/^=])(?!(?:A|I)\s+[a-z])[A-J](?![\w'°^_+\-*/=])|\b(?:or|either|neither|nor)\b"
)
_NEGATED = re.compile(
    r"\W*(?:is|was|are|seems?|looks|can|could|would|must|should|may|isn't|wasn't|cannot|can't|not)\b.*?\b(?:not|n't|wrong|incorrect|false|excluded|eliminated|out|isn't|cannot|can't|impossible|unlikely)\b"
    r"|\W*(?:not|isn't|wasn't|cannot|can't)\b\W*(?:\Z|(?:correct|right|it|possible|true|valid)\b)"
    r"|\W*(?:isn't|wasn't|cannot|can't)\b",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*(?:[,;&]|\band\b)\s*(?:and\b\s*)?|\s+")
_COMPACT = re.compile(r"[A-J]{2,10}")


def option_of(text: str) -> str | None:
    """The option letter that a text consists of or begins with; None if it does neither.

    At the beginning it counts only in brackets or before a point, bracket, colon or comma, and only
    if no other option is named and the letter is not negated.
    """
    letter, rest = choice_of(text)
    return None if letter is None or names_option(rest) else letter


def names_option(rest: str) -> bool:
    """Whether the text behind an option letter names a further option, or says "or"."""
    return _OTHER.search(rest) is not None


def choice_of(text: str) -> tuple[str | None, str]:
    """The option letter that a text begins with, or None, and the text behind it."""
    text = clean(text)
    announced = _ANNOUNCED.match(text)
    if announced and announced.end() < len(text):
        text = text[announced.end() :]
    match = _BRACKETED.match(text) or _BARE.match(text)
    if match is None:
        return None, ""
    rest = text[match.end() :].strip()
    letter = next(group for group in match.groups() if group)
    if _NEGATED.match(rest) or _names_other(rest):
        return None, ""
    return letter.upper(), clean(rest)


def _names_other(rest: str) -> bool:
    """Whether what follows a letter names a further option rather than stating its text."""
    return re.match(r"\W*(?:or|and|nor)\b\s*[(\[]?\s*[A-Za-z]\s*(?:[)\].,:;]|\Z)|\W*[(\[]?\s*[A-J]\s*(?:[)\].,:;]|\Z)", rest) is not None  # fmt: skip


def option_set(text: str) -> frozenset[str]:
    """The letters of a list such as `B, D`, `(B) and (D)` or `BD`; empty if it is anything else."""
    text = clean(text)
    announced = _ANNOUNCED.match(text)
    if announced and announced.end() < len(text):
        text = text[announced.end() :]
    if (braces := re.fullmatch(r"\\?[{(\[]\s*([^{}()\[\]]{2,}?)\s*\\?[})\]]", text)) is not None:
        text = braces[1]
    text = re.sub(r"\)\s*\(", "), (", text)
    if _COMPACT.fullmatch(text):
        return frozenset(text)
    letters = []
    for part in _SEPARATOR.split(text):
        if not part:
            continue
        match = re.fullmatch(r"[(\[]?([A-Za-z])[)\].:]?", part)
        if match is None:
            return frozenset()
        letters.append(match[1].upper())
    if not letters:
        letter = option_of(text)
        return frozenset(letter) if letter else frozenset()
    return frozenset(letters)
