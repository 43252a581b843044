"""Is an extracted answer right? One comparison for each kind of answer; none raises, guesses, or evaluates text as code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

MATH_SECONDS = 3  # limit of a symbolic comparison
NEAR = Decimal("0.001")  # largest difference that counts as right, for `near` (DynaMath's rule)

# A letter alone, or in brackets or before a point or colon with a text after it; never the first word of a text ("A triangle").
_OPTION = re.compile(
    r"^(?:[(\[]([A-Za-z])[)\]](?:\s.*)?|([A-Za-z])(?:[.):](?:\s.*)?)?)$", re.DOTALL
)
_WRAPPED = re.compile(r"^\\(?:text|textbf|mathrm|mathbf|mathit)\s*\{(.*)\}$", re.DOTALL)
_UNIT = r"\\?%|\\?°|\^\{?\\circ\}?|\\(?:text|mathrm)\{[^{}]{0,40}\}|[A-Za-zµ]{1,20}(?:\^?[23])?"
_QUANTITY = re.compile(rf"([+-]?[0-9.,]{{1,60}})(?:\s?(?:{_UNIT})){{0,3}}")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def verify(extracted: str | None, answer: str, kind: str) -> bool:
    """Return whether an extracted answer is right.

    Args:
        extracted: what `extract` found; None is wrong.
        answer: the right answer.
        kind: how it is compared, a key of `KINDS`; anything else is compared as `math`.
    """
    return extracted is not None and KINDS.get(kind, equal_in_math)(extracted, answer)


def equal_integers(extracted: str, answer: str) -> bool:
    """Compare whole numbers as text without leading zeros: ten thousand digits cost nothing."""
    return _integer(extracted) is not None and _integer(extracted) == _integer(answer)


def _integer(text: str) -> str | None:
    match = re.fullmatch(r"([+-]?)0*([0-9]+)", text.strip().rstrip("."))
    if match is None:
        return None
    sign = "-" if match.group(1) == "-" and match.group(2) != "0" else ""
    return sign + match.group(2)


def equal_words(extracted: str, answer: str) -> bool:
    """Compare texts, case and outer space aside."""
    return extracted.strip().casefold() == answer.strip().casefold()


def equal_options(extracted: str, answer: str) -> bool:
    """Compare option letters."""
    return option_of(extracted) is not None and option_of(extracted) == option_of(answer)


def option_of(text: str) -> str | None:
    """Return the option letter that a text is, or begins with before a point, bracket or colon; None if it is none."""
    match = _OPTION.match(_unwrapped(text))
    return (match.group(1) or match.group(2)).upper() if match else None


def _unwrapped(text: str) -> str:
    r"""Return what stands inside a `\text{…}` or the like."""
    text = text.strip().strip("$").strip()
    match = _WRAPPED.match(text)
    return match.group(1).strip() if match else text


def equal_option_sets(extracted: str, answer: str) -> bool:
    """Compare sets of option letters, such as `B, D`, in any order."""
    found = _option_set(extracted)
    return bool(found) and found == _option_set(answer)


def _option_set(text: str) -> set[str]:
    """Return the letters of a list; empty if anything else is in it."""
    letters = [option_of(part) for part in re.split(r"[,;&\s]+|\band\b", _unwrapped(text)) if part]
    return {letter for letter in letters if letter is not None} if all(letters) else set()


def equal_choice(extracted: str, answer: str) -> bool:
    """Compare with the letter, or the text, of the right option: a JSON list of both.

    A letter is always read as a letter, unless the right option's own text is that letter and no option's letter could be it.
    """
    letter, text = (str(part) for part in json.loads(answer))
    found = option_of(extracted)
    if found is None:
        return equal_in_math(extracted, text)
    return found == letter or (
        equal_words(extracted, text) and not "A" <= text.strip().upper() <= "J"
    )


def equal_numbers(extracted: str, answer: str) -> bool:
    """Compare after rounding to the decimals that the answer is written with; a whole number must be met exactly."""
    found, gold = number_of(extracted), number_of(answer)
    if found is None or gold is None:
        return equal_in_math(extracted, answer)
    decimals = -int(gold.as_tuple().exponent)
    return (
        found == gold
        if decimals <= 0
        else found.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) == gold
    )


def near_numbers(extracted: str, answer: str) -> bool:
    """Compare within .001."""
    found, gold = number_of(extracted), number_of(answer)
    return (
        equal_in_math(extracted, answer)
        if found is None or gold is None
        else abs(found - gold) <= NEAR
    )


def number_of(text: str) -> Decimal | None:
    """Return a number written in digits, thousands separators, a dollar sign and a unit aside; None for anything else."""
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
    digits = (
        digits.replace(",", "")
        if _GROUPED.fullmatch(digits)
        else digits.rstrip(".")
        if digits.count(".") == 1
        else digits
    )
    return Decimal(digits) if _DECIMAL.fullmatch(digits) else None


def equal_to_any(extracted: str, answer: str) -> bool:
    """Compare with each answer of a JSON list."""
    return any(equal_in_math(extracted, str(gold)) for gold in json.loads(answer))


def equal_in_math(extracted: str, answer: str) -> bool:
    """Compare by math-verify, in a process of its own that is ended after a time limit."""
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
