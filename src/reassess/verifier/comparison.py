"""Comparing an extracted answer with the right one: typed values first, symbols last.

Both are parsed by one grammar (`values`), and only values of types that can be equal are compared.
No comparison raises an error on text from a model, guesses, or evaluates text as code; only the
symbolic one can remain undecided. docs/graders.md states the conventions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from reassess.verifier.notation import clean, compact
from reassess.verifier.options import choice_of, names_option, option_of, option_set
from reassess.verifier.units import Unit, factor_between
from reassess.verifier.values import (
    BaseNumber,
    Collection,
    Expression,
    Number,
    Points,
    Quantity,
    Ratio,
    Relation,
    Text,
    Value,
    Words,
    parse,
)

NEAR = Fraction(1, 1000)  # largest difference that is right for the kind `near` (DynaMath's rule)
ROUNDED_DIGITS = 3  # significant digits from which a decimal answer counts as a rounded number
ROUNDED_EXACT_DIGITS = 2  # the same, for an exact value that rounds to it
EXACT_PLACES = 6  # decimals and significant digits to which an exact answer must be given
SAME = Fraction(1, 10**30)  # relative difference of two evaluations of the same constant


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
    amount = _amount(gold)
    if not isinstance(amount, Number):
        return equal_in_math(extracted, answer)
    return any(_rounds_to(number, amount) for number in _numbers_in_unit_of(parse(extracted), gold))


def near_numbers(extracted: str, answer: str) -> bool:
    """Compare numbers within `NEAR`."""
    gold = parse(answer)
    amount = _amount(gold)
    if not isinstance(amount, Number):
        return equal_in_math(extracted, answer)
    return any(
        abs(number.value - amount.value) <= NEAR
        for number in _numbers_in_unit_of(parse(extracted), gold)
    )


def equal_to_any(extracted: str, answer: str) -> bool:
    """Compare with each answer of a JSON list."""
    return any(equal_in_math(extracted, str(gold)) for gold in json.loads(answer))


def equal_in_math(extracted: str, answer: str) -> bool:
    """Compare typed values."""
    return _equal_text(extracted, answer) or _equal(parse(extracted), parse(answer))


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


# --- by type ---------------------------------------------------------------------------------

_MATHEMATICAL = (Number, Quantity, Expression, BaseNumber, Ratio, Collection, Relation)


def _equal_text(extracted: str, answer: str) -> bool:
    return bool(extracted.strip()) and compact(clean(extracted)) == compact(clean(answer))


def _equal(value: Value, gold: Value) -> bool:
    """Whether two values are equal: the one comparison for each pair of types."""
    if value == gold:
        return True
    if isinstance(value, Relation) or isinstance(gold, Relation):
        return _equal_relations(value, gold)
    if isinstance(value, Collection) or isinstance(gold, Collection):
        return _equal_collections(value, gold)
    if isinstance(value, Words | Points | Text) or isinstance(gold, Words | Points | Text):
        return _equal_names(value, gold)
    if isinstance(value, BaseNumber | Ratio) or isinstance(gold, BaseNumber | Ratio):
        return False  # equal only if they are written alike
    return _equal_amounts(value, gold)


def _equal_names(value: Value, gold: Value) -> bool:
    """Words are equal as words; names of points by their letters in order."""
    if isinstance(value, Points) and isinstance(gold, Points):
        if value.prefix and gold.prefix and value.prefix != gold.prefix:
            return False
        reversible = "angle" in (value.prefix, gold.prefix) or "segment" in (value.prefix, gold.prefix)  # fmt: skip
        return value.letters == gold.letters or (
            reversible and value.letters == gold.letters[::-1] and len(value.letters) > 1
        )
    return _name(value) is not None and _name(value) == _name(gold)


def _name(value: Value) -> str | None:
    if isinstance(value, Words | Text):
        return value.text.casefold()
    if isinstance(value, Points) and not value.prefix:
        return "".join(value.letters).casefold()
    return None


def _equal_amounts(value: Value, gold: Value) -> bool:
    """Numbers and expressions, with units or without."""
    amount = _amount(gold)
    given, factor = _amount(value), _factor(value, gold)
    if amount is None or given is None or factor is None:
        return False
    if isinstance(amount, Number):
        numbers = _numbers_in_unit_of(value, gold)
        if numbers or isinstance(given, Number) or factor != 1:
            return any(_equal_numbers(one, amount) for one in numbers)
        return _symbolic("equal", given.latex, _latex(amount))
    if isinstance(given, Number):
        right = _evaluated(amount)
        if right is not None:
            return _equal_numbers(_times(given, factor), right)
        given = Expression(_latex(given))
    if factor != 1:
        one, other = _evaluated(given), _evaluated(amount)
        return one is not None and other is not None and _same(_times(one, factor), other)
    return _symbolic("equal", given.latex, amount.latex)


def _amount(value: Value) -> Number | Expression | None:
    """The number or expression of a quantity, or the value itself where it is one."""
    amount = value.amount if isinstance(value, Quantity) else value
    return amount if isinstance(amount, Number | Expression) else None


def _unit(value: Value) -> Unit | None:
    return value.unit if isinstance(value, Quantity) else None


def _factor(value: Value, gold: Value) -> Fraction | None:
    """What an amount is multiplied by to be in the right answer's unit; None if it cannot be.

    A unit may be left out, or given where the right answer has none.
    """
    given, right = _unit(value), _unit(gold)
    return Fraction(1) if given is None or right is None else factor_between(given, right)


def _numbers_in_unit_of(value: Value, gold: Value) -> list[Number]:
    """The number that a value states, in the unit of the right answer; empty if it states none."""
    if isinstance(value, Relation):
        parts = _chain(value)
        return [] if parts is None else [number for part in parts for number in _numbers_in_unit_of(part, gold)][-1:]  # fmt: skip
    amount, factor = _amount(value), _factor(value, gold)
    if amount is None or factor is None:
        return []
    number = _evaluated(amount)
    return [] if number is None else [_times(number, factor)]


def _times(number: Number, factor: Fraction) -> Number:
    step = None if number.step is None else number.step * factor
    return replace(number, value=number.value * factor, step=step)


def _evaluated(amount: Number | Expression) -> Number | None:
    """The number that an expression is, if it is a real constant."""
    if isinstance(amount, Number):
        return amount
    written = _symbolic_value(amount.latex)
    return None if written is None else Number(Fraction(written), evaluated="." in written)


def _same(number: Number, gold: Number) -> bool:
    """Whether two numbers are equal: exactly, unless one is computed."""
    difference = abs(number.value - gold.value)
    if number.evaluated or gold.evaluated:
        return difference <= SAME * max(abs(number.value), abs(gold.value))
    return difference == 0


def _latex(number: Number) -> str:
    return rf"\frac{{{number.value.numerator}}}{{{number.value.denominator}}}"


def _equal_numbers(number: Number, gold: Number) -> bool:
    """Equal values; or one is the other, rounded as far as its own decimals show."""
    if _same(number, gold):
        return not number.approximate or gold.step is not None
    if number.percent != gold.percent and number.shown == gold.shown:
        return abs(gold.shown) >= 1  # 0.25 % is not 0.25, 25 % may be asked for as 25
    if gold.step is not None:
        exact = number.step is None and not _terminates(number.value)
        finer = number.step is not None and number.step < gold.step
        enough = gold.digits >= (ROUNDED_EXACT_DIGITS if exact else ROUNDED_DIGITS)
        return enough and (exact or finer) and _rounds_to(number, gold)
    if number.step is None or _terminates(gold.value) or gold.percent:
        return False
    return (
        number.digits >= EXACT_PLACES
        and number.step <= Fraction(1, 10**EXACT_PLACES)
        and _rounds_to(gold, number)
    )


def _terminates(value: Fraction) -> bool:
    """Whether a decimal of few digits is exactly this value."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1 and value.denominator < 10**12


