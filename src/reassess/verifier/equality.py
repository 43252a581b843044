"""Equality of typed values: one comparison for each pair of types that can be equal.

Only expressions reach the symbolic engine, in its worker process; whatever can be decided without
it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from reassess.verifier.expressions import has_variables
from reassess.verifier.grammar import parse
from reassess.verifier.math_worker import run
from reassess.verifier.notation import compact
from reassess.verifier.rounding import equal_or_rounded
from reassess.verifier.sets import CAP, CUP, EMPTY_SET, variables
from reassess.verifier.units import factor_between
from reassess.verifier.values import (
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
)


def equal(value: Value, gold: Value) -> bool:
    """Whether a value is equal to the right one.

    Raises:
        Undecided: the symbolic comparison needs more computing time than it is given.
        ReassessError: its worker process does not start.
    """
    if value == gold:
        return True
    if isinstance(value, Relation) or isinstance(gold, Relation):
        return _equal_with_relation(value, gold)
    if isinstance(value, Collection) and isinstance(gold, Collection):
        return _equal_collections(value, gold)
    if isinstance(value, _NAMES) or isinstance(gold, _NAMES):
        return _equal_to_several(value, gold) or _equal_names(value, gold)
    if isinstance(gold, Ratio) and isinstance(value, Number):
        written = value.step is None and value.value.denominator > 1  # as a fraction
        return written and gold.quotient == value.value
    return _equal_to_several(value, gold) or _equal_amounts(value, gold)


_NAMES = (Words, Points, Text)


# --- names -----------------------------------------------------------------------------------


def _equal_names(value: Value, gold: Value) -> bool:
    """Words are equal as words; names of points by their letters in order.

    An angle and a segment are the same from either end.
    """
    if not isinstance(value, Points) or not isinstance(gold, Points):
        return _name(value) is not None and _name(value) == _name(gold)
    shapes = {value.prefix, gold.prefix} - {""}
    if len(shapes) > 1:
        return False
    reversible = bool(shapes & {"angle", "segment"})
    return value.letters == gold.letters or (reversible and value.letters == gold.letters[::-1])


def _name(value: Value) -> str | None:
    if isinstance(value, Words | Text):
        return value.text.casefold()
    if isinstance(value, Points) and not value.prefix:
        return "".join(value.letters).casefold()
    return None


# --- numbers, expressions, quantities --------------------------------------------------------


def _equal_amounts(value: Value, gold: Value) -> bool:
    given, right, factor = _amount(value), _amount(gold), _factor(value, gold)
    if given is None or right is None or factor is None:
        return False
    if isinstance(given, Number) and isinstance(right, Number):
        return equal_or_rounded(_times(given, factor), right)
    if isinstance(given, Expression) and isinstance(right, Expression) and factor == 1:
        return _symbolic("equal", given.latex, right.latex)
    number, known = _evaluated(given), _evaluated(right)
    if number is not None and known is not None:
        return equal_or_rounded(_times(number, factor), known)
    return factor == 1 and _symbolic("equal", _latex(given), _latex(right))


def states_number(value: Value, gold: Value, right: Callable[[Number], bool]) -> bool:
    """Whether a value is a number, or an equation of numbers, for which `right` holds.

    Args:
        value: what is judged.
        gold: the right answer, into whose unit a number is converted.
        right: whether a number is right.
    """
    if isinstance(value, Relation):
        return _each_or_any(value, lambda part: states_number(part, gold, right))
    amount, factor = _amount(value), _factor(value, gold)
    if amount is None or factor is None:
        return False
    number = _evaluated(amount)
    return number is not None and right(_times(number, factor))


def computed_amount(value: Value) -> Number | None:
    """The number of a value that is one or that is a real constant, with a unit or without."""
    amount = _amount(value)
    return None if amount is None else _evaluated(amount)


def amount_of(value: Value) -> Number | None:
    """The number of a value that is one, with a unit or without."""
    amount = _amount(value)
    return amount if isinstance(amount, Number) else None


def _amount(value: Value) -> Number | Expression | None:
    amount = value.amount if isinstance(value, Quantity) else value
    return amount if isinstance(amount, Number | Expression) else None


def _factor(value: Value, gold: Value) -> Fraction | None:
    """What an amount is multiplied by to be in the right answer's unit; None if it cannot be.

    A unit may be left out, or given where the right answer has none.
    """
    percent = any(isinstance(one, Number) and one.percent for one in (value, gold))
    if not isinstance(value, Quantity) or not isinstance(gold, Quantity):
        quantity = isinstance(value, Quantity) or isinstance(gold, Quantity)
        return None if percent and quantity else Fraction(1)
    return factor_between(value.unit, gold.unit)


def _times(number: Number, factor: Fraction) -> Number:
    step = None if number.step is None else number.step * factor
    return replace(number, value=number.value * factor, step=step)


def _evaluated(amount: Number | Expression) -> Number | None:
    """The number that an expression is, if it is a real constant."""
    if isinstance(amount, Number):
        return amount
    written = run("value", amount.latex)
    return (
        None if written is None else Number(Fraction(str(written)), evaluated="." in str(written))
    )


def _latex(amount: Number | Expression) -> str:
    if isinstance(amount, Expression):
        return amount.latex
    return rf"\frac{{{amount.value.numerator}}}{{{amount.value.denominator}}}"


def _symbolic(function: str, *arguments: str) -> bool:
    return bool(run(function, *arguments))


# --- collections -----------------------------------------------------------------------------


def _equal_to_several(value: Value, gold: Value) -> bool:
    """A list of equal values is that value; a set of one is its element, but not of none."""
    if isinstance(value, Collection) and gold != EMPTY_SET:
        return _is_free(value) and all(equal(item, gold) for item in value.items)
    if isinstance(gold, Collection) and value != EMPTY_SET:
        return _is_free(gold) and len(gold.items) == 1 and equal(value, gold.items[0])
    return False


def _equal_collections(value: Collection, gold: Collection) -> bool:
    """Braces, lists, alternatives, joined sets in any order; brackets in order; intervals' ends.

    A list without brackets is equal to a tuple of the same order, and to no interval.
    """
    if _have_other_variables(value, gold):
        return False
    if _joined(value) or _joined(gold):
        same = value.opening == gold.opening
        return same and _equal_in_any_order(value.items, gold.items, repeated=False)
    if _is_free(value) and _is_free(gold) and not _only_gold_is_named(value, gold):
        repeated = "," in (value.opening, gold.opening)
        return _equal_in_any_order(value.items, gold.items, repeated=repeated)
    if _is_free(value) != _is_free(gold):
        unordered, ordered = (value, gold) if _is_free(value) else (gold, value)
        brackets = (ordered.opening, ordered.closing)
        if unordered.opening != "," or brackets != ("(", ")") or ordered.variable:
            return False
    elif not _is_free(gold) and (value.opening, value.closing) != (gold.opening, gold.closing):
        return False
    return len(value.items) == len(gold.items) and all(
        _equal_items(one, other) for one, other in zip(value.items, gold.items, strict=True)
    )


def _equal_items(value: Value, gold: Value) -> bool:
    """Whether two items are equal; within a collection a set is never its one element."""
    return isinstance(value, Collection) == isinstance(gold, Collection) and equal(value, gold)


def _only_gold_is_named(value: Collection, gold: Collection) -> bool:
    """Whether `a = 1, b = 2` is answered by `1, 2`: then the order tells which is which."""
    names = {item.operands[0] for item in gold.items if isinstance(item, Relation)}
    return len(names) > 1 and not any(isinstance(item, Relation) for item in value.items)


def _have_other_variables(value: Collection, gold: Collection) -> bool:
    """Whether inequalities are about other variables; those about two of them are no union."""
    names, others = variables(value), variables(gold)
    several = "{" in (value.opening, gold.opening) and max(len(names), len(others)) > 1
    return names != others and (several or bool(names and others))


def _joined(collection: Collection) -> bool:
    """Whether named sets are joined by one sign; their order does not matter."""
    return collection.opening in (CUP, CAP)


def _is_free(collection: Collection) -> bool:
    """Whether the order of the items does not matter."""
    return collection.opening in ("{", ",", "or")


def _equal_in_any_order(items: Sequence[Value], golds: Sequence[Value], *, repeated: bool) -> bool:
    """Whether each item has an equal one of its own; `repeated` items count as often as written."""
    remaining = list(golds if repeated else dict.fromkeys(golds))
    for item in items if repeated else dict.fromkeys(items):
        place = next(
            (place for place, gold in enumerate(remaining) if _equal_items(item, gold)), None
        )
        if place is None:
            return False
        del remaining[place]
    return not remaining


# --- relations -------------------------------------------------------------------------------

_VARIABLE = r"(?:[A-Za-z]|\\[A-Za-z]+|[A-Z]{1,4})(?:_\{[^{}]*\}|_\w)?'*"
_LABEL = re.compile(
    rf"{_VARIABLE}(?:\s*\(\s*[A-Za-z0-9.]+\s*\))?"
    r"|\\(?:sin|cos|tan|cot|sec|csc|angle)\s*(?:\\angle\s*)?(?:[A-Za-z0-9]{1,3}|\\[A-Za-z]+)"
    rf"|\|\s*{_VARIABLE}\s*\|"
    rf"|\(\s*{_VARIABLE}(?:\s*,\s*{_VARIABLE})+\s*\)"
)
_SPOKEN_LABEL = re.compile(r"(?=.*[a-z]{2})[A-Za-z]{2,}(?: [A-Za-z]{2,})*")
_CONSTANT = re.compile(r"(?<![A-Za-z\\])[ei](?![A-Za-z])")
_EQUATIONS = {"=", r"\approx"}


def _equal_with_relation(value: Value, gold: Value) -> bool:
    if isinstance(value, Relation):
        if isinstance(gold, Relation):
            return _equal_relations(value, gold)
        return _relation_states(value, gold)
    assert isinstance(gold, Relation)
    return _equal_to_right_side(value, gold)


def _equal_relations(value: Relation, gold: Relation) -> bool:
    """Equations are equal if the same name has equal values, or if they have the same solutions."""
    if value.text == gold.text:
        return True
    if not {*value.operators, *gold.operators} <= _EQUATIONS:
        return value.operators == gold.operators and _equal_operands(value, gold)
    names = [compact(one.operands[0]) for one in (value, gold) if _is_label(one.operands[0])]
    if len(names) == 2:
        parts, right = _parts(value), _parts(gold)
        if parts and right and len(right) == 1 and _same_label(value, gold):
            if all(equal(part, right[0]) for part in parts):
                return True
        elif names[0] != names[1] and not _is_unknown(value.operands[-1]):
            return False
    sides = [parse(side) for side in (*value.operands, *gold.operands)]
    amounts = [_latex(side) for side in sides if isinstance(side, Number | Expression)]
    if len(sides) != 4 or len(amounts) != 4:
        return False
    return _symbolic("equal_equations", "=".join(amounts[:2]), "=".join(amounts[2:]))


def _equal_operands(value: Relation, gold: Relation) -> bool:
    return all(
        compact(one) == compact(other) or equal(parse(one), parse(other))
        for one, other in zip(value.operands, gold.operands, strict=True)
    )


def _same_label(value: Relation, gold: Relation) -> bool:
    """Whether two equations name the same thing; a name in words, such as `Area`, names any."""
    left, right = value.operands[0], gold.operands[0]
    spoken = _SPOKEN_LABEL.fullmatch(left) or _SPOKEN_LABEL.fullmatch(right)
    return compact(left) == compact(right) or bool(spoken)


def _relation_states(value: Relation, gold: Value) -> bool:
    """`x = 5` is 5; each further part of a chain must be right, too."""
    return not isinstance(gold, Text) and _each_or_any(value, lambda part: equal(part, gold))


def _equal_to_right_side(value: Value, gold: Relation) -> bool:
    """`x = 5` is a question for x, `2x + z = 1` one for an equation."""
    parts = _parts(gold)
    return parts is not None and len(parts) == 1 and equal(value, parts[0])


def _each_or_any(relation: Relation, right: Callable[[Value], bool]) -> bool:
    """Whether all parts of a chain are right; of an approximation one, if the others are near."""
    parts = _parts(relation)
    if parts is None:
        return False
    if r"\approx" in relation.operators:
        return any(map(right, parts)) and _consistent(parts)
    return all(map(right, parts))


def _parts(relation: Relation) -> list[Value] | None:
    """The values of a chain of equations, without the name it begins or ends with.

    None for other relations, and for equations in which something is unknown.
    """
    if not {*relation.operators} <= _EQUATIONS:
        return None
    operands = list(relation.operands)
    if _is_label(operands[0]):
        operands = operands[1:]
    elif len(operands) == 2 and _is_label(operands[1]):
        operands = operands[:1]
    elif any(map(_is_unknown, operands)):
        return None
    values = [parse(operand) for operand in operands]
    if len(values) == 1 and relation.operators == (r"\approx",) and isinstance(values[0], Number):
        return [replace(values[0], approximate=True)]
    return values


def _is_label(text: str) -> bool:
    if _LABEL.fullmatch(text) is not None or isinstance(parse(text), Points):
        return True
    spoken = _SPOKEN_LABEL.fullmatch(text) is not None
    return spoken and amount_of(parse(text)) is None  # `three` is what it says


def _is_unknown(text: str) -> bool:
    return not isinstance(parse(text), Number | Quantity) and has_variables(_CONSTANT.sub("", text))


def _consistent(parts: Sequence[Value]) -> bool:
    """Whether all parts are the last number, as far as its decimals show."""
    amounts = [_amount(part) for part in parts]
    numbers = [None if amount is None else _evaluated(amount) for amount in amounts]
    last = numbers[-1]
    if last is None or last.evaluated:
        return False
    tolerance = last.step or Fraction(1, 2)
    return all(
        number is not None and abs(number.value - last.value) <= tolerance for number in numbers
    )
