r"""Typed values: what an answer says, read by one grammar.

`parse` gives a number with its precision, a quantity with its unit, a word, a name of points, a
collection, a relation, a mathematical expression, or, where the text is none of these, the text.
Nothing here calls a symbolic engine; only an `Expression` is ever given to one, so that it never
sees a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import gcd

from reassess.verifier.notation import clean, compact
from reassess.verifier.units import Unit, parse_noun, parse_unit

LONGEST = 1000  # characters of an answer that are parsed
LARGEST_EXPONENT = 400  # of ten, in a number that is computed with
DEEPEST = 20  # collections within collections


@dataclass(frozen=True)
class Number:
    """A number written in digits.

    Attributes:
        value: of a percentage, the hundredth part of what is written.
        step: one unit of the last decimal; None for whole numbers and fractions, which are exact.
        digits: significant digits, of a number with decimals.
        percent: whether a percent sign follows.
        approximate: whether it is called approximate.
        evaluated: whether it is the computed value of an expression, not exact in its last digits.
    """

    value: Fraction
    step: Fraction | None = None
    digits: int = 0
    percent: bool = False
    approximate: bool = False
    evaluated: bool = False

    @property
    def shown(self) -> Fraction:
        """The number as written, without regard to a percent sign."""
        return self.value * 100 if self.percent else self.value


@dataclass(frozen=True)
class Expression:
    """Mathematics for the symbolic engine, as LaTeX."""

    latex: str


@dataclass(frozen=True)
class Quantity:
    """A number or expression with a unit or a counted thing."""

    amount: Number | Expression
    unit: Unit


@dataclass(frozen=True)
class BaseNumber:
    """Digits in a base other than ten."""

    digits: str
    base: int


@dataclass(frozen=True)
class Ratio:
    """Numbers between colons: a ratio, or the time of a clock."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """One or several words, in lower case."""

    text: str


@dataclass(frozen=True)
class Points:
    """Letters that name points, with what they make: an angle, a triangle, a segment."""

    prefix: str
    letters: tuple[str, ...]


@dataclass(frozen=True)
class Collection:
    """Several values.

    Attributes:
        items: the values.
        opening: `(`, `[`, `{`, `<` for angle brackets, `,` for a list without brackets, `or` for
            alternatives.
        closing: the closing bracket; empty for lists and alternatives.
        variable: the variable of an inequality that was read as an interval.
    """

    items: tuple[Value, ...]
    opening: str
    closing: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Relation:
    """Operands with a relation between each two, such as `x = 5` or `a < b`."""

    operands: tuple[str, ...]
    operators: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Text:
    """Any other text, without spaces that separate nothing."""

    text: str


Value = Number | Expression | Quantity | BaseNumber | Ratio | Words | Points | Collection | Relation | Text  # fmt: skip


@lru_cache(maxsize=50_000)
def parse(text: str) -> Value:
    """The value that an answer states; never an error."""
    if len(text) > LONGEST:
        return Text(text[:LONGEST])
    return _parse(_without_announcement(clean(text)), DEEPEST)


_ANNOUNCEMENT = re.compile(
    r"(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+|my\s+)?(?:final\s+|correct\s+|right\s+)?(?:answer|ans|result)\s*(?:is\s*:?|[:=])\s*(?=\S)",
    re.IGNORECASE,
)


def _without_announcement(text: str) -> str:
    """The text without a leading "the answer is"."""
    match = _ANNOUNCEMENT.match(text)
    return clean(text[match.end() :]) if match else text


def _parse(text: str, depth: int) -> Value:
    text = _without_outer_brackets(text.strip())
    if depth <= 0 or not text:
        return Text(text)
    for reader in _READERS:
        value = reader(text, depth)
        if value is not None:
            return value
    return Text(compact(text).casefold())


# --- scanning --------------------------------------------------------------------------------

_OPENING, _CLOSING = "([{", ")]}"
_SCAN = re.compile(r"\\(?:begin|end)\b|\\[{}]|\\langle(?![A-Za-z])|\\rangle(?![A-Za-z])|\\[A-Za-z]+|\\.|.", re.DOTALL)  # fmt: skip
_DEEPER = {"(", "[", "{", r"\{", r"\langle", r"\begin"}
_HIGHER = {")", "]", "}", r"\}", r"\rangle", r"\end"}


def split_top(text: str, separator: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Split where the separator matches outside all brackets: the parts, and what separated them."""
    parts, separators = [], []
    level = start = place = 0
    while place < len(text):
        if level == 0 and (match := separator.match(text, place)) and match.end() > place:
            parts.append(text[start:place])
            separators.append(match[0].strip())
            start = place = match.end()
            continue
        token = _SCAN.match(text, place)
        assert token is not None  # the last alternative matches anything
        if token[0] in _DEEPER:
            level += 1
        elif token[0] in _HIGHER:
            level = max(level - 1, 0)
        place = token.end()
    parts.append(text[start:])
    return parts, separators