def _rounds_to(number: Number, gold: Number) -> bool:
    """Whether a number is the right one after rounding, half up, to its decimals."""
    if gold.step is None or gold.step >= 1 and gold.value.denominator == 1:
        return _same(number, gold) or (
            number.percent != gold.percent and number.shown == gold.shown
        )
    for value in {number.value, number.shown} if number.percent != gold.percent else {number.value}:
        right, step = gold.value, gold.step
        if number.percent != gold.percent and value == number.shown:
            right, step = gold.shown, gold.step * (100 if gold.percent else 1)
        rounded = int(abs(value) / step + Fraction(1, 2)) * step
        if (rounded if value >= 0 else -rounded) == right:
            return True
    return False


# --- collections -----------------------------------------------------------------------------


def _equal_collections(value: Value, gold: Value) -> bool:
    """Braces, lists and alternatives in any order; brackets in order; intervals with their ends.

    A list without brackets is equal to a tuple of the same order.
    """
    if not isinstance(value, Collection) or not isinstance(gold, Collection):
        single, several = (gold, value) if isinstance(value, Collection) else (value, gold)
        assert isinstance(several, Collection)
        if several.opening not in ("{", "or", ","):
            return False
        if gold == Expression(r"\emptyset"):
            return False
        if isinstance(value, Collection):
            return all(_equal(item, gold) for item in value.items)
        return len(several.items) == 1 and _equal(single, several.items[0])
    if value.variable and gold.variable and value.variable != gold.variable:
        return False
    if _is_free(value) and _is_free(gold):
        repeated = "," in (value.opening, gold.opening)
        return _equal_in_any_order(value.items, gold.items, repeated=repeated)
    if _is_free(value) or _is_free(gold):
        several = gold if _is_free(value) else value
        if "," not in (value.opening, gold.opening) or several.variable:
            return False
        if (several.opening, several.closing) != ("(", ")"):
            return False
    elif (value.opening, value.closing) != (gold.opening, gold.closing):
        return False
    return len(value.items) == len(gold.items) and all(
        _equal(one, other) for one, other in zip(value.items, gold.items, strict=True)
    )


