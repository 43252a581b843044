r"""The one grammar of answers: from a text to a typed value.

`parse` gives a number with its precision, a quantity with its unit, a word, a name of points, a
collection, a relation, a mathematical expression, or, where the text is none of these, the text.
Nothing here calls a symbolic engine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from reassess.verifier.expressions import has_variables, read_expression
from reassess.verifier.hedging import denies
from reassess.verifier.names import read_formula, read_points, read_words
from reassess.verifier.notation import clean, compact
from reassess.verifier.number_words import number_in_words
from reassess.verifier.numerals import number_at_start, read_base_number, read_date, read_ratio
from reassess.verifier.scanning import (
    COMMA,
    LOOSE_COMMA,
    bracketed,
    split_top,
    without_outer_brackets,
)
from reassess.verifier.sets import EMPTY_SET, REALS, between, half_line, joined, operands
from reassess.verifier.units import factor_between, parse_noun, parse_unit
from reassess.verifier.values import (
    Collection,
    Expression,
    Number,
    Quantity,
    Relation,
    Text,
    Value,
)

LONGEST = 1000  # characters of an answer that are parsed
DEEPEST = 20  # collections within collections

_ANNOUNCEMENT = re.compile(
    r"(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+|my\s+)?(?:final\s+|correct\s+|right\s+)?"
    r"(?:answer|ans|result)\s*(?:is\s*:?|[:=])\s*(?=\S)",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"(?:the|its|this|that)\s(?P<what>[A-Za-z ]{1,80})\s(?:is|are|equals)\s+(?=\S)", re.IGNORECASE
)
_CONNECTIVE = re.compile(
    r"(?:therefore|thus|hence|so|then|simply|just|clearly|equal to)\b[,:]?\s+(?=[^\s,:])",
    re.IGNORECASE,
)


@lru_cache(maxsize=50_000)
def parse(text: str) -> Value:
    """The value that an answer states; never an error."""
    if len(text) > LONGEST:
        return Text(text[:LONGEST])
    text = clean(text)
    for opening in (_ANNOUNCEMENT, _CONNECTIVE, _SUBJECT):
        match = opening.match(text)
        if match and not denies(match.groupdict().get("what", "")):
            text = clean(text[match.end() :])
    return _parse(text, DEEPEST)


def _parse(text: str, depth: int) -> Value:
    text = without_outer_brackets(text.strip())
    if depth <= 0 or not text:
        return Text(text)
    for reader in _READERS:
        value = reader(text, depth)
        if value is not None:
            return value
    return Text(compact(text).casefold())


# --- numbers and quantities ------------------------------------------------------------------

_UNIT_FRACTION = re.compile(r"\A\\frac\{\s*([A-Za-z]{2,})\s*\}\{\s*([A-Za-z]+)\s*\}\Z")
_BEFORE_UNIT = re.compile(r"(?<=[\s}\])0-9])\s*(?=[A-Za-zμ°Ω¢\u4e00-\u9fff])")
_TRIGONOMETRY = re.compile(r"(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_COMPOUND = re.compile(r"(?<=[A-Za-z°])\s+(?=[0-9])")


def _read_number(text: str, depth: int) -> Value | None:
    """A number alone, or with a unit or with what is counted behind it."""
    found = number_at_start(text)
    if found is None:
        return None
    number, money, rest = found
    attached = not rest.startswith(" ") and not text[: len(text) - len(rest)].endswith(" ")
    rest = _UNIT_FRACTION.sub(r"\1/\2", rest.strip())
    unit = parse_unit(money) if money else None
    if unit:
        return Quantity(number, unit) if not rest or parse_unit(rest) == unit else None
    if not rest:
        return number
    if attached and re.match(r"[A-Za-z](?![A-Za-z])", rest):
        return None  # a variable: 5m is five times m
    rest = without_outer_brackets(rest)
    unit = parse_unit(rest)
    if unit is None and not attached:
        unit = parse_noun(rest, one=number.shown == 1)
    return Quantity(number, unit) if unit else None


def _read_compound(text: str, depth: int) -> Value | None:
    """A quantity in several units, such as `2 hours 30 minutes`, in the first of them."""
    parts = _COMPOUND.split(text)
    quantities = [part for part in (_read_number(part, depth) for part in parts) if part]
    if len(parts) < 2 or len(quantities) < len(parts):
        return None
    total = quantities[0]
    if not isinstance(total, Quantity) or not isinstance(total.amount, Number):
        return None
    value = total.amount.value
    for quantity in quantities[1:]:
        if not isinstance(quantity, Quantity) or not isinstance(quantity.amount, Number):
            return None
        factor = factor_between(quantity.unit, total.unit)
        if factor is None or factor >= 1:
            return None
        value += quantity.amount.value * factor
    return Quantity(Number(value), total.unit)


def _read_quantity(text: str, depth: int) -> Value | None:
    r"""An expression with a unit behind it, as in `2\sqrt{3} cm`."""
    for match in _BEFORE_UNIT.finditer(text):
        before, after = text[: match.start()].strip(), text[match.end() :].strip()
        unit = parse_unit(after)
        if unit is None or not before:
            continue
        one_letter = re.fullmatch("[A-Za-z]", after) is not None
        if one_letter and (match.start() == match.end() or has_variables(before)):
            continue  # a variable
        if "degree" in dict(unit.powers) and _TRIGONOMETRY.search(before):
            continue  # the angle of a function: sin 30° is a number
        amount = _read_number(before, depth) or read_expression(before)
        if isinstance(amount, Number | Expression):
            return Quantity(amount, unit)
    return None


def _read_base_number(text: str, depth: int) -> Value | None:
    return read_base_number(text)


def _read_ratio(text: str, depth: int) -> Value | None:
    return read_ratio(text)


def _read_date(text: str, depth: int) -> Value | None:
    return read_date(text)


def _read_number_words(text: str, depth: int) -> Value | None:
    """A number in words, alone or with a unit; a noun behind it may make a name of both."""
    found = number_in_words(text)
    if found is None:
        return None
    number, rest = found
    rest = rest.strip()
    if not rest:
        return number
    ordinal = rest.startswith("second") and not rest.startswith("seconds") and number.value != 1
    unit = None if ordinal else parse_unit(rest)
    return Quantity(number, unit) if unit else None


# --- names -----------------------------------------------------------------------------------


def _read_formula(text: str, depth: int) -> Value | None:
    return read_formula(text)


def _read_points(text: str, depth: int) -> Value | None:
    return read_points(text)


def _read_words(text: str, depth: int) -> Value | None:
    return read_words(text)


# --- collections -----------------------------------------------------------------------------

_OR = re.compile(
    r"\s*,?\s*\bor\s+equivalently\b,?\s*|\s*,?\s+or\s+|\s*\\(?:lor|vee)(?![A-Za-z])\s*"
    r"|(?<=[)\]}0-9°%])\s*or\s+"
)
_CONDITION = re.compile(
    r"\s*(?P<name>[A-Za-z])\s*(?:\\in\s*\\mathbb\s*\{?R\}?\s*)?(?:\||:|\\mid(?![A-Za-z]))(?P<rest>.*)"
)
_MEMBER = re.compile(r"\s*[A-Za-z]\s*\\in(?![A-Za-z])\s*")
_PAIRS = {"(": ")]", "[": ")]", "]": "[", "{": "}", "<": ">"}


def _read_empty_set(text: str, depth: int) -> Value | None:
    return EMPTY_SET if compact(text) in (r"\{\}", r"\emptyset", "{}") else None


def _read_alternatives(text: str, depth: int) -> Value | None:
    parts, separators = split_top(text, _OR)
    if not separators or not all(part.strip() for part in parts):
        return None
    return _collected(parts, "or", "", depth)


def _read_plus_minus(text: str, depth: int) -> Value | None:
    r"""Both values of an expression with `\pm`."""
    if not re.search(r"\\pm(?![A-Za-z])", text) or len(split_top(text, LOOSE_COMMA)[0]) > 1:
        return None
    both = [
        re.sub(r"\\mp(?![A-Za-z])", lower, re.sub(r"\\pm(?![A-Za-z])", upper, text))
        for upper, lower in ("+-", "-+")
    ]
    return _collected([re.sub(r"(^|[=({,])\s*\+\s*", r"\1", one) for one in both], "or", "", depth)


def _read_bracketed(text: str, depth: int) -> Value | None:
    """A tuple, an interval, a list or a set."""
    found = bracketed(text)
    if found is None:
        return None
    opening, closing = (
        {r"\langle": "<", r"\rangle": ">"}.get(bracket, bracket.lstrip("\\"))
        for bracket in (found[0], found[2])
    )
    content = found[1]
    if opening == "{" and (condition := _read_condition(content, depth)):
        return condition
    if closing not in _PAIRS.get(opening, "") or (opening == "{" and "|" in content):
        return None
    if opening == "]":
        opening, closing = "(", ")"
    parts = split_top(content, COMMA)[0]
    if not all(part.strip() for part in parts) or (len(parts) == 1 and opening in "(["):
        return None
    if compact(content) in (r"-\infty,\infty", r"-\infty,+\infty"):
        return REALS
    return _collected(parts, opening, closing, depth)


def _read_condition(text: str, depth: int) -> Collection | None:
    r"""The intervals of `x : x > 3`, what braces hold, where x is any real number."""
    match = _CONDITION.fullmatch(text)
    value = _parse(match["rest"], depth - 1) if match else None
    if match is None or not isinstance(value, Collection):
        return None
    lines = value.items if value.opening == "or" else (value,)
    named = all(isinstance(one, Collection) and one.variable == match["name"] for one in lines)
    return value if named else None


def _read_union(text: str, depth: int) -> Value | None:
    r"""Sets joined by `\cup` or by `\cap`."""
    member = _MEMBER.match(text)
    sign, parts = operands(text[member.end() :] if member else text, depth)
    sets = (_read_bracketed(part, depth - 1) or _parse(part, depth - 1) for part in parts)
    return joined(sign, tuple(sets)) if sign else None


def _read_list(text: str, depth: int) -> Value | None:
    parts, separators = split_top(text, COMMA)
    if not separators or not all(part.strip() for part in parts):
        return None
    value = _collected(parts, ",", "", depth)
    both = all(isinstance(item, Collection) and item.variable for item in value.items)
    if both and "and" in separators:  # two conditions on one number, not two intervals
        return between(value.items) or Text(compact(text))
    return value


def _collected(parts: Sequence[str], opening: str, closing: str, depth: int) -> Collection:
    items = tuple(_parse(part, depth - 1) for part in parts)
    if opening in (",", "or"):
        items = _with_shared_unit(items)
    return Collection(items, opening, closing)


def _with_shared_unit(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """`3 and 4 cm` are two lengths: the last unit belongs to all numbers before it."""
    last = items[-1]
    numbers = [item for item in items[:-1] if isinstance(item, Number)]
    if not isinstance(last, Quantity) or len(numbers) < len(items) - 1:
        return items
    return (*(Quantity(number, last.unit) for number in numbers), last)


# --- relations -------------------------------------------------------------------------------

_RELATION = re.compile(
    r"\\(?:le|ge|lt|gt|approx|ne|equiv|cong|sim|simeq|propto)(?![A-Za-z])|<=|>=|==|!=|=|<|>"
)
_SPELLINGS = {
    "<=": r"\le",
    ">=": r"\ge",
    r"\lt": "<",
    r"\gt": ">",
    "==": "=",
    "!=": r"\ne",
    r"\simeq": r"\approx",
}
_VARIABLE = re.compile(r"(?:[A-Za-z]|\\[A-Za-z]+)(?:_\{?\w\}?)?")
_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}


def _read_relation(text: str, depth: int) -> Value | None:
    if member := _MEMBER.match(text):
        return _parse(text[member.end() :], depth - 1)
    parts, signs = split_top(text, _RELATION)
    if not signs or len(split_top(text, LOOSE_COMMA)[0]) > 1:
        return None
    operands = tuple(part.strip() for part in parts)
    operators = tuple(_SPELLINGS.get(sign, sign) for sign in signs)
    if not all(operands):
        alone = not operands[0] and operators in (("=",), (r"\approx",))
        return _parse(operands[1], depth - 1) if alone and operands[1] else None
    interval = _interval_of(operands, operators, depth)
    return interval or Relation(operands, operators, compact(text))


def _interval_of(
    operands: tuple[str, ...], operators: tuple[str, ...], depth: int
) -> Collection | None:
    """The interval that one variable between bounds stands for."""
    if not all(operator in _FLIPPED for operator in operators) or len(operands) > 3:
        return None
    if len(operands) == 2:
        return _half_line(*operands, operators[0], depth)
    if all(operator in (">", r"\ge") for operator in operators):
        operands, operators = operands[::-1], tuple(_FLIPPED[one] for one in operators[::-1])
    low, variable, high = operands
    if not _VARIABLE.fullmatch(variable) or not {*operators} <= {"<", r"\le"}:
        return None
    opening = "[" if operators[0] == r"\le" else "("
    closing = "]" if operators[1] == r"\le" else ")"
    return Collection((_parse(low, depth - 1), _parse(high, depth - 1)), opening, closing, variable)


def _half_line(left: str, right: str, operator: str, depth: int) -> Collection | None:
    if _VARIABLE.fullmatch(right) and not _VARIABLE.fullmatch(left):
        left, right, operator = right, left, _FLIPPED[operator]
    if not _VARIABLE.fullmatch(left) or _VARIABLE.fullmatch(right):
        return None
    return half_line(left, operator, _parse(right, depth - 1))


def _read_expression(text: str, depth: int) -> Value | None:
    return read_expression(text)


# In this order: an earlier reader takes what a later one would misread.
_READERS = (
    _read_empty_set,
    _read_alternatives,
    _read_plus_minus,
    _read_date,
    _read_number,
    _read_compound,
    _read_formula,
    _read_points,
    _read_number_words,
    _read_words,
    _read_ratio,
    _read_base_number,
    _read_union,
    _read_bracketed,
    _read_relation,
    _read_list,
    _read_quantity,
    _read_expression,
)
