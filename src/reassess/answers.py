"""Extracting an answer from a completion and verifying it: one definition for the reward and for the score.

Nothing here raises on model output, looks for a random option, or evaluates text as code. A completion without a readable
answer is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["integer", "word", "option", "math"]
KINDS: tuple[Kind, ...] = ("integer", "word", "option", "math")

LONGEST = 100_000  # characters of a completion that are read, from its end: the answer stands there
LONGEST_ANSWER = 500  # an extracted answer longer than this is no answer
MATH_SECONDS = 3  # limit of a symbolic comparison

_ANSWER = re.compile(r"Answer: ?(\w+)")
_TAG = re.compile(r"<answer>([^<]*)</answer>", re.IGNORECASE)
_OPTION = re.compile(r"^[(\[]?([A-Za-z])[)\].:]?$")
_REASON_WORDS = 6  # words of reasoning that a well-formed completion has at least
_END = re.compile(r"\. Answer: \w+\Z")


@dataclass(frozen=True)
class Verdict:
    """What the verifier says of a completion."""

    extracted: str | None
    correct: bool
    format_ok: bool


def judge(completion: str, answer: str, kind: str = "math") -> Verdict:
    """Extract, verify, and check the format: the one function behind every reward and every score."""
    extracted = extract(completion)
    return Verdict(extracted, verify(extracted, answer, kind), is_well_formed(completion))


def extract(completion: str) -> str | None:
    r"""Return the last answer given, as text: of a `\boxed{…}`, an `<answer>` tag, or an `Answer: …`; None if there is none."""
    tail = completion[-LONGEST:]
    found = [(match.end(), match.group(1)) for match in (_last(_ANSWER, tail), _last(_TAG, tail)) if match]
    boxed = _last_boxed(tail)
    if boxed is not None:
        found.append(boxed)
    if not found:
        return None
    text = max(found)[1].strip()
    return text if 0 < len(text) <= LONGEST_ANSWER else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for last in pattern.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return last


def _last_boxed(text: str) -> tuple[int, str] | None:
    r"""Return the end and the content of the last `\boxed{…}` whose braces close; nesting is counted, not recursed into."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    opened = start + len("\\boxed{")
    depth = 1
    for place in range(opened, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place, text[opened:place]
    return None


def verify(extracted: str | None, answer: str, kind: str) -> bool:
    """Return whether an extracted answer is right.

    Args:
        extracted: what `extract` found; None is wrong.
        answer: the right answer.
        kind: `integer` (equal numbers), `word` (equal but for case), `option` (equal letters), `math` (equal by math-verify).
    """
    if extracted is None:
        return False
    if kind == "integer":
        return _integer(extracted) is not None and _integer(extracted) == _integer(answer)
    if kind == "option":
        return _option(extracted) is not None and _option(extracted) == _option(answer)
    if kind == "word" or extracted.strip().casefold() == answer.strip().casefold():
        return extracted.strip().casefold() == answer.strip().casefold()
    return _equal_in_mathematics(extracted, answer)


def _integer(text: str) -> str | None:
    """Return the digits of a whole number without leading zeros: compared as text, ten thousand digits cost nothing."""
    match = re.fullmatch(r"([+-]?)0*([0-9]+)", text.strip().rstrip("."))
    if match is None:
        return None
    sign = "-" if match.group(1) == "-" and match.group(2) != "0" else ""
    return sign + match.group(2)


def _option(text: str) -> str | None:
    match = _OPTION.match(text.strip())
    return match.group(1).upper() if match else None


def _equal_in_mathematics(extracted: str, answer: str) -> bool:
    """Compare by math-verify, in a process of its own that is ended after a time limit."""
    from reassess.math_check import equal_in_mathematics

    return equal_in_mathematics(extracted, answer, MATH_SECONDS)


def is_well_formed(completion: str) -> bool:
    r"""Return whether the whole completion is at least six words of reasoning, a full stop, and one answer, nothing after.

    The same language as `\s*(?:\S+ ){5,}\S+\. Answer: \w+`, read in one pass instead of by backtracking.
    """
    text = completion.lstrip()
    end = _END.search(text[-LONGEST_ANSWER:])
    if end is None:
        return False
    reasoning = text[: len(text) - len(end.group())]
    words = reasoning.split(" ")
    return len(words) >= _REASON_WORDS and all(word and not any(letter.isspace() for letter in word) for word in words)