def _is_free(collection: Collection) -> bool:
    """Whether the order of the items does not matter."""
    return collection.opening in ("{", ",", "or")


def _equal_in_any_order(items: Sequence[Value], golds: Sequence[Value], *, repeated: bool) -> bool:
    if not repeated:
        items, golds = _distinct(items), _distinct(golds)
    if len(items) != len(golds):
        return False
    remaining = list(golds)
    for item in items:
        place = next((place for place, gold in enumerate(remaining) if _equal(item, gold)), None)
        if place is None:
            return False
        del remaining[place]
    return True


def _distinct(values: Sequence[Value]) -> list[Value]:
    return list(dict.fromkeys(values))


# --- relations -------------------------------------------------------------------------------

_NAME = r"(?:[A-Za-z]|\\[A-Za-z]+|[A-Z]{1,4})(?:_\{?\w+\}?)?'*"
_LABEL = re.compile(
    rf"{_NAME}(?:\s*\(\s*[A-Za-z0-9.]+\s*\))?|\|\s*{_NAME}\s*\||\(\s*{_NAME}(?:\s*,\s*{_NAME})+\s*\)"
)
_SPOKEN_LABEL = re.compile(r"[A-Za-z][A-Za-z ]{2,}")


def _equal_relations(value: Value, gold: Value) -> bool:
    """`x = 5` is 5; two equations have the same name on the left, or the same solutions."""
    if isinstance(gold, Relation) and isinstance(value, Relation):
        if value.operators != gold.operators:
            return False
        if value.text == gold.text:
            return True
        if set(gold.operators) != {"="}:
            return len(value.operands) == len(gold.operands) and all(
                equal_in_math(one, other)
                for one, other in zip(value.operands, gold.operands, strict=True)
            )
        return _equal_equations(value, gold)
    relation, other = (value, gold) if isinstance(value, Relation) else (gold, value)
    assert isinstance(relation, Relation)
    parts = _chain(relation)
    if parts is None or isinstance(other, Text):
        return False
    if relation is gold:  # `x = 5` asks for x, `2x + z = 1` for an equation
        return len(parts) == 1 and _equal(other, parts[0])
    if r"\approx" in relation.operators:
        return any(_equal(part, gold) for part in parts) and _consistent(parts)
    return all(_equal(part, gold) for part in parts)


def _chain(relation: Relation) -> list[Value] | None:
    """The values of a chain of equations without the name it begins with; None for others."""
    if not set(relation.operators) <= {"=", r"\approx"}:
        return None
    operands = list(relation.operands)
    if _is_label(operands[0]):
        operands = operands[1:]
    elif len(operands) == 2 and _is_label(operands[1]):
        operands = operands[:1]
    elif any(_has_variables(operand) for operand in operands):
        return None
    values = [parse(operand) for operand in operands]
    if relation.operators[-1] == r"\approx" and isinstance(values[-1], Number):
        values[-1] = replace(values[-1], approximate=len(values) == 1)
    return values


def _is_label(text: str) -> bool:
    return bool(_LABEL.fullmatch(text) or _SPOKEN_LABEL.fullmatch(text)) or isinstance(parse(text), Points)  # fmt: skip


def _has_variables(text: str) -> bool:
    return re.search(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+|(?<![A-Za-z])[ei](?![A-Za-z])", "", text)) is not None  # fmt: skip


def _consistent(parts: Sequence[Value]) -> bool:
    """Whether the parts of a chain of approximations are the same number, as far as they show."""
    numbers = [number for part in parts for number in _numbers_in_unit_of(part, part)]
    last = numbers[-1] if numbers else None
    if last is None or len(numbers) != len(parts):
        return False
    tolerance = last.step or Fraction(1, 2)
    return all(abs(number.value - last.value) <= tolerance for number in numbers)


def _equal_equations(value: Relation, gold: Relation) -> bool:
    left, right = value.operands[0], gold.operands[0]
    if len(value.operands) == len(gold.operands) == 2:
        if _is_label(left) and _is_label(right):
            spoken = _SPOKEN_LABEL.fullmatch(left) or _SPOKEN_LABEL.fullmatch(right)
            same = compact(left) == compact(right) or (spoken and not parse(left) == parse(right))
            if same and equal_in_math(value.operands[1], gold.operands[1]):
                return True
            if compact(left) != compact(right) and not _has_variables(value.operands[1]):
                return False
        if all(isinstance(parse(side), Number | Expression) for side in (*value.operands, *gold.operands)):  # fmt: skip
            return _symbolic("equal_equations", "=".join(value.operands), "=".join(gold.operands))
    return False


# --- the symbolic engine ---------------------------------------------------------------------


def _symbolic(function: str, *arguments: str) -> bool:
    from reassess.verifier.math_worker import run

    return bool(run(function, *arguments))


def _symbolic_value(latex: str) -> str | None:
    from reassess.verifier.math_worker import run

    written = run("value", latex)
    return None if written is None else str(written)
