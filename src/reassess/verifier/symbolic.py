r"""Symbolic comparison of two expressions by math-verify and sympy, as its worker process runs it.

Both texts are LaTeX that `grammar.parse` called an expression; no word reaches this module. Two
expressions are equal if they agree, to `AGREEING` significant digits, wherever they are evaluated;
what cannot be evaluated (sets, matrices with names, relations) is left to math-verify. All of it
may take long or never end: only `math_worker` calls it, under a limit.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGITS = 50  # significant digits of an evaluation
AGREEING = 30  # significant digits that two evaluations share if they are equal
LARGEST_RATIONAL = 10_000  # bits of numerator and denominator that are returned exactly
POINTS = 6  # at which expressions with variables are evaluated
REMEMBERED = 4096  # parsed expressions: right answers repeat
ENOUGH = 3  # points at which both must have a value

Symbolic = Any  # an object of sympy, which is untyped


def warm_up() -> None:
    """Import the libraries, and parse once: the first parse builds the parser's tables."""
    for part in ("math_verify", "latex2sympy2_extended"):
        logging.getLogger(part).setLevel(logging.ERROR)
    _parsed(r"\frac{1}{2}x")


def value(latex: str) -> str | None:
    """The value of a real constant; None if it is none.

    A rational one is exact, as `3/4`; any other has `DIGITS` significant digits and a point.
    """
    expression = _parsed(latex)
    if expression is None or _names(expression):
        return None
    exact = _rational(expression)
    if exact is not None:
        bits = max(int(part).bit_length() for part in (exact.p, exact.q))
        return str(exact) if bits <= LARGEST_RATIONAL else None
    import mpmath

    number = _evaluated(expression, {})
    if number is None or number.imag != 0:
        return None
    return str(mpmath.nstr(number.real, DIGITS, strip_zeros=False))


def equal(extracted: str, answer: str) -> bool:
    """Whether two expressions are equal."""
    left, right = _parsed(extracted), _parsed(answer)
    if left is None or right is None:
        return False
    agreement = _agree(left, right)
    return _by_math_verify(left, right) if agreement is None else agreement


def equal_equations(extracted: str, answer: str) -> bool:
    """Whether two equations, `left = right` each, have the same solutions.

    They have if the differences of their sides are in a constant ratio.
    """
    import mpmath

    first, second = _difference_of_sides(extracted), _difference_of_sides(answer)
    if first is None or second is None:
        return False
    names = _names(first) | _names(second)
    if not names or _names(first) != _names(second):
        return False
    ratios = []
    for point in _points(names):
        one, other = _evaluated(first, point), _evaluated(second, point)
        if one is None or other is None:
            continue
        if abs(other) == 0 or abs(one) == 0:
            return abs(other) == abs(one) and equal(extracted, answer)
        with mpmath.workdps(DIGITS):
            ratios.append(one / other)
    return len(ratios) >= ENOUGH and all(_close(ratio, ratios[0]) for ratio in ratios)


def _difference_of_sides(equation: str) -> Symbolic | None:
    sides = [_parsed(side) for side in equation.split("=")]
    if len(sides) != 2 or None in sides:
        return None
    left, right = sides
    try:
        return left - right  # type: ignore[operator] # neither is None
    except TypeError:
        return None  # a set, say


def _rational(expression: Symbolic) -> Symbolic | None:
    """A constant as an exact rational number, if it evaluates to one."""
    try:
        number = expression.doit()
    except MemoryError:
        raise
    except Exception:
        return None
    return number if getattr(number, "is_Rational", False) else None


@lru_cache(maxsize=REMEMBERED)
def _parsed(latex: str) -> Symbolic | None:
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
    from math_verify.grader import should_treat_as_complex
    from sympy import Float, Rational

    text = re.sub(r"([0-9]+(?:\.[0-9]+)?)°", r"(\\frac{\1\\pi}{180})", latex)
    text = text.replace("°", r"\cdot\frac{\pi}{180}").replace("%", r"\cdot\frac{1}{100}")
    text = re.sub(r"([A-Za-z])('+)", lambda match: f"{match[1]}_{{p{len(match[2])}}}", text)
    try:
        expression = latex2sympy(
            text,
            is_real=not should_treat_as_complex(text),
            convert_degrees=False,
            normalization_config=None,
            conversion_config=ConversionConfig(lowercase_symbols=False),
        )
        decimals = {one: Rational(str(one)) for one in expression.atoms(Float)}  # 0.1 is a tenth
        return _with_real_roots(expression.xreplace(decimals) if decimals else expression)
    except MemoryError:
        raise
    except Exception:
        return None  # the grammar does not know it


