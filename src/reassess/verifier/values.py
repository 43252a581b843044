"""Typed values: what an answer can state. `grammar.parse` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from reassess.verifier.units import Unit


@dataclass(frozen=True)
class Number:
    """A number written in digits.

    Attributes:
        value: of a percentage, the hundredth part of what is written.
        step: one unit of the last decimal; None for whole numbers and fractions, which are exact.
        digits: significant digits, of a number with decimals.
        decimals: decimals as written, before a power of ten.
        percent: whether a percent sign follows.
        approximate: whether it is called approximate.
        evaluated: whether it is the computed value of an expression, not exact in its last digits.
    """

    value: Fraction
    step: Fraction | None = None
    digits: int = 0
    decimals: int = 0
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
    """Numbers between colons: a ratio, or the time of a clock.

    Attributes:
        parts: the numbers as text.
        clock: whether they may be a time.
    """

    parts: tuple[str, ...]
    clock: bool = False

    @property
    def quotient(self) -> Fraction | None:
        """The one number that a ratio of two is; None for a time, and for more."""
        if self.clock or len(self.parts) != 2 or not float(self.parts[1]):
            return None
        return Fraction(self.parts[0]) / Fraction(self.parts[1])


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
            alternatives, `\\cup` and `\\cap` for named sets that are joined.
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


Value = (
    Number
    | Expression
    | Quantity
    | BaseNumber
    | Ratio
    | Words
    | Points
    | Collection
    | Relation
    | Text
)
