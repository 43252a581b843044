"""When two numbers are equal: exactly, or after rounding as far as one of them shows decimals."""

from __future__ import annotations

from fractions import Fraction

from reassess.verifier.values import Number

ROUNDED_DECIMALS = 2  # decimals from which a right answer may be a rounded number, if it has
ROUNDED_DIGITS = 3  # so many significant digits
ROUNDED_EXACT_DIGITS = 2  # or so many, of an irrational number or a periodic fraction
ROUNDED_ANYWAY = 4  # significant digits from which fewer decimals do
EXACT_PLACES = 6  # decimals, and significant digits, to which an exact answer must be given
SAME = Fraction(1, 10**30)  # relative difference of two evaluations of the same constant
LARGEST_DENOMINATOR = 10**12  # of a fraction that a decimal of few digits is


def same_value(number: Number, gold: Number) -> bool:
    """Whether two numbers are equal: exactly, unless one is computed."""
    difference = abs(number.value - gold.value)
    if number.evaluated or gold.evaluated:
        return difference <= SAME * max(abs(number.value), abs(gold.value))
    return difference == 0


def equal_or_rounded(number: Number, gold: Number) -> bool:
    """Whether a number is equal to the right one, or one is the other in fewer decimals.

    A right answer with decimals may be a rounded number, of which the answer gives more; an exact
    right answer, such as a third, may be given in `EXACT_PLACES` decimals. A percent sign may be
    left out, or added where the right answer is not a fraction of one.
    """
    if same_value(number, gold):
        return not number.approximate or gold.step is not None
    if number.percent != gold.percent and number.shown == gold.shown:
        return abs(gold.shown) >= 1
    if gold.step is not None:
        exact = number.step is None and not _terminates(number.value)
        finer = number.step is not None and number.step < gold.step
        return (exact or finer) and _is_rounded(gold, exact=exact) and rounds_to(number, gold)
    if number.step is None or _terminates(gold.value) or gold.percent:
        return False
    return (
        number.digits >= EXACT_PLACES
        and number.step <= Fraction(1, 10**EXACT_PLACES)
        and rounds_to(gold, number)
    )


def _is_rounded(gold: Number, *, exact: bool) -> bool:
    """Whether a right answer with decimals may be a rounded number, rather than exact as it is."""
    digits = ROUNDED_EXACT_DIGITS if exact else ROUNDED_DIGITS
    precise = gold.decimals >= ROUNDED_DECIMALS and gold.digits >= digits
    return precise or gold.digits >= ROUNDED_ANYWAY


def rounds_to(number: Number, gold: Number) -> bool:
    """Whether a number is the right one after rounding, half up, to its decimals.

    Where that has none, only an equal number is right.
    """
    unsigned = number.percent != gold.percent and abs(gold.shown) >= 1
    if gold.step is None:
        return same_value(number, gold) or (unsigned and number.shown == gold.shown)
    if _rounded(number.value, gold.step) == gold.value:
        return True
    if not unsigned:
        return False
    return _rounded(number.shown, gold.step * (100 if gold.percent else 1)) == gold.shown


def _rounded(value: Fraction, step: Fraction) -> Fraction:
    rounded = int(abs(value) / step + Fraction(1, 2)) * step
    return rounded if value >= 0 else -rounded


def _terminates(value: Fraction) -> bool:
    """Whether a decimal of few digits is exactly this value."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1 and value.denominator < LARGEST_DENOMINATOR
