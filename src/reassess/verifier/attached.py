r"""What touches a box and belongs to its value: `-\boxed{5}`, `\boxed{12} million`, its power."""

from __future__ import annotations

import re

from reassess.verifier.notation import clean
from reassess.verifier.numerals import SCALES
from reassess.verifier.units import parse_unit

LONGEST_FORMULA = 300  # characters before and behind a box
_LETTERS = re.compile(r"[A-Za-z]{2}")
_MINUS = re.compile(r"(?:\A|[=($])\s*-\Z|(?<=\s)-\Z|\bnegative\s+\$?\Z", re.IGNORECASE)
_DIGITS_BEFORE = re.compile(r"[0-9][0-9.,]*\Z")
_DIGITS_BEHIND = re.compile(r"[0-9]+")
_OPERATION = re.compile(
    r"(?:\^|/(?=[0-9({\\])|\s*\\(?:times|cdot)(?![A-Za-z])|\.(?=[0-9]))[^\s$,;]*"
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
    formula = _in_formula(content, text, start, end)
    if formula is not None:
        return formula
    if _LETTERS.search(re.sub(r"\\[A-Za-z]+", "", content)):
        return content  # it has words of its own
    if (before := _DIGITS_BEFORE.search(text[max(start - 10, 0) : start])) is not None:
        content = before[0] + content
    if (behind := _DIGITS_BEHIND.match(text, end)) is not None:
        return content + behind[0]
    if _MINUS.search(text[max(start - 10, 0) : start]):
        content = f"-{content}"
    for pattern in (_OPERATION, _SIGN):
        if (match := pattern.match(text, end)) is not None:
            return content + str(match[0]).rstrip(".")
    return content + _unit_behind(text, end)


def _unit_behind(text: str, end: int) -> str:
    """The unit or scale word behind a box; an empty string where there is none."""
    named = _TEXT.match(text, end) or _WORD.match(text, end)
    if named is None:
        return ""
    unit, power = named["unit"].strip(), named.groupdict().get("power") or ""
    known = unit.lower() in SCALES or (unit != "in" and parse_unit(unit + power) is not None)
    return rf" \text{{ {unit}}}{power}" if known else ""


_DOLLAR = re.compile(r"(?<!\\)\$\$?")
_SEPARATOR = re.compile(
    r"=|<|>|,|;|&|\\\\|\\(?:text|mathrm|textbf|mbox|hspace|tag|label)\s*\{[^{}]*\}"
    r"|\\(?:approx|le|ge|leq|geq|lt|gt|ne|neq|equiv|cong|sim|in|implies|iff|to|q?quad|therefore"
    r"|because|or|and|lor|land|[pb]?mod|[Rr]ightarrow|[Ll]ongrightarrow|checkmark)(?![A-Za-z])"
)
_PUNCTUATION = " .!:"


def _in_formula(content: str, text: str, start: int, end: int) -> str | None:
    """The term of a formula in which a box is an operand; None where the box is all of the term."""
    span = _span(text, start, end)
    if span is None or r"\text" in content:
        return None
    before, after = text[span[0] : start].replace(r"\$", ""), text[end : span[1]]
    inner = before.count("{") - before.count(r"\{") > before.count("}") - before.count(r"\}")
    nested = inner or before.count("(") > before.count(")") or before.count("[") > before.count("]")
    if not nested:
        separators = list(_SEPARATOR.finditer(before))
        before = before[separators[-1].end() :] if separators else before
        behind = _SEPARATOR.search(after)
        after = after[: behind.start()] if behind else after
    only_a_sign = not before.strip() and _SIGN.fullmatch(after.strip(_PUNCTUATION))
    if r"\boxed" in before + after or only_a_sign:
        return None
    whole = clean(f"{before}{{{content}}}{after}".strip(_PUNCTUATION))
    if whole == clean(content) or not clean(before + after).strip(_PUNCTUATION):
        return None
    term = f"{before}({content}){after}".strip(_PUNCTUATION)
    return f"{before}{content}{after}".strip(_PUNCTUATION) if nested else term


def _span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the mathematics around a box begins and ends, between dollars or LaTeX brackets."""
    first = max(text.rfind("\n\n", 0, start), start - LONGEST_FORMULA, 0)
    last = min(end + LONGEST_FORMULA, len(text))
    dollars = list(_DOLLAR.finditer(text, first, start))
    if len(dollars) % 2:
        closing = _DOLLAR.search(text, end, last)
        return (dollars[-1].end(), closing.start()) if closing else None
    for opening, closing_sign in ((r"\[", r"\]"), (r"\(", r"\)")):
        opened = text.rfind(opening, first, start)
        closed = text.find(closing_sign, end, last)
        if opened >= 0 and closed >= 0 and text.find(closing_sign, opened, start) < 0:
            return opened + len(opening), closed
    return None
