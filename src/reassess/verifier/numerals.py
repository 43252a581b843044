r"""Numbers written in digits, in all the usual ways, with what follows them.

Whole, decimal, grouped (`1,234`), fraction, mixed (`1\frac{1}{2}`), scientific
(`3.1\times10^{-34}`), repeating (`0.\overline{3}`), percentage, amount of money, and with a scale
word (`5 million`). Beside them numbers in other bases, ratios, times and dates.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import gcd

from reassess.verifier.values import BaseNumber, Number, Ratio, Text

LARGEST_EXPONENT = 400  # of ten, in a number that is computed with

_GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]*)?"
_SPACED = r"[0-9]{1,3}(?:[ ][0-9]{3})+(?![0-9])(?:\.[0-9]+)?"
_PLAIN = rf"(?:{_GROUPED}|{_SPACED}|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SIGNED = rf"[-+]?\s*{_PLAIN}"
_INTEGER = r"[-+]?\s*[0-9]+"
_TIMES = r"(?:\\times|\\cdot|\*|x|×)"
_NUMBER = re.compile(
    rf"""(?P<sign>[-+]|negative\s|minus\s)?\s*(?P<money>\\\$|[$€£¥₹])?\s*(?:
      (?P<whole>[0-9]+)\s*(?:
          \\frac\{{\s*(?P<above1>[0-9]+)\s*\}}\{{\s*(?P<below1>[0-9]+)\s*\}}
        | (?:\s|\s+and\s+)(?P<above2>[0-9]+)\s*/\s*(?P<below2>[0-9]+)
      )
    | \\frac\{{\s*(?P<above3>{_SIGNED})\s*\}}\{{\s*(?P<below3>{_SIGNED})\s*\}}
    | [({{]?(?P<above4>{_PLAIN})[)}}]?\s*/\s*[({{]?(?P<below4>{_PLAIN})[)}}]?
    | (?P<mantissa>{_PLAIN})\s*(?:
          {_TIMES}\s*10\s*\^\s*(?:
              \{{\s*(?P<power1>{_INTEGER})\s*\}}
            | \(\s*(?P<power2>{_INTEGER})\s*\)
            | (?P<power3>[-+]?[0-9]+)
          )
        | [eE]\s*(?P<power4>[-+]?[0-9]+)
      )
    | 10\s*\^\s*(?:\{{\s*(?P<power5>{_INTEGER})\s*\}}|(?P<power6>[-+]?[0-9]+))
    | (?P<head>[0-9]*\.[0-9]*)\\overline\{{\s*(?P<repeated>[0-9]+)\s*\}}
    | (?P<plain>{_PLAIN})
    )(?P<percent>\s*%)?""",
    re.VERBOSE,
)
_APPROXIMATELY = re.compile(
    r"(?:\\approx|\\sim(?:eq)?|about|approximately|approx\.?|roughly|around)\s*(?=[-+0-9.\\$(])",
    re.IGNORECASE,
)
SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}
_SCALE = re.compile(rf"\s*({'|'.join(SCALES)})(?![A-Za-z])", re.IGNORECASE)


def number_at_start(text: str) -> tuple[Number, str, str] | None:
    """The number that a text starts with, the sign of its currency, and the rest; None if none."""
    approximate = _APPROXIMATELY.match(text)
    match = _NUMBER.match(text, approximate.end() if approximate else 0)
    number = None if match is None else _number_of(match)
    if match is None or number is None:
        return None
    number = replace(number, approximate=approximate is not None)
    number, rest = _scaled(number, text[match.end() :])
    return number, match["money"] or "", rest


def _number_of(match: re.Match[str]) -> Number | None:
    groups = match.groupdict()
    negative = (groups["sign"] or "").strip() in ("-", "negative", "minus")
    percent = groups["percent"] is not None
    if groups["head"]:
        number: Number | None = _repeating(groups["head"], groups["repeated"])
    elif above := _first(groups, "above"):
        number = _fraction(groups["whole"], above, _first(groups, "below"))
    else:
        written = groups["mantissa"] or groups["plain"] or "1"
        number = _decimal(written, _first(groups, "power") or "0")
    if number is None:
        return None
    factor = Fraction(-1 if negative else 1, 100 if percent else 1)
    step = None if number.step is None else number.step * abs(factor)
    return replace(number, value=number.value * factor, step=step, percent=percent)


def _first(groups: dict[str, str | None], name: str) -> str:
    """What one of the groups of a name has matched; an empty string if none has."""
    return next((text for key, text in groups.items() if key.startswith(name) and text), "")


def _repeating(head: str, repeated: str) -> Number:
    places = len(head.partition(".")[2])
    period = Fraction(int(repeated), 10**places * (10 ** len(repeated) - 1))
    return Number(Fraction(f"0{head}0") + period)


def _fraction(whole: str | None, above: str, below: str) -> Number | None:
    denominator = _plain(below)
    if denominator == 0:
        return None
    return Number(int(whole or 0) + _plain(above) / denominator)


def _decimal(written: str, power: str) -> Number | None:
    exponent = int(re.sub(r"\s", "", power))
    if abs(exponent) > LARGEST_EXPONENT:
        return None
    scale = Fraction(10) ** exponent
    decimals = written.partition(".")[2]
    step = scale / 10 ** len(decimals) if decimals else None
    digits = len(re.sub(r"[^0-9]", "", written).lstrip("0")) if decimals else 0
    return Number(_plain(written) * scale, step, digits, len(decimals))


def _plain(written: str) -> Fraction:
    digits = re.sub(r"[,\s+]", "", written).rstrip(".")
    return -Fraction("0" + digits[1:]) if digits.startswith("-") else Fraction("0" + digits)


def _scaled(number: Number, rest: str) -> tuple[Number, str]:
    """A number with the scale words behind it: `5 million` is 5,000,000."""
    while match := _SCALE.match(rest):
        scale = SCALES[match[1].lower()]
        step = None if number.step is None else number.step * scale
        number = replace(number, value=number.value * scale, step=step)
        rest = rest[match.end() :]
    return number, rest


# --- ratios, times, dates --------------------------------------------------------------------

_RATIO = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:\s*:\s*[0-9]+(?:\.[0-9]+)?)+")
_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-4])(?:\s*:\s*[0-5][0-9])+")
_DATE = re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}")


def read_ratio(text: str) -> Ratio | None:
    """A ratio in lowest terms; the time of a clock as it stands."""
    if not _RATIO.fullmatch(text):
        return None
    parts = [part.strip() for part in text.split(":")]
    if _CLOCK.fullmatch(text) or not all(part.isdigit() for part in parts):
        return Ratio(tuple(parts), clock=_CLOCK.fullmatch(text) is not None)
    divisor = gcd(*map(int, parts)) or 1
    return Ratio(tuple(str(int(part) // divisor) for part in parts))


def read_date(text: str) -> Text | None:
    """A date, which is no quotient."""
    return Text(text) if _DATE.fullmatch(text) else None


# --- other bases -----------------------------------------------------------------------------

_BASE_NAMES = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "sixteen": 16,
}
_BASE = re.compile(
    r"\(?\s*(?P<digits>[0-9A-F][0-9A-F ,]*(?:\.[0-9A-F]+)?)\s*\)?\s*"
    r"(?:_\s*\{?\s*(?P<index>[0-9]{1,2}|[a-z]+)\s*\}?"
    r"|\(?\s*(?:in\s+)?base[\s-]+(?P<spoken>[0-9]{1,2}|[a-z]+)\s*\)?)"
)


def read_base_number(text: str) -> BaseNumber | Number | None:
    """Digits with the base that they are in; a number where that is ten."""
    match = _BASE.fullmatch(text)
    if match is None:
        return None
    name = match["index"] or match["spoken"]
    base = int(name) if name.isdigit() else _BASE_NAMES.get(name, 0)
    digits = re.sub(r"[ ,]", "", match["digits"])
    if base == 10:
        found = number_at_start(digits)
        return found[0] if found and not found[2] else None
    return BaseNumber(digits, base) if 2 <= base <= 36 else None
