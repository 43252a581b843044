"""Option letters, in the layouts in which models write them.

A letter beside another option, behind an "or", or with a negation is a hedge, not an answer.
"""

from __future__ import annotations

import re

from reassess.verifier.notation import clean

_ANNOUNCED = re.compile(
    r"(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+|my\s+)?(?:(?:final|correct|right|best)\s+)?"
    r"(?:answer|option|choice|both|therefore|thus|hence|so)s?\b(?:\s+(?:is|are))?\s*[:,]?\s*"
    r"(?:option\b\s*)?",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|\{\s*([A-Za-z])\s*\})[.:,;]?"
)
_BARE = re.compile(r"([A-Za-z])(?:\s*\Z|[.):,;]+(?:\s|\Z|(?=[^\w]))|\s+[-–—]\s+|(?=\s+\())")
# A further option in the text behind a letter: in brackets, alone, or joined by "or". It is none
# where it ends a name ("Vitamin C", "25° C") or is an article before a word.
_FURTHER = re.compile(
    r"[(\[{]\s*[A-Za-z]\s*[)\]}]"
    r"|(?<![\w'\\+\-*/^=])(?<!° )(?!A\s+[a-z])[A-HJ](?![\w'°^_+\-*/=])"
    r"|(?i:\b(?:or|either|neither|nor|maybe|perhaps)\b)"
)
_NAME = re.compile(
    r"(?<!\w)(?!(?:Maybe|Perhaps|Possibly|Probably|Either|Both|Also|Then|But|Not|And|Or|Plus|Option"
    r"|Choice|Answer|Even)\b)[A-Z][a-z]+ [A-HJ](?!\w)"
)
_NEXT = re.compile(
    r"\W*(?:or|and|nor)\b\s*[(\[]?\s*[A-Za-z]\s*(?:[)\].,:;]|\Z)"
    r"|\W*[(\[]?\s*[A-HJ]\s*(?:[)\].,:;]|\Z)"
)
_VERBS = "is|was|are|seems?|looks|can|could|would|must|should|may|isn't|wasn't|cannot|can't|not"
_NEGATIONS = (
    "not|n't|wrong|incorrect|false|excluded|eliminated|out|isn't|cannot|can't|impossible|unlikely"
)
_NEGATED = re.compile(
    rf"\W*(?:{_VERBS})\b.*?\b(?:{_NEGATIONS})\b"
    r"|\W*(?:not|isn't|wasn't|cannot|can't)\b\W*(?:\Z|(?:correct|right|it|possible|true|valid)\b)"
    r"|\W*(?:isn't|wasn't|cannot|can't)\b"
    r"|\W*(?:wrong|incorrect|excluded|eliminated|impossible|unlikely)\W*\Z",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*(?:[,;&]|\band\b)\s*(?:and\b\s*)?|\s+")
_COMPACT = re.compile(r"[A-J]{2,10}")
_SET = re.compile(r"\\?[{(\[]\s*([^{}()\[\]]{2,}?)\s*\\?[})\]]")
_SET_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")


def option_of(text: str) -> str | None:
    """The option letter that a text consists of or begins with; None if it does neither.

    At the beginning it counts only in brackets or before a point, bracket, colon or comma, and only
    if no other option is named and the letter is not negated.
    """
    letter, rest = choice_of(text)
    return None if letter is None or names_option(rest) else letter


def names_option(rest: str) -> bool:
    """Whether the text behind an option letter names a further option, or says "or"."""
    return _FURTHER.search(_NAME.sub("", rest)) is not None


def choice_of(text: str) -> tuple[str | None, str]:
    """The option letter that a text begins with, or None, and the text behind it."""
    text = _without_announcement(clean(text))
    match = _BRACKETED.match(text) or _BARE.match(text)
    if match is None:
        return None, ""
    rest = text[match.end() :].strip()
    if _NEGATED.match(rest) or _NEXT.match(rest):
        return None, ""
    return next(filter(None, match.groups())).upper(), clean(rest)


def option_set(text: str) -> frozenset[str]:
    """The letters of a list such as `B, D`, `(B) and (D)` or `BD`; empty if it is anything else."""
    text = _without_announcement(clean(text))
    if (braces := _SET.fullmatch(text)) is not None:
        text = braces[1]
    if _COMPACT.fullmatch(text):
        return frozenset(text)
    parts = [part for part in _SEPARATOR.split(re.sub(r"\)\s*\(", "), (", text)) if part]
    letters = [match[1].upper() for part in parts if (match := _SET_LETTER.fullmatch(part))]
    return frozenset(letters) if len(letters) == len(parts) else frozenset()


def _without_announcement(text: str) -> str:
    """The text without a leading "the answer is" or "option"."""
    announced = _ANNOUNCED.match(text)
    return text[announced.end() :] if announced and announced.end() < len(text) else text
