"""Which texts are mathematics that the symbolic engine may see: no word ever is.

The engine multiplies the letters of a word and drops what it does not know, so a text is an
expression only if each run of letters in it is a function's name or short enough to be a product.
"""

from __future__ import annotations

import re

from reassess.verifier.huge_numbers import LARGEST_FACTORIAL, MOST_DIGITS, MOST_POWERS, with_names
from reassess.verifier.values import Expression

LONGEST_PRODUCT = 3  # letters in a row that are read as a product of variables

_FUNCTIONS = re.compile(
    r"arc(?:sin|cos|tan|cot)|(?:sin|cos|tan|cot)h?|sec|csc|log|ln|lg|exp|sqrt|max|min|gcd|lcm"
    r"|det|dim|ker|deg|lim|sup|inf|arg|Re|Im"
    r"|pi|theta|alpha|beta|gamma|delta|lambda|mu|sigma|omega|phi"
)
_SYMBOLS = re.compile(r"[0-9A-Za-z\\{}()\[\]|+\-*/^_=.,!'°% <>:&]+")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[a-z]*\*?\}")
_LETTERS = re.compile(r"\\[A-Za-z]+|[A-Za-z]{2,}")
_WORD = re.compile(r"(?<![A-Za-z\\])(?:if|for|or|and|is|not|to|of|by|at|in)(?![A-Za-z])")
_FOREIGN = re.compile(
    r"\\(?:ne|mod|text|equiv|mid|boxed|to|implies|forall|exists|overline|frown)(?![A-Za-z])"
    r"|\\Xi\s*_"  # the name of a huge number
    r"|\.\.\.|:|!!"
    r"|[0-9)]\s*'"  # minutes of arc or feet
    r"|[0-9)\]]\s*_"  # an index of a number: the engine drops it
    r"|(?<![_^0-9])[0-9]+\s+[0-9]"  # numbers, or a word and a number, side by side are no product
    r"|(?<![\\_A-Za-z])[A-Za-z]+\s+[0-9]"
)
_BARE_FUNCTION = re.compile(
    r"(?<![A-Za-z\\])(sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp|pi"
    r"|theta|alpha|beta|max|min|gcd|lcm)(?![A-Za-z])"
)
_ANGLE = re.compile(r"\\angle\s*\{?([A-Z]{3})(?![A-Za-z])\}?")
_TOWER = re.compile(r"\^\s*\{*\s*([0-9]{1,20})\s*\}*\s*\^\s*\{*\s*([0-9]{1,20})\s*\}*\s*(\^?)")
_NESTED = re.compile(
    r"!\s*[)}]*\s*!|\^\s*\{?\s*\(?[0-9]+\)?!|\^\s*\{?\s*\([^()]*\^|\)\s*\^\s*\{?\s*[0-9]*\s*\^"
)
_EXPONENT = re.compile(r"\^\s*\{?\s*[-+]?\s*\(?([0-9]{1,20})")
_FACTORIAL = re.compile(r"([0-9]{1,20})\s*\)?\s*!")
_OF_WHOLE_NUMBERS = re.compile(r"(?:gcd|lcm)(?![A-Za-z])")
_PRODUCT = re.compile(
    rf"(?<![A-Za-z\\_])(?!(?:{_FUNCTIONS.pattern})(?![A-Za-z]))[A-Za-z]{{2,{LONGEST_PRODUCT}}}"
    r"(?![A-Za-z(])"
)
_FUNCTION_OF_LETTER = re.compile(
    r"(\\(?:sin|cos|tan|cot|sec|csc|ln))\s+([a-z])"
    r"(?=\s*(?:\Z|[-+=/),]|\\cdot|\\times|\\sin|\\cos|\\tan))"
)


def _named_angle(match: re.Match[str]) -> str:
    """An angle as one variable, the same from either end; its points are no factors."""
    return rf"\Theta_{{{min(match[1], match[1][::-1])}}}"


def read_expression(text: str) -> Expression | None:
    """The expression that a text is; None if it holds a word or a sign the engine would drop."""
    if not _SYMBOLS.fullmatch(text) or text.count("{") != text.count("}"):
        return None
    if not re.search(r"[0-9A-Za-z]", text) or _WORD.search(text) or _FOREIGN.search(text):
        return None
    if any(map(_is_word, _LETTERS.findall(_ENVIRONMENT.sub(" ", text)))):
        return None
    text = _ANGLE.sub(_named_angle, with_names(text))
    if _is_too_large(text):
        return None
    if _OF_WHOLE_NUMBERS.search(text) and has_variables(text):
        return None  # the engine takes letters for polynomials, whose divisor is 1
    if r"\int" not in text:
        text = _PRODUCT.sub(lambda match: "*".join(match[0]), text)
    text = _FUNCTION_OF_LETTER.sub(r"\1(\2)", text)
    return Expression(_BARE_FUNCTION.sub(r"\\\1 ", text))


def _is_too_large(text: str) -> bool:
    """Whether a power or factorial of numbers has more digits than the engine should compute."""
    exponents = [int(exponent) for exponent in _EXPONENT.findall(text)]
    for base, exponent, further in _TOWER.findall(text):
        if further or int(exponent) > MOST_DIGITS or len(base) * int(exponent) > MOST_POWERS:
            return True
        exponents.append(int(base) ** int(exponent))
    factorials = [int(number) for number in _FACTORIAL.findall(text)]
    return (
        max(exponents, default=0) > MOST_DIGITS
        or max(factorials, default=0) > LARGEST_FACTORIAL
        or _NESTED.search(text) is not None
    )


def _is_word(letters: str) -> bool:
    return (
        not letters.startswith("\\")
        and not _FUNCTIONS.fullmatch(letters)
        and len(letters) > LONGEST_PRODUCT
    )


def has_variables(latex: str) -> bool:
    """Whether an expression has letters other than those of commands."""
    return re.search(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", latex)) is not None
