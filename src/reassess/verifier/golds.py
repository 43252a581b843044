r"""Whether a right answer can be used: it verifies, and wrong answers close to it do not.

Public sets have right answers in broken notation (`2√{2`), in prose, or with several meanings. One
that does not verify against itself loses every right completion; one that a changed digit or a
missing root leaves "right" pays for wrong ones. `problem` finds both before anything is trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from reassess.verifier.comparison import verify
from reassess.verifier.grading import grade
from reassess.verifier.grammar import parse
from reassess.verifier.math_worker import Undecided
from reassess.verifier.notation import clean
from reassess.verifier.options import choice_of, option_of, option_set
from reassess.verifier.values import Number, Points, Quantity, Text, Words

DOES_NOT_VERIFY = "its right answer does not verify"
WRONG_VERIFIES = "a wrong answer verifies"
NEVER_ENDS = "the comparison with its right answer does not end"

REMEMBERED = 2**15  # golds: many items have the same short one


@lru_cache(maxsize=REMEMBERED)
def problem(answer: str, kind: str) -> str | None:
    """Why a right answer cannot be used; None if it can.

    It must verify as it stands and in the box of a completion, and none of its perturbations may.
    Of a choice the letter must verify, and the text unless it is empty or begins as a letter of
    options does; of a list each answer.

    Args:
        answer: the right answer, as an item has it.
        kind: how it is compared (`reassess.verifier.comparison.KINDS`).

    Raises:
        ReassessError: a worker of symbolic comparisons does not start.
    """
    if kind == "any":
        golds = [str(gold) for gold in json.loads(answer)]
        problems = (problem(gold, "math") for gold in golds)
        return next(filter(None, problems), None) if golds else DOES_NOT_VERIFY
    try:
        if not _verifies(answer, kind):
            return DOES_NOT_VERIFY
        wrong_verifies = any(verify(wrong, answer, kind) for wrong in perturbations(answer, kind))
    except Undecided:
        return NEVER_ENDS
    return WRONG_VERIFIES if wrong_verifies else None


def _verifies(answer: str, kind: str) -> bool:
    statements = [answer]
    if kind == "choice":
        letter, text = map(str, json.loads(answer))
        # A text such as "C. elegans" reads as a letter, and counts as that.
        statements = [letter] if choice_of(text)[0] or not text.strip() else [letter, text]
    if not all(verify(statement, answer, kind) for statement in statements):
        return False
    verdict = grade(rf"One step leads to it. \boxed{{{statements[0]}}}", answer, kind)
    if verdict.undecided:
        raise Undecided("in a completion")
    return verdict.correct


def perturbations(answer: str, kind: str) -> Iterator[str]:
    r"""Yield wrong answers that are close to the right one, always the same ones.

    Of mathematics: the first and the last digit changed, the sign flipped, an exponent or a root
    dropped or added, the leading number alone; of words and names the letters in another order; of
    options another letter. What is the same value by construction (the sign of zero or behind
    `\pm`, a power of one, a unit left out) is not among them.
    """
    texts: Iterator[str]
    if kind == "any":
        texts = (text for gold in json.loads(answer) for text in perturbations(str(gold), "math"))
    elif kind == "option":
        texts = _other_letters(option_of(answer))
    elif kind == "choice":
        texts = _other_letters(option_of(str(json.loads(answer)[0])))
    elif kind == "options":
        texts = _other_sets(option_set(answer))
    elif kind == "word":
        texts = _permuted(answer)
    elif kind == "near":
        texts = _other_digits(answer, last=False)  # the last one may be within the tolerance
    else:
        texts = _of_mathematics(clean(answer))
    yield from dict.fromkeys(text for text in texts if text != answer)


# --- options and words -----------------------------------------------------------------------


def _other_letters(letter: str | None) -> Iterator[str]:
    yield from (other for other in ("A", "B") if other != letter)


def _other_sets(letters: frozenset[str]) -> Iterator[str]:
    """One letter less, one more."""
    ordered = sorted(letters)
    if len(ordered) > 1:
        yield ", ".join(ordered[1:])
    yield ", ".join([*ordered, next(letter for letter in "ABCDEFGHIJK" if letter not in letters)])


_LETTERS = re.compile(r"(?<![\\A-Za-z])[^\W\d_]{2,}")
_SAME_FROM_EITHER_END = re.compile(r"\\?(?:overline|segment|side|line|overleftrightarrow)\b")


def _permuted(text: str) -> Iterator[str]:
    """The letters of the longest word, moved by one place."""
    word = max(_LETTERS.finditer(text), key=lambda match: len(match[0]), default=None)
    if word is None or (len(word[0]) == 2 and _SAME_FROM_EITHER_END.search(text)):
        return
    moved = word[0][1:] + word[0][0]
    if moved.casefold() != word[0].casefold():
        yield text[: word.start()] + moved + text[word.end() :]


# --- mathematics -----------------------------------------------------------------------------


def _of_mathematics(text: str) -> Iterator[str]:
    value = parse(text)
    yield from _other_digits(text)
    if lone := _LONE_LETTER.fullmatch(text):
        yield "B" if lone[1] == "A" else "A"
    if isinstance(value, Words | Points | Text):
        yield from _permuted(text)
    else:
        yield from _other_sign(text)
        yield from _other_powers(text)
    if isinstance(value, Number) and value.shown not in (0, 1) and not value.percent:
        yield f"({text})^{{2}}"
    right_side = parse(text.rpartition("=")[2])
    if not isinstance(right_side, Quantity) or not isinstance(right_side.amount, Number):
        yield from _leading_number(text)


_DIGIT = re.compile(r"[0-9]")
_LONE_LETTER = re.compile(r"\(?([A-Za-z])\)?")


def _other_digits(text: str, *, last: bool = True) -> Iterator[str]:
    places = [match.start() for match in _DIGIT.finditer(text)]
    for place in (places[:1] + places[-1:])[: 2 if last else 1]:
        yield f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"


_SIGNED = re.compile(
    r"(?P<before>(?:.*=)?\s*(?:\\\{|[(\[{])*\s*)(?P<sign>[-+]?)\s*"
    r"(?P<rest>(?:(?P<number>[0-9]*\.?[0-9]+)|[a-z](?![a-z])"
    r"|\\(?:frac|sqrt|pi|infty|sin|cos|tan|cot|sec|csc|log|ln|theta|alpha|beta)(?![A-Za-z])).*)",
    re.DOTALL,
)


_EVEN_POWER = re.compile(r"\)\s*\^\s*(?:\{\s*[0-9]*[02468]\s*\}|[02468])")


def _other_sign(text: str) -> Iterator[str]:
    r"""The sign of the first term or of an equation's right side.

    Not of zero, behind `\pm`, or in brackets with an even power.
    """
    match = _SIGNED.fullmatch(text)
    if match is None or "\\pm" in text or "\\mp" in text:
        return
    if "(" in match["before"] and _EVEN_POWER.search(match["rest"]):
        return
    if match["number"] and float(match["number"]) == 0:
        return
    yield match["before"] + ("" if match["sign"] == "-" else "-") + match["rest"]


_POWER = re.compile(r"(?P<base>[0-9]*\S?)\s*\^\s*(?:\{(?P<group>[^{}]*)\}|(?P<one>[0-9A-Za-z]))")
_ROOT = re.compile(r"\\sqrt\s*(?:\[(?P<index>[^\]]*)\])?\s*\{(?P<content>[^{}]*)\}")


def _other_powers(text: str) -> Iterator[str]:
    """The last exponent dropped; the last root dropped, and of another index."""
    powers = list(_POWER.finditer(text))
    if powers and powers[-1]["base"] not in ("0", "1") and powers[-1]["group"] != "1":
        yield text[: powers[-1].end("base")] + text[powers[-1].end() :]
    roots = list(_ROOT.finditer(text))
    if roots and roots[-1]["content"].strip() not in ("0", "1"):
        start, end, content = roots[-1].start(), roots[-1].end(), roots[-1]["content"]
        yield f"{text[:start]}({content}){text[end:]}"
        root = r"\sqrt" if roots[-1]["index"] else r"\sqrt[3]"
        yield f"{text[:start]}{root}{{{content}}}{text[end:]}"


_LEADING = re.compile(
    r"(?:.*=)?\s*(?P<number>[-+]?\s*(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)?(?:\.[0-9]+)?)"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_NEUTRAL = re.compile(
    r"[\s.]*|\s*\\?%|\s*(?:/|:|\^|_)\s*\{?\s*1\s*\}?|\s*_\s*\{?\s*10\s*\}?|\s*base\s*10"
    r"|\s*\\(?:times|cdot)\s*10\s*\^\s*\{?\s*0\s*\}?"
)


def _leading_number(text: str) -> Iterator[str]:
    match = _LEADING.fullmatch(text)
    if match is None or not _DIGIT.search(match["number"]) or _NEUTRAL.fullmatch(match["rest"]):
        return
    if not (match["number"] in ("0", "1") and match["rest"].lstrip().startswith("^")):
        yield match["number"]
