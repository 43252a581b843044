"""How PRM800K and Hendrycks' MATH compare answers in LaTeX.

Restated from their code; `official_rules` names the files and versions. A table of commands stands
for pylatexenc, which PRM800K needs.
"""

from __future__ import annotations

import math
import re

import sympy
from sympy.parsing import sympy_parser


def boxed(reply: str) -> str | None:
    r"""What the last `\boxed{` has up to its closing brace; None where there is none or it is open."""
    _, command, rest = reply.rpartition("\\boxed{")
    depth = 1
    for place, character in enumerate(rest if command else ""):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return rest[:place].strip()
    return None


# ---- normalised text (Hendrycks' MATH, and the three graders that took it over) ----------------


def stripped_math(text: str, words_over_words: bool = True) -> str:
    r"""An answer without spacing, size commands, degrees, dollars, percent, and units in `\text{ `.

    Args:
        text: the answer.
        words_over_words: whether a quotient of other things than whole numbers stays as it is
            (PRM800K); in lm-eval's copy it is an error.

    Raises:
        ValueError: where the graders' code raises: two units, or a root or fraction of nothing.
    """
    text = without(text, "\n", "\\!").replace("\\\\", "\\")
    text = without(re.sub("[td]frac", "frac", text), "\\left", "\\right", "^{\\circ}", "^\\circ")
    text = text.replace("\\$", "")
    text, *units = text.split("\\text{ ")
    if len(units) > 1:
        raise ValueError("two units")
    text = with_zeros(text.replace("\\%", ""))
    left, *right = text.split("=")
    if len(right) == 1 and len(left) <= 2:
        text = right[0]
    text = braced_fractions(braced_roots(text).replace(" ", ""))
    return as_fraction(text, words_over_words)


def without(text: str, *parts: str) -> str:
    for part in parts:
        text = text.replace(part, "")
    return text


def with_zeros(text: str) -> str:
    """`.5` as `0.5`, at the start and behind a space or a brace."""
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    return f"0{text}" if text.startswith(".") else text


def braced_roots(text: str, empty_is_error: bool = True) -> str:
    if empty_is_error and re.search(r"\\sqrt(?=\\sqrt|\Z)", text):
        raise ValueError("root of nothing")
    pieces = text.split("\\sqrt")
    return "\\sqrt".join(
        pieces[:1] + [re.sub(r"\A([^{])", r"{\1}", piece, flags=re.DOTALL) for piece in pieces[1:]]
    )


def braced_fractions(text: str, empty_is_error: bool = True) -> str:
    r"""`\frac12` and `\frac1{2}` with braces; a fraction with one character leaves all as it is."""
    head, *pieces = text.split("\\frac")
    done = [head]
    for piece in pieces:
        if not piece and empty_is_error:
            raise ValueError("fraction of nothing")
        if piece.startswith("{"):
            done.append(piece)
        elif len(piece) < 2:
            return text
        else:
            below = piece[1:] if piece[1] == "{" else f"{{{piece[1]}}}{piece[2:]}"
            done.append(f"{{{piece[0]}}}{below}")
    return "\\frac".join(done)


def as_fraction(text: str, words_over_words: bool = True) -> str:
    """`0.5` and a quotient of two whole numbers as a fraction in LaTeX."""
    if text == "0.5":
        return "\\frac{1}{2}"
    parts = text.split("/")
    if len(parts) != 2:
        return text
    try:
        above, below = int(parts[0]), int(parts[1])
    except ValueError:
        if words_over_words:
            return text
        raise
    return f"\\frac{{{above}}}{{{below}}}" if text == f"{above}/{below}" else text


# ---- PRM800K -------------------------------------------------------------------------------


_UNITS = (
    *("degree", "cm", "centimeter", "meter", "mile", "second", "minute", "hour"),
    *("day", "week", "month", "year", "foot", "feet", "inch", "yard"),
)
_SCALES = {"million": "*10^6", "billion": "*10^9", "trillion": "*10^12"}
_IN_TEXT = re.compile(r"\A\\text\{(.+?)\}\Z")
_FRACTION = re.compile(r"-?[0-9]+.?/0*[1-9][0-9]*.?\Z")


def same_in_math500(answer: str, gold: str) -> bool:
    """Whether PRM800K's grader takes an answer for the gold."""
    if _hendrycks(answer) == _hendrycks(gold):
        return True
    given, right = _normalised(answer), _normalised(gold)
    if given == right or not given:
        return given == right
    given_parts, right_parts = _parts(given), _parts(right)
    if len(right_parts) > 1 and (right[0], right[-1]) != (given[0], given[-1]):
        return False
    return len(right_parts) == len(given_parts) and all(
        _same_part(*pair) for pair in zip(given_parts, right_parts)
    )


def _hendrycks(text: str) -> str:
    text = text.strip()
    wrapped = _IN_TEXT.match(text)
    text = wrapped[1].strip() if wrapped else text
    try:
        return stripped_math(text)
    except ValueError:
        return text