def _bracketed(text: str) -> tuple[str, str, str] | None:
    """Opening bracket, content, and closing bracket, if one pair is around the whole text."""
    tokens = list(_SCAN.finditer(text))
    if len(tokens) < 2 or tokens[0][0] not in _DEEPER | {"]"} or tokens[-1][0] not in _HIGHER | {"["}:  # fmt: skip
        return None
    first, last = tokens[0][0], tokens[-1][0]
    if first == r"\begin" or last == r"\end":
        return None
    level = 0
    for token in tokens[1:-1]:
        if token[0] in _DEEPER:
            level += 1
        elif token[0] in _HIGHER:
            level -= 1
        if level < 0:
            return None
    if level:
        return None
    return first, text[tokens[0].end() : tokens[-1].start()], last


def _without_outer_brackets(text: str) -> str:
    """The text without brackets around a single value."""
    while (found := _bracketed(text)) is not None:
        opening, content, closing = found
        if (opening, closing) not in (("(", ")"), ("{", "}"), ("[", "]")):
            return text
        if not content.strip() or len(split_top(content, _COMMA)[0]) > 1:
            return text
        text = content.strip()
    return text


# --- numbers ---------------------------------------------------------------------------------

_PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]*)?|[0-9]{1,3}(?:[ ][0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SIGNED = rf"[-+]?\s*{_PLAIN}"
_NUMBER = re.compile(
    rf"""(?P<sign>[-+]|negative\s|minus\s)?\s*(?P<money>\\\$|[$€£¥₹])?\s*(?:
      (?P<whole>[0-9]+)\s*(?:\\frac\{{\s*(?P<n1>[0-9]+)\s*\}}\{{\s*(?P<d1>[0-9]+)\s*\}}|(?:\s|\s*-\s*|\s+and\s+)(?P<n2>[0-9]+)\s*/\s*(?P<d2>[0-9]+))
    | \\frac\{{\s*(?P<n3>{_SIGNED})\s*\}}\{{\s*(?P<d3>{_SIGNED})\s*\}}
    | [({{]?(?P<n4>{_PLAIN})[)}}]?\s*/\s*[({{]?(?P<d4>{_PLAIN})[)}}]?
    | (?P<mantissa>{_PLAIN})\s*(?:(?:\\times|\\cdot|\*|x|×)\s*10\s*\^\s*(?:\{{\s*(?P<e1>[-+]?\s*[0-9]+)\s*\}}|\(\s*(?P<e4>[-+]?[0-9]+)\s*\)|(?P<e2>[-+]?[0-9]+))|[eE]\s*(?P<e3>[-+]?[0-9]+))
    | 10\s*\^\s*(?:\{{\s*(?P<e5>[-+]?\s*[0-9]+)\s*\}}|(?P<e6>[-+]?[0-9]+))
    | (?P<head>[0-9]*\.[0-9]*)\\overline\{{\s*(?P<repeated>[0-9]+)\s*\}}
    | (?P<plain>{_PLAIN})
    )(?P<percent>\s*%)?""",
    re.VERBOSE,
)
_APPROXIMATELY = re.compile(
    r"(?:\\approx|\\sim(?:eq)?|~|≈|about|approximately|approx\.?|roughly|around)\s*(?=[-+0-9.\\$(])",
    re.IGNORECASE,
)


def _number_at_start(text: str) -> tuple[Number, str, str] | None:
    """A number, the sign of its currency, and the rest of the text; None if it starts with none."""
    approximate = _APPROXIMATELY.match(text)
    if approximate:
        text = text[approximate.end() :]
    match = _NUMBER.match(text)
    if match is None:
        return None
    number = _number_of(match)
    if number is None:
        return None
    return replace(number, approximate=approximate is not None), match["money"] or "", text[match.end() :]  # fmt: skip


def _number_of(match: re.Match[str]) -> Number | None:
    sign = -1 if match["sign"] and match["sign"].strip() in ("-", "negative", "minus") else 1
    percent = match["percent"] is not None
    value: Fraction | None
    step: Fraction | None = None
    digits = 0
    if match["whole"]:
        value = _quotient(match["n1"] or match["n2"], match["d1"] or match["d2"])
        value = None if value is None else value + int(match["whole"])
    elif match["n3"] or match["n4"]:
        value = _quotient(match["n3"] or match["n4"], match["d3"] or match["d4"])
    elif match["head"]:
        head, repeated = match["head"], match["repeated"]
        places = len(head.partition(".")[2])
        value = Fraction(f"0{head}0") + Fraction(int(repeated), 10**places * (10 ** len(repeated) - 1))  # fmt: skip
    else:
        written = match["mantissa"] or match["plain"] or "1"
        exponents = (match["e1"], match["e2"], match["e3"], match["e4"], match["e5"], match["e6"])
        exponent = int(re.sub(r"\s", "", next((one for one in exponents if one), "0")))
        if abs(exponent) > LARGEST_EXPONENT:
            return None
        scale = Fraction(10) ** exponent
        value = _plain(written) * scale
        decimals = written.partition(".")[2]
        if decimals:
            step = scale / 10 ** len(decimals)
            digits = len(re.sub(r"[^0-9]", "", written).lstrip("0"))
    if value is None:
        return None
    if percent:
        value, step = value / 100, None if step is None else step / 100
    return Number(sign * value, step, digits, percent)


def _plain(written: str) -> Fraction:
    return Fraction("0" + re.sub(r"[,\s]", "", written).rstrip(".")) if written[0] not in "+-" else (
        _plain(written[1:].strip()) * (-1 if written[0] == "-" else 1)
    )  # fmt: skip


def _quotient(numerator: str, denominator: str) -> Fraction | None:
    below = _plain(denominator)
    return _plain(numerator) / below if below else None


def _read_number(text: str, depth: int) -> Value | None:
    found = _number_at_start(text)
    if found is None:
        return None
    number, money, rest = found
    number, rest = _scaled(number, rest.strip())
    rest = _UNIT_FRACTION.sub(r"\1/\2", rest)
    unit = parse_unit(money) if money else None
    if not rest:
        return Quantity(number, unit) if unit else number
    if unit:
        named = parse_unit(rest)
        return Quantity(number, unit) if named == unit else None
    attached = not text[: len(text) - len(found[2])].endswith(" ") and not found[2].startswith(" ")
    if attached and len(re.match(r"[A-Za-z]*", rest)[0]) == 1:  # type: ignore[index] # may be empty
        return None  # a variable: 5m is five times m
    inner = _without_outer_brackets(rest)
    unit = parse_unit(inner) or (None if attached else parse_noun(inner, one=number.shown == 1))
    return Quantity(number, unit) if unit else None


_SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}
_SCALE = re.compile(rf"({'|'.join(_SCALES)})(?![A-Za-z])\s*", re.IGNORECASE)
_UNIT_FRACTION = re.compile(r"\A\\frac\{\s*([A-Za-z]{2,})\s*\}\{\s*([A-Za-z]+)\s*\}\Z")


def _scaled(number: Number, rest: str) -> tuple[Number, str]:
    """A number with the scale words behind it: `5 million` is 5,000,000."""
    while match := _SCALE.match(rest):
        scale = _SCALES[match[1].lower()]
        step = None if number.step is None else number.step * scale
        number = replace(number, value=number.value * scale, step=step)
        rest = rest[match.end() :]
    return number, rest


# --- the other types -------------------------------------------------------------------------

_COMMA = re.compile(r"\s*[,;，；]\s*(?:and(?![A-Za-z])\s*)?|\s+and\s+|\s*&\s*")
_OR = re.compile(r"\s*,?\s*\bor\s+equivalently\b,?\s*|\s*,?\s+or\s+|\s*\\(?:lor|vee)(?![A-Za-z])\s*|(?<=[)\]}0-9°%])\s*or\s+")  # fmt: skip
_RELATION = re.compile(r"\\(?:le|ge|lt|gt|approx|ne|equiv|cong|sim|simeq|propto)(?![A-Za-z])|<=|>=|==|!=|=|<|>")  # fmt: skip
_MEMBER = re.compile(r"\s*[A-Za-z]\s*\\in(?![A-Za-z])\s*")
_WORD = re.compile(r"[^\W\d_]{2,}|[^\W\d_a-zA-Z]")
_WORDS = re.compile(r"[^\W\d_]+(?:[ '-]+[^\W\d_]+)*")
_POINT = r"[A-Z](?:'|\\prime|\^\{?\\prime\}?)*(?:_\{?[0-9]\}?)?"
_POINTS = re.compile(rf"\s*({_POINT}(?:\s*{_POINT})*)\s*\Z")
_PREFIX = re.compile(
    r"\\?(?P<prefix>angle|triangle|overline|overrightarrow|overleftrightarrow|vec|odot|quad(?:rilateral)?|parallelogram|segment|line|ray|side|arc|point)(?![A-Za-z])\s*",
    re.IGNORECASE,
)
_RATIO = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:\s*:\s*[0-9]+(?:\.[0-9]+)?)+")
_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-4])(?:\s*:\s*[0-5][0-9])+")
_DATE = re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}")
_FORMULA = re.compile(r"(?:\s*[A-Z][a-z]?(?:\s*_\s*\{?\s*[0-9]+\s*\}?|[0-9]+)?)+")
_BASE_NAMES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "sixteen": 16}  # fmt: skip
_BASE = re.compile(
    r"\(?\s*(?P<digits>[0-9A-F][0-9A-F ,]*(?:\.[0-9A-F]+)?)\s*\)?\s*(?:_\s*\{?\s*(?P<base>[0-9]{1,2}|[a-z]+)\s*\}?|(?:\(?\s*(?:in\s+)?base[\s-]+(?P<spoken>[0-9]{1,2}|[a-z]+)\s*\)?))"
)
_FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth log ln lg exp sqrt max min gcd lcm det dim ker deg lim sup inf arg "
    "Re Im pi theta alpha beta gamma delta lambda mu sigma omega phi".split()
)
_RUN = re.compile(r"\\[A-Za-z]+|[A-Za-z]{2,}")
_LONGEST_PRODUCT = 3  # letters in a row that are still read as a product of variables
_TRIGONOMETRY = re.compile(r"(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_PUT_SIDE_BY_SIDE = re.compile(r"(?<![_0-9])[0-9]+\s+[0-9]|(?<![\\_A-Za-z])[A-Za-z]+\s+[0-9]")
_FUNCTION_OF_LETTER = re.compile(
    r"(\\(?:sin|cos|tan|cot|sec|csc|ln))\s+([a-z])(?=\s*(?:\Z|[-+=/),]|\\cdot|\\times|\\sin|\\cos|\\tan))"
)
_BARE_FUNCTION = re.compile(
    r"(?<![A-Za-z\\])(sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp|pi|theta|alpha|beta|max|min|gcd|lcm)(?![A-Za-z])"
)
_SYMBOLS = re.compile(r"[0-9A-Za-z\\{}()\[\]|+\-*/^_=.,!'°% <>:αΑ-ω&]+")  # noqa: RUF001
_SOLE_WORDS = {"pi": r"\pi", "infinity": r"\infty", "infinite": "infinite", "inf": r"\infty"}


def _read_empty_set(text: str, depth: int) -> Value | None:
    return Expression(r"\emptyset") if compact(text) in (r"\{\}", r"\emptyset", "{}") else None


def _read_alternatives(text: str, depth: int) -> Value | None:
    parts, separators = split_top(text, _OR)
    if not separators or not all(part.strip() for part in parts):
        return None
    return _collected(parts, "or", "", depth)


def _read_plus_minus(text: str, depth: int) -> Value | None:
    r"""Both values of an expression with `\pm`."""
    if not re.search(r"\\pm(?![A-Za-z])", text) or len(split_top(text, _COMMA)[0]) > 1:
        return None
    upper = re.sub(r"\\mp(?![A-Za-z])", "-", re.sub(r"\\pm(?![A-Za-z])", "+", text))
    lower = re.sub(r"\\mp(?![A-Za-z])", "+", re.sub(r"\\pm(?![A-Za-z])", "-", text))
    return _collected([_without_plus(upper), _without_plus(lower)], "or", "", depth)


def _without_plus(text: str) -> str:
    return re.sub(r"(^|[=({,])\s*\+\s*", r"\1", text)


def _read_points(text: str, depth: int) -> Value | None:
    prefix = ""
    match = _PREFIX.match(text)
    rest = text
    if match:
        prefix = match["prefix"].lower().replace("overline", "segment").replace("side", "segment")
        rest = _without_outer_brackets(text[match.end() :].strip())
    letters = _POINTS.match(rest)
    if letters is None:
        return None
    names = tuple(re.sub(r"\\prime|\^|[{}\s]", "", name) for name in re.findall(_POINT, letters[1]))
    if len(names) < 2 and not prefix:
        return None
    return Points(prefix, names)


def _read_words(text: str, depth: int) -> Value | None:
    if not _WORDS.fullmatch(text) or not _WORD.search(text):
        return None
    if text in _SOLE_WORDS:
        return Expression(_SOLE_WORDS[text])
    lower = re.sub(r"[\s-]+", " ", text.casefold())
    return Words(re.sub(r"\A(?:the|an) (?=\w)", "", lower))


def _read_ratio(text: str, depth: int) -> Value | None:
    """A ratio in lowest terms; the time of a clock as it stands."""
    if not _RATIO.fullmatch(text):
        return None
    parts = [part.strip() for part in text.split(":")]
    if _CLOCK.fullmatch(text) or not all(part.isdigit() for part in parts):
        return Ratio(tuple(parts))
    divisor = gcd(*(int(part) for part in parts)) or 1
    return Ratio(tuple(str(int(part) // divisor) for part in parts))


def _read_date(text: str, depth: int) -> Value | None:
    return Text(text) if _DATE.fullmatch(text) else None


def _read_formula(text: str, depth: int) -> Value | None:
    """A chemical formula, or another name of letters and digits, without the signs of indices."""
    if not _FORMULA.fullmatch(text) or not any(letter.isdigit() for letter in text):
        return None
    return Text(re.sub(r"[_{}\s]", "", text))


def _read_base_number(text: str, depth: int) -> Value | None:
    match = _BASE.fullmatch(text)
    if match is None:
        return None
    name = match["base"] or match["spoken"]
    base = int(name) if name.isdigit() else _BASE_NAMES.get(name)
    if base is None or not 2 <= base <= 36:
        return None
    digits = re.sub(r"[ ,]", "", match["digits"])
    if base == 10:
        return _read_number(digits, depth)
    return BaseNumber(digits, base)


def _read_bracketed(text: str, depth: int) -> Value | None:
    found = _bracketed(text)
    if found is None:
        return None
    opening, content, closing = (part.replace("\\", "") if len(part) < 10 else part for part in found)  # fmt: skip
    opening, closing = found[0].lstrip("\\"), found[2].lstrip("\\")
    content = found[1]
    opening = {"langle": "<"}.get(opening, opening)
    closing = {"rangle": ">"}.get(closing, closing)
    pairs = {"(": ")]", "[": ")]", "]": "[", "{": "}", "<": ">"}
    if closing not in pairs.get(opening, "") or "|" in content and opening == "{":
        return None
    if opening == "]":
        opening, closing = "(", ")"
    parts = split_top(content, _COMMA)[0]
    if not all(part.strip() for part in parts):
        return None
    if len(parts) == 1 and (opening, closing) not in (("{", "}"), ("<", ">")):
        return None
    if compact(content) in (r"-\infty,\infty", r"-\infty,+\infty"):
        return Expression(r"\mathbb{R}")
    return _collected(parts, opening, closing, depth)


def _read_union(text: str, depth: int) -> Value | None:
    r"""Intervals joined by `\cup`, as a set of them."""
    text = _MEMBER.sub("", text, count=1) if _MEMBER.match(text) else text
    parts, separators = split_top(text, re.compile(r"\s*\\cup(?![A-Za-z])\s*"))
    if not separators:
        return None
    items = tuple(_parse_closed(part, depth) for part in parts)
    if not all(isinstance(item, Collection) and item.opening in "([" for item in items):
        return None
    return Collection(items, "{", "}")


def _parse_closed(text: str, depth: int) -> Value:
    return _read_bracketed(text.strip(), depth - 1) or Text(text)


def _read_relation(text: str, depth: int) -> Value | None:
    member = _MEMBER.match(text)
    if member:
        return _parse(text[member.end() :], depth - 1)
    parts, operators = split_top(text, _RELATION)
    if not operators or len(split_top(text, _COMMA)[0]) > 1:
        return None
    if not all(part.strip() for part in parts):
        if not parts[0].strip() and operators[0] in ("=", r"\approx") and len(parts) == 2:
            return _parse(parts[1], depth - 1)
        return None
    names = {"<=": r"\le", ">=": r"\ge", r"\lt": "<", r"\gt": ">", "==": "=", "!=": r"\ne", r"\simeq": r"\approx"}  # fmt: skip
    ordered = tuple(names.get(one, one) for one in operators)
    operands = tuple(part.strip() for part in parts)
    interval = _interval_of(operands, ordered, depth)
    return interval or Relation(operands, ordered, compact(text))


_VARIABLE = re.compile(r"(?:[A-Za-z]|\\[A-Za-z]+)(?:_\{?\w\}?)?")
_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}


def _interval_of(operands: Sequence[str], operators: Sequence[str], depth: int) -> Value | None:
    """The interval that one variable between bounds stands for."""
    if not all(one in _FLIPPED for one in operators) or len(operands) > 3:
        return None
    if len(operands) == 2:
        left, right = operands
        operator = operators[0]
        if _VARIABLE.fullmatch(right) and not _VARIABLE.fullmatch(left):
            left, right, operator = right, left, _FLIPPED[operator]
        if not _VARIABLE.fullmatch(left) or _VARIABLE.fullmatch(right):
            return None
        bound = _parse(right, depth - 1)
        closed = operator in (r"\le", r"\ge")
        if operator in ("<", r"\le"):
            items = (Expression(r"-\infty"), bound)
            return Collection(items, "(", "]" if closed else ")", left)
        return Collection((bound, Expression(r"\infty")), "[" if closed else "(", ")", left)
    low, variable, high = operands
    if operators[0] in (">", r"\ge") and operators[1] in (">", r"\ge"):
        low, high, operators = high, low, (_FLIPPED[operators[1]], _FLIPPED[operators[0]])
    if not _VARIABLE.fullmatch(variable) or any(one in (">", r"\ge") for one in operators):
        return None
    opening = "[" if operators[0] == r"\le" else "("
    closing = "]" if operators[1] == r"\le" else ")"
    return Collection((_parse(low, depth - 1), _parse(high, depth - 1)), opening, closing, variable)


def _read_list(text: str, depth: int) -> Value | None:
    parts, separators = split_top(text, _COMMA)
    if not separators or not all(part.strip() for part in parts):
        return None
    return _collected(parts, ",", "", depth)


def _collected(parts: Sequence[str], opening: str, closing: str, depth: int) -> Value:
    items = tuple(_parse(part, depth - 1) for part in parts)
    if opening in (",", "or"):
        items = _with_shared_unit(items)
    return Collection(items, opening, closing)


def _with_shared_unit(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """`3 and 4 cm` are two lengths: the last unit belongs to all numbers before it."""
    last = items[-1]
    if not isinstance(last, Quantity) or not all(isinstance(one, Number) for one in items[:-1]):
        return items
    return (*(Quantity(one, last.unit) for one in items[:-1] if isinstance(one, Number)), last)


def _read_quantity(text: str, depth: int) -> Value | None:
    """An expression with a unit behind it, as in `2\\sqrt{3} cm`."""
    for match in re.finditer(r"(?<=[\s}\])0-9])\s*(?=[A-Za-zμ°Ω¢\u4e00-\u9fff])", text):
        before, after = text[: match.start()].strip(), text[match.end() :].strip()
        unit = parse_unit(after)
        if unit is None or not before:
            continue
        if re.fullmatch("[A-Za-z]", after) and (match.start() == match.end() or _has_variables(before)):  # fmt: skip
            continue
        if "degree" in dict(unit.powers) and _TRIGONOMETRY.search(before):
            continue  # the angle of a function: sin 30° is a number
        amount = _read_number(before, depth) or _read_expression(before, depth)
        if isinstance(amount, Number | Expression):
            return Quantity(amount, unit)
    return None


def _has_variables(latex: str) -> bool:
    return re.search(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", latex)) is not None


def _read_expression(text: str, depth: int) -> Value | None:
    if not _SYMBOLS.fullmatch(text) or text.count("{") != text.count("}"):
        return None
    for run in _RUN.findall(re.sub(r"\\(?:begin|end)\s*\{[a-z]*\*?\}", " ", text)):
        if run.startswith("\\") or run in _FUNCTIONS:
            continue
        if len(run) > _LONGEST_PRODUCT or (len(run) == _LONGEST_PRODUCT and " " in text and run.islower() and run not in ("xyz", "abc")):  # fmt: skip
            return None
    if re.search(r"(?<![A-Za-z\\])(?:if|for|or|and|is|not|to|of|by|at|in)(?![A-Za-z])", text):
        return None
    if re.search(r"\\(?:ne|pmod|bmod|mod|text|equiv|mid|boxed|ldots|to|implies|forall|exists)(?![A-Za-z])|\.\.\.|:|;", text):  # fmt: skip
        return None
    if "!!" in text or re.search(r"[0-9)\]]\s*_", text):
        return None
    if not re.search(r"[0-9A-Za-z]", text) or _PUT_SIDE_BY_SIDE.search(text):
        return None
    text = _FUNCTION_OF_LETTER.sub(r"\1(\2)", text)
    return Expression(_BARE_FUNCTION.sub(r"\\\1 ", text))


_READERS = (
    _read_empty_set,
    _read_alternatives,
    _read_plus_minus,
    _read_date,
    _read_number,
    _read_formula,
    _read_points,
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
