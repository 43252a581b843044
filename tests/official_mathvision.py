"""How MathVision's authors read and compare replies.

Restated from their code, which the rule names. A reader of constants stands for latex2sympy2, which
they need.
"""

from __future__ import annotations

import math
import re
from string import ascii_uppercase

from official_math import as_fraction, braced_fractions, braced_roots, with_zeros, without

_OPENINGS = (
    "the final answer is",
    "the answer is",
    "the correct answer is",
    "the answer should be",
)


def mathvision(reply: str, gold: str, options: list[str]) -> bool | None:
    """The last box, or else what follows "the answer is", equals the letter or the option's text.

    Both are compared in lower case, without units and brackets round a letter, and as LaTeX numbers
    to two decimals. Before that, a letter at the end of the reply or in a first line of its own,
    and a number behind the last "is", replace the reply.

    Source: mathllm/MATH-V, evaluation/evaluate.py and evaluation/utils.py, 1d36118.
    """
    text = reply.strip()
    for letter in "ABCDE":
        ends = (f" {letter}.", f" ({letter}).")
        starts = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith(ends) or text.startswith(starts):
            text = letter
    number = text.rpartition("is ")[2].rstrip(".")
    text = number if _is_float(number) else text
    if "oxed{" in text:
        text = "oxed{" + text.rpartition("oxed{")[2] if text.count("oxed{") > 1 else text
    else:
        for opening in _OPENINGS:
            for form in (opening, opening.replace("the", "The")):
                if form in text:
                    text = text.rpartition(form)[2].strip().split("\n")[0].split(". ")[0]
                else:
                    text = text.strip()
    answer = _stripped(text)
    for letter in "abcde":
        answer = answer.replace(f"({letter})", letter)
    for letter in "abcde":
        answer = answer.replace(f"{{{letter}}}", letter)
    answer = answer.rstrip(".").lstrip(":").strip()
    golds = [gold, options[ascii_uppercase.index(gold)] if options else ""]
    return any(_same(right, answer) for right in golds)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _stripped(text: str) -> str:
    """The last box or the whole text in lower case, behind its last "=", without units and size."""
    text = text.lower().replace("{}", "")
    box = re.search(r"oxed\{(.*)\}", text, re.DOTALL)
    text = box[1] if box else text
    if "}" in text and "{" not in text.partition("}")[0]:
        text = text.partition("}")[0]
    text = text.rpartition("=")[2].rpartition("\\approx")[2]
    text = without(text, " ", "\\,").replace("∞", "\\infty").replace("+\\infty", "\\infty")
    text = without(text.replace("\\\\", "\\"), "\n", "\\text", "\\mbox")
    text = text.replace("bmatrix", "pmatrix")
    text = without(text, "\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3", "m^3")
    text = without(text, "{units}", "units", "{km}", "km")
    text = without(text, "\\!").replace("\\\\", "\\")
    text = without(re.sub("[td]frac", "frac", text), "\\left", "\\right", "^{\\circ}", "^\\circ")
    text = with_zeros(without(text, "\\$", "$", "\\%"))
    if "sqrt" in text:
        text = braced_fractions(braced_roots(text, False), False)
    return as_fraction(text)


def _same(gold: str, answer: str) -> bool:
    """Whether they are the same in lower case, or constants or tuples equal to two decimals."""
    first, second = gold.lower(), answer.lower()
    if not first.replace(" ", "") or not second.replace(" ", ""):
        return False
    if first.strip() == second.strip():
        return True
    first, second = _rounded_tuple(first), _rounded_tuple(second)
    if first == second:
        return True
    try:
        return round(constant(first), 2) == round(constant(second), 2)
    except ValueError:
        return False


def _rounded_tuple(text: str) -> str:
    """A tuple or list with its elements to two decimals; any other text as it is."""
    parts = text[1:-1].split(",")
    if len(parts) < 2 or (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return text
    try:
        done = [
            part if "infty" in part or part in ("a", "-a") else str(round(constant(part), 2))
            for part in parts
        ]
    except ValueError:
        return text
    return text[0] + ",".join(done) + text[-1]


_TOKEN = re.compile(r"\s*(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+|\\[a-z]+|\\%|[-+*/^(){}:!\[\]])")


def constant(text: str) -> int | float:
    r"""The value of a constant in LaTeX: numbers, `\frac`, `\sqrt`, `\pi`, and `+-*/^:!%`.

    As with latex2sympy2 1.9.1, a whole number before a fraction multiplies it, and what follows a
    stray stop or closing bracket is not read.

    Raises:
        ValueError: where the text has anything else, above all a letter.
    """
    tokens: list[str] = []
    place = depth = 0
    while place < len(text) and not re.match(r"\.(?!\d)", text[place:]):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(text)
        depth += (token[1] in "({[") - (token[1] in ")}]")
        if depth < 0:
            break
        tokens.append(token[1])
        place = token.end()
    reader = _Constant(tokens)
    try:
        value = reader.sum()
    except (ArithmeticError, IndexError, TypeError) as error:
        raise ValueError(text) from error
    if reader.left or isinstance(value, complex):
        raise ValueError(text)
    return value


class _Constant:
    """Reads a list of tokens from the front."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def next_is(self, *tokens: str) -> bool:
        return bool(self.left) and self.left[0] in tokens

    def sum(self) -> int | float:
        value = self.product()
        while self.next_is("+", "-"):
            value = value + self.product() if self.left.pop(0) == "+" else value - self.product()
        return value

    def product(self) -> int | float:
        value = self.signed()
        while self.left and not self.next_is("+", "-", ")", "}", "]"):
            if self.next_is("*", "\\times", "\\cdot"):
                self.left.pop(0)
                value = value * self.signed()
            elif self.next_is("/", ":", "\\div"):
                self.left.pop(0)
                value = value / self.signed()
            else:
                value = value * self.power()
        return value

    def signed(self) -> int | float:
        if self.next_is("-", "+"):
            return -self.signed() if self.left.pop(0) == "-" else self.signed()
        return self.power()

    def power(self) -> int | float:
        value = self.atom()
        while self.next_is("!", "\\%"):
            value = math.factorial(int(value)) if self.left.pop(0) == "!" else value / 100
        if self.next_is("^"):
            self.left.pop(0)
            value = value ** self.atom()
        return value

    def atom(self) -> int | float:
        token = self.left.pop(0)
        if token in ("(", "{"):
            value = self.sum()
            if self.left.pop(0) != {"(": ")", "{": "}"}[token]:
                raise ValueError(token)
            return value
        if token == "\\pi":
            return math.pi
        if token == "\\frac":
            above, below = self.braced(), self.braced()
            return above / below
        if token == "\\sqrt":
            return math.sqrt(self.braced())
        digits = token.replace(",", "")
        return int(digits) if digits.isdigit() else float(digits)

    def braced(self) -> int | float:
        if not self.next_is("{"):
            raise ValueError("no brace")
        return self.atom()