def _with_real_roots(expression: Symbolic) -> Symbolic:
    """With odd roots of negative numbers as the real ones, as schools define them."""
    from sympy import Pow

    roots = {
        power: (-1) ** power.exp.p * (-power.base) ** power.exp
        for power in expression.atoms(Pow)
        if power.exp.is_Rational and power.exp.q % 2 == 1 and power.exp.q > 1
        if power.base.is_number and power.base.is_negative
    }
    return expression.xreplace(roots) if roots else expression


def _names(expression: Symbolic) -> set[Symbolic]:
    """The variables of an expression, without the imaginary unit."""
    return {name for name in getattr(expression, "free_symbols", set()) if str(name) != "i"}


def _agree(left: Symbolic, right: Symbolic) -> bool | None:
    """Whether two expressions have the same values; None where they cannot be evaluated."""
    from sympy import MatrixBase

    matrices = [isinstance(side, MatrixBase) for side in (left, right)]
    if any(matrices):
        return _matrices_agree(left, right) if all(matrices) else False
    names = _names(left) | _names(right)
    exact = [None, None] if names else [_rational(left), _rational(right)]
    if None not in exact:
        return bool(exact[0] == exact[1])
    agreeing = 0
    for point in _points(names):
        one, other = _evaluated(left, point), _evaluated(right, point)
        if one is None or other is None:
            continue
        if not _close(one, other):
            return (0 in (abs(one), abs(other)) or _tiny(one, other)) and _is_zero(left - right)
        agreeing += 1
    return True if agreeing >= (ENOUGH if names else 1) else None


def _matrices_agree(left: Symbolic, right: Symbolic) -> bool | None:
    if left.shape != right.shape:
        return False
    pairs = [_agree(one, other) for one, other in zip(left, right, strict=True)]
    if False in pairs:
        return False
    return None if None in pairs else True


def _tiny(one: Symbolic, other: Symbolic) -> bool:
    """Whether both may be the rest of a cancellation rather than a value."""
    return bool(max(abs(one), abs(other)) < 10.0**-AGREEING)


def _is_zero(difference: Symbolic) -> bool:
    from sympy import simplify

    return bool(simplify(difference) == 0)


def _points(names: set[Symbolic]) -> Iterator[dict[Symbolic, Symbolic]]:
    """Values of the variables, positive and negative, that no usual expression treats specially."""
    from sympy import Rational

    ordered = sorted(names, key=str)
    for point in range(POINTS if ordered else 1):
        yield {
            name: Rational(
                (-1) ** (point // 2 + place * point) * (137 + 31 * place + 59 * point),
                89 + 13 * place + 7 * point,
            )
            for place, name in enumerate(ordered)
        }


def _evaluated(expression: Symbolic, point: dict[Symbolic, Symbolic]) -> Symbolic | None:
    """The value at a point as a complex number of mpmath; None if it has none."""
    import mpmath
    from sympy import I, Symbol

    try:
        units = {name: I for name in expression.free_symbols if str(name) == "i"}
        placed = expression.subs({**point, **units}) if point or units else expression
        number = placed.doit().evalf(DIGITS)
        real, imaginary = number.as_real_imag()
        if real.free_symbols or imaginary.free_symbols or isinstance(number, Symbol):
            return None
        with mpmath.workdps(DIGITS):
            result = mpmath.mpc(mpmath.mpf(str(real)), mpmath.mpf(str(imaginary)))
            if abs(result.imag) < mpmath.mpf(10) ** (5 - DIGITS) * abs(result):
                result = mpmath.mpc(result.real, 0)
        return result if mpmath.isfinite(result) else None
    except MemoryError:
        raise
    except Exception:
        return None


def _close(one: Symbolic, other: Symbolic) -> bool:
    import mpmath

    with mpmath.workdps(DIGITS):
        return bool(abs(one - other) <= mpmath.mpf(10) ** -AGREEING * max(abs(one), abs(other)))


def _by_math_verify(left: Symbolic, right: Symbolic) -> bool:
    from math_verify import verify

    try:
        return bool(verify(right, left, timeout_seconds=None))
    except MemoryError:
        raise
    except Exception:
        return False
