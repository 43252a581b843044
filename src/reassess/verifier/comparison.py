"""Comparing an extracted answer with the right one: typed values first, symbols last.

Both are parsed by one grammar (`grammar`), and only values of types that can be equal are compared.
No comparison raises an error on text from a model, guesses, or evaluates text as code; only the
symbolic one can remain undecided. docs/graders.md states the conventions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction

from reassess.verifier.equality import amount_of, computed_amount, equal, states_number
from reassess.verifier.grammar import parse
from reassess.verifier.notation import clean, compact
from reassess.verifier.options import choice_of, names_option, option_of, option_set
from reassess.verifier.rounding import rounds_to
from reassess.verifier.values import (
    BaseNumber,
    Collection,
    Expression,
    Number,
    Quantity,
    Ratio,
    Relation,
    Words,
)

NEAR = Fraction(1, 1000)  # largest difference that is right for the kind `near` (DynaMath's rule)
_MATHEMATICAL = (Number, Quantity, Expression, BaseNumber, Ratio, Collection, Relation)


def verify(extracted: str | None, answer: str, kind: str) -> bool:
    """Whether an extracted answer is right.

    Args:
        extracted: what `extraction.extract` returned; None is wrong.
        answer: the right answer.
        kind: how the two are compared, a key of `KINDS`; any other compares as `math`.

    Raises:
        Undecided: the symbolic comparison needs more computing time than it is given.
        ReassessError: its worker process does not start.
    """
    return extracted is not None and KINDS.get(kind, equal_in_math)(extracted, answer)


def contradicts(later: str, answer: str, kind: str) -> bool:
    """Whether a value stated after the answer is another one than the right answer.

    A text that states no value of the right answer's type, such as "see above", does not.
    """
    return _states_a_value(later, answer, kind) and not verify(later, answer, kind)


def _states_a_value(text: str, answer: str, kind: str) -> bool:
    if kind in ("option", "options", "choice") and (option_of(text) or len(option_set(text)) > 1):
        return True
    if kind in ("option", "options"):
        return False
    gold = json.loads(answer)[-1] if kind in ("choice", "any") else answer
    value, right = parse(text), parse(str(gold))
    if isinstance(right, Words):
        return isinstance(value, Words) and len(value.text.split()) <= len(right.text.split())
    if isinstance(value, Expression) and re.fullmatch("[A-Z]", value.latex):
        return False  # an option
    if isinstance(value, Relation) and re.search("[a-z]{4}", value.text):
        return False  # a sentence with an equation
    return isinstance(value, _MATHEMATICAL) and isinstance(right, _MATHEMATICAL)


# --- kinds -----------------------------------------------------------------------------------


def equal_words(extracted: str, answer: str) -> bool:
    """Compare texts without regard to case, surrounding space and decoration."""
    return clean(extracted).casefold() == clean(answer).casefold()


def equal_options(extracted: str, answer: str) -> bool:
    """Compare option letters."""
    return option_of(extracted) is not None and option_of(extracted) == option_of(answer)


def equal_option_sets(extracted: str, answer: str) -> bool:
    """Compare sets of option letters, such as `B, D` or `BD`, in any order."""
    letters = option_set(extracted)
    return bool(letters) and letters == option_set(answer)


def equal_choice(extracted: str, answer: str) -> bool:
    """Compare with the letter, or the text, of the right option: a JSON list of both.

    A letter always means the option of that letter, unless it is the text of the right option and
    is beyond the letters that options have. What follows the letter must not be another value than
    the right option's.
    """
    letter, text = (str(part) for part in json.loads(answer))
    option, rest = choice_of(extracted)
    if option is None:
        return equal_in_math(extracted, text)
    if option != letter:
        return equal_words(extracted, text) and not "A" <= text.strip().upper() <= "J"
    if not rest or equal_in_math(rest, text):
        return True
    return not names_option(rest) and not contradicts(rest, text, "math")


def equal_numbers(extracted: str, answer: str) -> bool:
    """Compare after rounding to the decimals of the right answer.

    Where that is a whole number, only an equal number is right.
    """
    gold = parse(answer)
    right = amount_of(gold)
    if right is None:
        return equal_in_math(extracted, answer)
    return states_number(parse(extracted), gold, lambda number: rounds_to(number, right))


def near_numbers(extracted: str, answer: str) -> bool:
    """Compare numbers within `NEAR`."""
    gold = parse(answer)
    right = computed_amount(gold)
    if right is None:
        return equal_in_math(extracted, answer)
    return states_number(
        parse(extracted), gold, lambda number: abs(number.value - right.value) <= NEAR
    )


def equal_to_any(extracted: str, answer: str) -> bool:
    """Compare with each answer of a JSON list."""
    return any(equal_in_math(extracted, str(gold)) for gold in json.loads(answer))


def equal_in_math(extracted: str, answer: str) -> bool:
    """Compare as texts in one spelling, else as typed values."""
    text = compact(clean(extracted))
    if text and text == compact(clean(answer)):
        return True
    return equal(parse(extracted), parse(answer))


KINDS: dict[str, Callable[[str, str], bool]] = {
    "integer": equal_in_math,
    "word": equal_words,
    "option": equal_options,
    "options": equal_option_sets,
    "choice": equal_choice,
    "number": equal_numbers,
    "near": near_numbers,
    "math": equal_in_math,
    "any": equal_to_any,
}
