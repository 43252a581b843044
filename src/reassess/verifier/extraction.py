"""Finding the answer in a completion, and checking the completion's format.

Nothing here raises an error on model output, picks an option at random, or evaluates text as code.
"""

from __future__ import annotations

import re

LONGEST = 100_000  # characters of a completion that are read, from its end, where the answer is
LONGEST_ANSWER = 500  # characters; a longer extracted text counts as no answer

_ANSWER = re.compile(r"Answer: ?(\w+)")
_TAG = re.compile(r"<answer>([^<]*)</answer>", re.IGNORECASE)
_REASON_WORDS = 6  # words of reasoning that a well-formed completion has at least
_END = re.compile(r"\. Answer: \w+\Z")


def extract(completion: str) -> str | None:
    r"""The last answer given: of a `\boxed{…}`, an `<answer>` tag or an `Answer: …`; None if none.

    Text inside `<think>` is no answer: a thought is left out, and one that never ends leaves
    nothing.
    """
    tail = completion[-LONGEST:]
    _, thought, after = tail.rpartition("</think>")
    tail = after if thought else tail
    if "<think>" in tail:
        return None
    candidates = [
        (match.end(), match.group(1))
        for match in (_last(_ANSWER, tail), _last(_TAG, tail))
        if match
    ]
    boxed = _last_boxed(tail)
    if boxed is not None:
        candidates.append(boxed)
    if not candidates:
        return None
    text = max(candidates)[1].strip()
    return text if 0 < len(text) <= LONGEST_ANSWER else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    matches = list(pattern.finditer(text))
    return matches[-1] if matches else None


def _last_boxed(text: str) -> tuple[int, str] | None:
    r"""End and content of the last `\boxed{…}`, if its braces close.

    Nesting is counted and not recursed into, so that thousands of braces cost one pass.
    """
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
    r"""Whether the whole completion is reasoning followed by one answer, in either of two layouts.

    With tags: `<think>`, some text, `</think>`, and after it exactly one `\boxed{…}`. Without tags:
    at least six words of reasoning, a full stop, and one answer with nothing after it. The latter
    is the language of `\s*(?:\S+ ){5,}\S+\. Answer: \w+`, read in one pass, without backtracking.
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