def _same_part(given: str, right: str) -> bool:
    if _FRACTION.match(right) and _FRACTION.match(given):
        return given == right
    if _whole(right) != _whole(given):
        return False
    difference = f"({right})-({given})"
    letters = {
        character for character in without(difference, "sqrt", "frac") if character.isalpha()
    }
    if len(letters) > 2 or re.search(r"\^[{(]|\^[0-9]+\^|\^[0-9][0-9]+", difference):
        return False
    rules = (
        *sympy_parser.standard_transformations,
        sympy_parser.implicit_multiplication_application,
    )
    try:
        parsed = sympy_parser.parse_expr(difference.replace("^", "**"), transformations=rules)
        return bool(sympy.simplify(parsed) == 0)
    except Exception:  # theirs takes any failure of sympy as "not equal"
        return False


def _normalised(text: str) -> str:
    wrapped = _IN_TEXT.match(text)
    text = without(wrapped[1] if wrapped else text, "\\%", "\\$", "$", "%")
    text = re.sub(" (or|and) ", " , ", text)
    for scale, factor in _SCALES.items():
        text = text.replace(scale, factor)
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?s? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    text = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    text = re.sub(r",\\! *", "", text)
    text = str(round(float(text))) if _is_whole_float(text) else text
    if "\\" in text:
        text = _plain(text)
    text = re.sub("- *", "-", text)
    text = re.sub("([0-9]) +([0-9])", r"\1+\2", text)
    text = without(text, " ", "{", "}").lower()
    return str(int(float(text.replace(",", "")))) if _whole(text) else text


def _is_whole_float(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and abs(float(text) - round(float(text))) <= 1e-7
    except ValueError:
        return False


def _ungrouped(text: str) -> str:
    before = None
    while text != before:
        before, text = text, re.sub(r"(\d),(\d\d\d)(\Z|\D)", r"\1\2\3", text)
    return text


def _whole(text: str) -> bool:
    return _is_whole_float(_ungrouped(text))


def _parts(text: str) -> list[str]:
    text = _ungrouped(text)
    inner = text[1:-1]
    if len(text) > 2 and text[0] in "()[]" and text[-1] in "()[]" and not set(inner) & set("()[]"):
        return [part.strip() for part in inner.split(",")]
    return [text]


_SYMBOLS = {
    "pi": "pi", "infty": "inf", "cup": "U", "cdot": "*", "times": "*", "circ": "∘", "le": "≤",
    "leq": "≤", "ge": "≥", "geq": "≥", "neq": "≠", "pm": "±", "approx": "≈", "in": "∈",
    "angle": "∠", "theta": "θ", "alpha": "α", "quad": "  ", "left": "", "right": "",
}  # fmt: skip
_NAMED = {"inf", "sup", "min", "max", "log", "ln", "exp", "sin", "cos", "tan", "det", "gcd"}
_ACCENTS = set("'`\"^~=.")
_WRAPPERS = {"text", "textbf", "mathrm", "overline", "boxed", "operatorname"}
_ARGUMENT = re.compile(r"\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(.))")


def _plain(text: str) -> str:
    r"""LaTeX as the text that PRM800K gets from pylatexenc 2.10, for the commands that occur here.

    A command that pylatexenc does not know leaves nothing, and so does any other one here.

    Raises:
        NotImplementedError: for an accent.
    """
    text = re.sub(r"\\[td]?frac", r" \\frac", text)
    return _converted(text).strip()


def _converted(text: str) -> str:
    command = re.search(r"\\(?:([A-Za-z]+)\s*|(.))", text, re.DOTALL)
    if command is None:
        return without(text, "{", "}")
    before, after = without(text[: command.start()], "{", "}"), text[command.end() :]
    name, mark = command[1], command[2]
    if mark is not None:
        if mark in _ACCENTS:
            raise NotImplementedError(f"\\{mark}")
        shown = mark if mark in "{}%$& #_" else {",": " ", ";": " ", "\\": "\n"}.get(mark, "")
        return before + shown + _converted(after)
    if name == "frac":
        above, after = _argument(after)
        below, after = _argument(after)
        return f"{before}{above}/{below}{_converted(after)}"
    if name == "sqrt":
        radicand, after = _argument(re.sub(r"\A\[[^\]]*\]", "", after))
        return f"{before}sqrt({radicand}){_converted(after)}"
    if name in _WRAPPERS:
        inner, after = _argument(after)
        return before + inner + _converted(after)
    if name == "mbox":
        after = _argument(after)[1]
    return before + _SYMBOLS.get(name, name if name in _NAMED else "") + _converted(after)


def _argument(text: str) -> tuple[str, str]:
    argument = _ARGUMENT.match(text)
    if argument is None:
        return "", text
    return _converted(argument[1] if argument[1] is not None else argument[2]), text[
        argument.end() :
    ]
