"""Numbers written in English words: `twenty-one`, `one hundred and five`, `two and a half`.

A closed table. What reads in two ways is no number: a comma between the parts, "nineteen eighty",
"two hundred thousandths", a singular such as "twenty third" or "two third".
"""

from __future__ import annotations

import re
from fractions import Fraction

from reassess.verifier.numerals import SCALES
from reassess.verifier.values import Number


def _words(text: str) -> list[str]:
    return text.split()


_ONES = _words("one two three four five six seven eight nine")
_TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_VALUES = {
    "zero": 0,
    "a": 1,
    **{word: value for value, word in enumerate((*_ONES, *_TEENS), 1)},
    **{word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
}
_PARTS = {
    "half": 2,
    "halves": 2,
    "quarter": 4,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
    "twentieth": 20,
    "hundredth": 100,
    "thousandth": 1000,
}
_LARGE = [word for word in SCALES if word not in ("hundred", "dozen")]


def _any(words: list[str] | dict[str, int]) -> str:
    return rf"(?:{'|'.join(words)})(?![A-Za-z])"


_GAP = r"[\s-]+"
_SMALL = rf"(?:{_any(_TENS)}(?:{_GAP}{_any(_ONES)})?|{_any(_TEENS)}|{_any(_ONES)})"
_HUNDREDS = rf"(?:(?:{_SMALL}|a){_GAP}hundred(?:{_GAP}(?:and{_GAP})?{_SMALL})?|{_SMALL})"
_LARGER = rf"(?:{_HUNDREDS}|a){_GAP}{_any(_LARGE)}"
_WHOLE = (
    rf"(?:{_LARGER}(?:{_GAP}{_LARGER})*(?:{_GAP}(?:and{_GAP}{_SMALL}|{_HUNDREDS}))?"
    rf"|{_HUNDREDS}|zero|a(?={_GAP}dozen))(?![A-Za-z])"
)
_FRACTION = (
    rf"(?:(?P<above%s>{_any(_TEENS)}|{_any(_ONES)}|a){_GAP})?"
    rf"(?P<below%s>halves|(?:{'|'.join(_PARTS)})s?)(?![A-Za-z])"
)
_NUMBER = re.compile(
    rf"(?P<sign>(?:negative|minus)\s+)?"
    rf"(?:{_FRACTION % (1, 1)}|(?P<whole>{_WHOLE})(?:\s+and\s+{_FRACTION % (2, 2)})?)"
    rf"(?:{_GAP}(?P<scale>{_any(['dozen', *_LARGE])}))?(?P<percent>\s*%)?",
    re.IGNORECASE,
)


def number_in_words(text: str) -> tuple[Number, str] | None:
    """The number that a text starts with in words, and the rest of the text; None if none."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    above, below = match["above1"] or match["above2"], match["below1"] or match["below2"]
    whole = _whole((match["whole"] or "").lower())
    if match["scale"] and whole is not None and whole >= 1000:
        return None  # "one million and one thousand"
    part = _fraction(above, below) if below else Fraction(0)
    if whole is None or part is None or (match["below2"] and not (whole < 20 and 0 < part < 1)):
        return None
    value = (whole + part) * (SCALES[match["scale"].lower()] if match["scale"] else 1)
    percent = match["percent"] is not None
    factor = Fraction(-1 if match["sign"] else 1, 100 if percent else 1)
    return Number(value * factor, percent=percent), text[match.end() :]


def _whole(text: str) -> int | None:
    """The value of a whole number; None if its scales do not become smaller."""
    total = group = 0
    last = None
    for word in re.findall("[a-z]+", text):
        if word == "hundred":
            group *= 100
        elif word in SCALES:
            if last is not None and SCALES[word] >= last:
                return None
            last = SCALES[word]
            total, group = total + group * last, 0
        elif word != "and":
            group += _VALUES[word]
    return total + group


def _fraction(above: str | None, below: str) -> Fraction | None:
    """One third, two thirds; a singular stands behind one alone, and only `half` stands alone."""
    below = below.lower()
    above = above.lower() if above else ""
    if not above:
        return Fraction(1, 2) if below == "half" else None
    numerator = _VALUES[above]
    if (below in _PARTS and below != "halves") != (numerator == 1):
        return None
    return Fraction(numerator, _PARTS.get(below) or _PARTS[below.removesuffix("s")])
