r"""Sets of numbers and sets with names: what `\cup` and `\cap` join, and intervals from bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reassess.verifier.expressions import has_variables
from reassess.verifier.scanning import split_top, without_outer_brackets
from reassess.verifier.values import Collection, Expression, Number, Points, Text, Value

REALS = Expression(r"\mathbb{R}")
EMPTY_SET = Expression(r"\emptyset")
INFINITY = Expression(r"\infty")
MINUS_INFINITY = Expression(r"-\infty")
CUP, CAP = r"\cup", r"\cap"

_SIGN = re.compile(r"\s*\\(?:cup|cap)(?![A-Za-z])\s*|(?<=[)\]}])\s*(?:U|union)\s*(?=[(\[]|\\\{)")
_INDEXED = re.compile("[A-Z][0-9]+")  # a name with an index, as the grammar writes it


def operands(text: str, depth: int) -> tuple[str, list[str]]:
    """The sign that joins sets, and the sets, without brackets that change nothing.

    Two different signs have no order of their own; a text in which they need brackets has no sign.
    """
    parts, separators = split_top(without_outer_brackets(text.strip()), _SIGN)
    signs = {CAP if sign == CAP else CUP for sign in separators}
    if len(signs) != 1 or depth <= 0 or not all(part.strip() for part in parts):
        return "", []
    sign = signs.pop()
    joined: list[str] = []
    for part in parts:
        further, inner = operands(part, depth - 1)
        joined += inner if further == sign else [part.strip()]
    return sign, joined


def joined(sign: str, sets: Sequence[Value]) -> Collection | None:
    """Intervals as the set of them, sets in braces as one set, and named sets as they are.

    None for the rest, which the symbolic engine computes.
    """
    collections = [one for one in sets if isinstance(one, Collection)]
    if sign == CUP and len(collections) == len(sets):
        if all(one.opening in "([" for one in collections):
            return Collection(tuple(collections), "{", "}")
        if all(one.opening == "{" for one in collections):
            return Collection(tuple(item for one in collections for item in one.items), "{", "}")
    if any(map(_has_a_name, sets)) and all(map(_may_be_a_set, sets)):
        return Collection(tuple(sets), sign)
    return None


def _has_a_name(value: Value) -> bool:
    if isinstance(value, Text):
        return _INDEXED.fullmatch(value.text) is not None
    if isinstance(value, Collection):
        return value.opening in (CUP, CAP)
    return isinstance(value, Points) or (
        isinstance(value, Expression) and has_variables(value.latex)
    )


def _may_be_a_set(value: Value) -> bool:
    return _has_a_name(value) or value == EMPTY_SET or isinstance(value, Collection)


def half_line(variable: str, operator: str, bound: Value) -> Collection:
    """The interval of all numbers on one side of a bound."""
    if operator in ("<", r"\le"):
        return Collection(
            (MINUS_INFINITY, bound), "(", "]" if operator == r"\le" else ")", variable
        )
    return Collection((bound, INFINITY), "[" if operator == r"\ge" else "(", ")", variable)


def between(conditions: Sequence[Value]) -> Collection | None:
    """The interval of `x > 1 and x < 2`: above one bound and below another one of one variable."""
    lines = [one for one in conditions if isinstance(one, Collection)]
    above = [line for line in lines if line.items[1] == INFINITY]
    below = [line for line in lines if line.items[0] == MINUS_INFINITY]
    if len(lines) != 2 or len(above) != 1 or len(below) != 1:
        return None
    (low, _), (_, high) = above[0].items, below[0].items
    empty = isinstance(low, Number) and isinstance(high, Number) and low.value >= high.value
    if empty or above[0].variable != below[0].variable:
        return None
    return Collection((low, high), above[0].opening, below[0].closing, above[0].variable)


def variables(collection: Collection) -> set[str]:
    """The variables of inequalities that a collection or its items were read from."""
    items = [collection, *collection.items]
    return {one.variable for one in items if isinstance(one, Collection)} - {""}
