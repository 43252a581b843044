"""Comparing an extracted answer with the right one: one comparison for each kind of answer.

None raises an error on text from a model, guesses, or evaluates text as code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

MATH_SECONDS = 3  # limit of a symbolic comparison
NEAR = Decimal("0.001")  # largest difference that is right for the kind `near` (DynaMath's rule)

# A letter alone, or in brackets or before a point or colon with text after it; never the first word
# of a text ("A triangle").
_OPTION = re.compile(
    r"^(?:[(\[]([A-Za-z])[)\]](?:\s.*)?|([A-Za-z])(?:[.):](?:\s.*)?)?)$", re.DOTALL
)
_WRAPPED = re.compile(r"^\\(?:text|textbf|mathrm|mathbf|mathit)\s*\{(.*)\}$", re.DOTALL)
_UNIT = r"\\?%|\\?°|\^\{?\\circ\}?|\\(?:text|mathrm)\{[^{}]{0,40}\}|[A-Za-zµ]{1,20}(?:\^?[23])?"
_QUANTITY = re.compile(rf"([+-]?[0-9.,]{{1,60}})(?:\s?(?:{_UNIT})){{0,3}}")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def verify(extracted: str | None, answer: str, kind: str) -> bool:
    """Whether an extracted answer is right.

    Args:
        extracted: what `extraction.extract` returned; None is wrong.
        answer: the right answer.
        kind: how the two are compared, a key of `KINDS`; any other compares as `math`.
    """
    return extracted is not None and KINDS.get(kind, equal_in_math)(extracted, answer)


def equal_integers(extracted: str, answer: str) -> bool:
    """Compare whole numbers as text without leading zeros, so that many digits cost little."""
    return _integer(extracted) is not None and _integer(extracted) == _integer(answer)


def _integer(text: str) -> str | None:
    match = re.fullmatch(r"([+-]?)0*([0-9]+)", text.strip().rstrip("."))
    if match is None:
        return None
    sign = "-" if match.group(1) == "-" and match.group(2) != "0" else ""
    return sign + match.group(2)


def equal_words(extracted: str, answer: str) -> bool:
    """Compare texts without regard to case and surrounding space."""
    return extracted.strip().casefold() == answer.strip().casefold()


def equal_options(extracted: str, answer: str) -> bool:
    """Compare option letters."""
    return option_of(extracted) is not None and option_of(extracted) == option_of(answer)


def option_of(text: str) -> str | None:
    """The option letter that a text consists of or begins with; None if it does neither.

    At the beginning it counts only before a point, bracket or colon.
    """
    match = _OPTION.match(_unwrapped(text))
    return (match.group(1) or match.group(2)).upper() if match else None


def _unwrapped(text: str) -> str:
    r"""The content of a `\text{…}` or similar command; the text itself where there is none."""
    text = text.strip().strip("$").strip()
    match = _WRAPPED.match(text)
    return match.group(1).strip() if match else text


def equal_option_sets(extracted: str, answer: str) -> bool:
    """Compare sets of option letters, such as `B, D`, in any order."""
    letters = _option_set(extracted)
    return bool(letters) and letters == _option_set(answer)


def _option_set(text: str) -> set[str]:
    """The letters of a list; empty if it contains anything else."""
    letters = [option_of(part) for part in re.split(r"[,;&\s]+|\band\b", _unwrapped(text)) if part]
    return {letter for letter in letters if letter is not None} if all(letters) else set()


def equal_choice(extracted: str, answer: str) -> bool:
    """Compare with the letter, or the text, of the right option: a JSON list of both.

    A letter always means the option of that letter, unless it is the text of the right option and
    is beyond the letters that options have.
    """
    letter, text = (str(part) for part in json.loads(answer))
    option = option_of(extracted)
    if option is None:
        return equal_in_math(extracted, text)
    return option == letter or (
        equal_words(extracted, text) and not "A" <= text.strip().upper() <= "J"
    )


def equal_numbers(extracted: str, answer: str) -> bool:
    """Compare after rounding to the decimals of the right answer.

    Where that is a whole number, only an equal number is right.
    """
    number, gold = number_of(extracted), number_of(answer)
    if number is None or gold is None:
        return equal_in_math(extracted, answer)
    decimals = -int(gold.as_tuple().exponent)
    if decimals <= 0:
        return number == gold
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) == gold


def near_numbers(extracted: str, answer: str) -> bool:
    """Compare numbers within `NEAR`."""
    number, gold = number_of(extracted), number_of(answer)
    if number is None or gold is None:
        return equal_in_math(extracted, answer)
    return abs(number - gold) <= NEAR


def number_of(text: str) -> Decimal | None:
    """A number written in digits; None for any other text.

    It may have thousands separators, a dollar sign and a unit.
    """
    text = (
        _unwrapped(text)
        .replace("\\,", "")
        .replace("{,}", ",")
        .removeprefix("\\$")
        .removeprefix("$")
        .strip()
    )
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    digits = match.group(1)
    if _GROUPED.fullmatch(digits):
        digits = digits.replace(",", "")
    elif digits.count(".") == 1:
        digits = digits.rstrip(".")
    return Decimal(digits) if _DECIMAL.fullmatch(digits) else None


def equal_to_any(extracted: str, answer: str) -> bool:
    """Compare with each answer of a JSON list."""
    return any(equal_in_math(extracted, str(gold)) for gold in json.loads(answer))


def equal_in_math(extracted: str, answer: str) -> bool:
    """Compare as texts, else by math-verify within a time limit; what takes longer is wrong."""
    from reassess.verifier.math_worker import equal_in_mathematics

    return equal_words(extracted, answer) or equal_in_mathematics(extracted, answer, MATH_SECONDS)


KINDS: dict[str, Callable[[str, str], bool]] = {
    "integer": equal_integers,
    "word": equal_words,
    "option": equal_options,
    "options": equal_option_sets,
    "choice": equal_choice,
    "number": equal_numbers,
    "near": near_numbers,
    "math": equal_in_math,
    "any": equal_to_any,
}
