"""Words and names: of points, of substances, of anything that is compared by its letters."""

from __future__ import annotations

import re

from reassess.verifier.scanning import without_outer_brackets
from reassess.verifier.values import Expression, Points, Text, Words

_SOLE_WORDS = {"pi": Expression(r"\pi"), "infinity": Expression(r"\infty")}
_WORD = re.compile(r"[^\W\d_]{2,}|[^\W\d_a-zA-Z]")
_WORDS = re.compile(r"[^\W\d_]+(?:[ '-]+[^\W\d_]+)*")
_FORMULA = re.compile(r"(?:\s*[A-Z][a-z]?(?:\s*_\s*\{?\s*[0-9]+\s*\}?|[0-9]+)?)+")
_POINT = r"[A-Z](?:'|\\prime|\^\{?\\prime\}?)*(?:_\{?[0-9]\}?)?"
_POINTS = re.compile(rf"\s*({_POINT}(?:\s*{_POINT})*)\s*\Z")
_SHAPES = {"overline": "segment", "side": "segment"}
_SHAPE = re.compile(
    r"\\?(?P<shape>angle|triangle|overline|overrightarrow|overleftrightarrow|vec|odot"
    r"|quad(?:rilateral)?|parallelogram|segment|line|ray|side|arc|point)(?![A-Za-z])\s*",
    re.IGNORECASE,
)


def read_formula(text: str) -> Text | None:
    """A chemical formula, or another name of letters and digits, without the signs of indices."""
    if not _FORMULA.fullmatch(text) or not any(letter.isdigit() for letter in text):
        return None
    return Text(re.sub(r"[_{}\s]", "", text))


def read_points(text: str) -> Points | None:
    r"""Letters that name points, such as `ABC` or `\angle ABC`."""
    shape = _SHAPE.match(text)
    rest = without_outer_brackets(text[shape.end() :].strip()) if shape else text
    letters = _POINTS.match(rest)
    if letters is None:
        return None
    names = tuple(re.sub(r"\\prime|\^|[{}\s]", "", name) for name in re.findall(_POINT, letters[1]))
    if len(names) < 2 and not shape:
        return None
    prefix = shape["shape"].lower() if shape else ""
    return Points(_SHAPES.get(prefix, prefix), names)


def read_words(text: str) -> Words | Expression | None:
    """A word or several, apart from those that stand for a number, such as `pi`."""
    if not _WORDS.fullmatch(text) or not _WORD.search(text):
        return None
    lower = re.sub(r"[\s-]+", " ", text.casefold())
    return _SOLE_WORDS.get(text) or Words(re.sub(r"\A(?:the|an) (?=\w)", "", lower))
