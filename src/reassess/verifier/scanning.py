"""Brackets: splitting a text outside them, and removing those around the whole of it."""

from __future__ import annotations

import re

COMMA = re.compile(r"\s*[,;]\s*(?:and(?![A-Za-z])\s*)?|\s+and\s+|\s*&\s*")
# The same, but for the commas of grouped digits.
LOOSE_COMMA = re.compile(r"\s*(?:,(?!(?<=[0-9],)[0-9]{3}(?![0-9]))|;)\s*|\s+and\s+|\s*&\s*")

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_DEEPER = {"(", "[", "{", r"\{", r"\langle", r"\begin"}
_HIGHER = {")", "]", "}", r"\}", r"\rangle", r"\end"}
_OPENING = _DEEPER - {r"\begin"} | {"]"}  # `]a, b[` is an open interval
_CLOSING = _HIGHER - {r"\end"} | {"["}


def split_top(text: str, separator: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """The parts of a text that a separator outside all brackets sets apart, and the separators."""
    parts, separators = [], []
    level = start = place = 0
    while place < len(text):
        if level == 0 and (match := separator.match(text, place)) and match.end() > place:
            parts.append(text[start:place])
            separators.append(match[0].strip())
            start = place = match.end()
            continue
        token = _TOKEN.match(text, place)
        assert token is not None  # the last alternative matches anything
        if token[0] in _DEEPER:
            level += 1
        elif token[0] in _HIGHER:
            level = max(level - 1, 0)
        place = token.end()
    parts.append(text[start:])
    return parts, separators


def bracketed(text: str) -> tuple[str, str, str] | None:
    """Opening bracket, content, and closing bracket, if one pair is around the whole text."""
    tokens = list(_TOKEN.finditer(text))
    if len(tokens) < 2:
        return None
    first, last = tokens[0][0], tokens[-1][0]
    if first not in _OPENING or last not in _CLOSING:
        return None
    level = 0
    for token in tokens[1:-1]:
        if token[0] in _DEEPER:
            level += 1
        elif token[0] in _HIGHER:
            level -= 1
        if level < 0:
            return None
    if level:
        return None
    return first, text[tokens[0].end() : tokens[-1].start()], last


def without_outer_brackets(text: str) -> str:
    """The text without brackets around a single value."""
    while (found := bracketed(text)) is not None:
        opening, content, closing = found
        if (opening, closing) not in (("(", ")"), ("{", "}"), ("[", "]")):
            return text
        comma = LOOSE_COMMA if opening == "{" else COMMA  # LaTeX's braces only group
        if not content.strip() or len(split_top(content, comma)[0]) > 1:
            return text
        text = content.strip()
    return text
