"""Extracting an answer from a completion and verifying it: one definition for the reward and for the score.

Nothing here raises on model output, looks for a random option, or evaluates text as code. A completion without a readable
answer is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reassess.verifier.comparison import verify

LONGEST = 100_000  # characters of a completion that are read, from its end: the answer stands there
LONGEST_ANSWER = 500  # an extracted answer longer than this is no answer

_ANSWER = re.compile(r"Answer: ?(\w+)")
_TAG = re.compile(r"<answer>([^<]*)</answer>", re.IGNORECASE)
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
    r"""Return the last answer given, as text: of a `\boxed{…}`, an `<answer>` tag, or an `Answer: …`; None if there is none.

    What stands inside `<think>` is no answer: a thought is left out, and one that never ends leaves nothing.
    """
    tail = completion[-LONGEST:]
    _, thought, after = tail.rpartition("</think>")
    tail = after if thought else tail
    if "<think>" in tail:
        return None
    found = [
        (match.end(), match.group(1))
        for match in (_last(_ANSWER, tail), _last(_TAG, tail))
        if match
    ]
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


def is_well_formed(completion: str) -> bool:
    r"""Return whether the whole completion is reasoning and one answer after it, in either of two layouts.

    With tags: `<think>`, something, `</think>`, and after it exactly one `\boxed{…}`. Without: at least six words of reasoning, a
    full stop, and one answer, nothing after: the language of `\s*(?:\S+ ){5,}\S+\. Answer: \w+`, read in one pass instead of by
    backtracking.
    """
    if "<think>" in completion or "</think>" in completion:
        return len(completion) <= LONGEST and _is_thought_and_box(completion)
    text = completion.lstrip()
    end = _END.search(text[-LONGEST_ANSWER:])
    if end is None:
        return False
    reasoning = text[: len(text) - len(end.group())]
    words = reasoning.split(" ")
    return len(words) >= _REASON_WORDS and all(
        word and not any(letter.isspace() for letter in word) for word in words
    )


def _is_thought_and_box(completion: str) -> bool:
    before, opened, rest = completion.partition("<think>")
    thought, closed, after = rest.partition("</think>")
    tags_once = "<think>" not in rest and "</think>" not in after
    return (
        bool(opened and closed and tags_once and not before.strip() and thought.strip())
        and after.count("\\boxed{") == 1
        and (_last_boxed(after) is not None)
    )
