"""Whole numbers that are too large to compute, such as `2^{2^{100}}`, as variables.

The same number has the same name however its brackets stand, so that the symbolic engine compares
what is around it. What is equal for every value of a variable is equal for the number; the reverse
does not hold, and some right answers are lost: `2^{1000001}` is not seen to be twice `2^{1000000}`.
"""

from __future__ import annotations

import re

MOST_DIGITS = 20_000  # of a power that is computed, as its exponent shows
MOST_POWERS = 40  # digits of an exponent that is itself a power
LARGEST_FACTORIAL = 3_000  # number whose factorial is computed
LARGEST_BASE = 10**6  # that is written as a power of its root

NAME = r"\Xi"  # with an index; in no text of an answer
_COMMAND = re.compile(r"(\\[A-Za-z]+)(?=[0-9])")
_BEFORE = r"(?<![0-9.,A-Za-z_^\\!])"
_TOWER = re.compile(rf"{_BEFORE}(?P<levels>[0-9]+(?:\s*\^[\s({{]*[0-9]+)+)(?P<closing>[\s)}}]*)")
_FACTORIAL = re.compile(rf"{_BEFORE}(?P<number>[0-9]+)\s*!(?!\s*[!^])")
_GOES_ON = re.compile(r"[\^!.0-9_]")
# With any other command or function, such as `floor`, more than the rules of algebra may count.
_ALGEBRA = re.compile(
    r"(?:\\(?:frac|sqrt|cdot|times|pi|log|ln)(?![A-Za-z])|(?<!\\)(?<![A-Za-z])[A-Za-z](?![A-Za-z])"
    r"|[^A-Za-z\\|])*"
)


def with_names(text: str) -> str:
    """The text with a name for each power, tower of powers and factorial that is too large."""
    if not _ALGEBRA.fullmatch(text):
        return text
    text = _COMMAND.sub(r"\1 ", text)
    return _FACTORIAL.sub(_named_factorial, _TOWER.sub(_named_tower, text))


def _named_tower(match: re.Match[str]) -> str:
    opened = re.findall(r"[({]", match["levels"])
    closing = re.sub(r"\s", "", match["closing"])
    needed = "".join(")" if bracket == "(" else "}" for bracket in reversed(opened))
    rest = closing.removeprefix(needed)
    if not closing.startswith(needed) or (not rest and _GOES_ON.match(match.string, match.end())):
        return match[0]
    levels = _computed([int(level) for level in re.findall("[0-9]+", match["levels"])])
    if min(levels) < 2 or (len(levels) == 2 and levels[1] <= MOST_DIGITS):
        return match[0]
    return rf"{NAME}_{{{'p'.join(map(str, levels))}}}{rest}"


def _computed(levels: list[int]) -> list[int]:
    """The levels with the highest ones computed as far as that is a small number."""
    while len(levels) > 2 and len(str(levels[-2])) * levels[-1] <= MOST_POWERS:
        levels = [*levels[:-2], levels[-2] ** levels[-1]]
    base, exponent = levels[-2:]
    if 1 < base <= LARGEST_BASE:
        for degree in range(base.bit_length(), 1, -1):
            root = round(base ** (1 / degree))
            if root**degree == base:
                return [*levels[:-2], root, degree * exponent]
    return levels


def _named_factorial(match: re.Match[str]) -> str:
    number = int(match["number"])
    return rf"{NAME}_{{f{number}}}" if number > LARGEST_FACTORIAL else match[0]
