r"""Finding the answer in a completion, and checking the completion's format.

The order, of which the first that gives anything counts:

1. the last closed `\boxed{…}` that is not empty (also `\boxed 5`, `\boxed {5}`, `\fbox{…}`);
2. the last `<answer>…</answer>` that is not empty;
3. what follows the last "Answer:" or "answer is", up to the end of its line, or the next line where
   that is empty; never a part of a word or number.

A thought is left out. Several answers with nothing but "or", "and" or a comma between them are one
answer of several values. Nothing here raises an error on model output, picks at random, or
evaluates text as code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reassess.verifier.assertion import is_announced, is_asserted, is_retracted, offers_another
from reassess.verifier.attached import with_attached
from reassess.verifier.hedging import (
    connection_of,
    correction,
    with_alternatives,
    without_reason,
)

LONGEST = 100_000  # characters of a completion that are read, from its end, where the answer is
MOST_BOXES = 100  # of a completion that are read, from its end
LONGEST_ANSWER = 500  # characters; a longer extracted text counts as no answer

_BOX = re.compile(
    r"\\(?:boxed|fbox)(?![A-Za-z])\s*"
    r"(?:\{|(?P<token>\\[A-Za-z]+(?:\{[^{}\s]*\})*|[^\s{}$\\][^\s{}$]*))"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_TAG_OPENS = re.compile("<answer>", re.IGNORECASE)
_TAG_CLOSES = re.compile("</answer>", re.IGNORECASE)
_ANSWER = re.compile(
    r"(?:(?<![A-Za-z])|(?-i:(?=Answer:)))(?:(?:(?:final|correct|right|best)\s+(?:answers?|options?|choices?)|answers?)"
    r"(?:\s+(?:to|for|of)\s[^.\n:=]{1,80}?)?[\"'*_`]*\s*(?:(?:is|are)\b\s*:?|[:：=])[*_]*|#{4}(?!#))",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:^|\n)[ \t]*(?:#{1,6}[ \t]*|\*\*[ \t]*)(?:final[ \t]+)?answer[ \t]*(?:\*\*)?[ \t]*(?=\n)",
    re.IGNORECASE,
)
_TURN = re.compile(r"\s*(?:<\|im_start\|>\s*assistant|<\|begin_of_text\|>|<s>)")
_TURN_END = re.compile(r"<\|(?:im_end|im_start|endoftext|eot_id|end_of_text)\|>|</s>")
_SKIPPED = re.compile(r"(?:[\s*_:]|\\\[|\$\$)*")
_FENCE = re.compile(r"```[a-z]*[ \t]*\n(?P<inside>[^`]{1,500})```")
_BOLD = re.compile(r"\*\*(?=[\s,.;:)]|\Z)|(?<![\w)}\]])\*\*")  # not the sign of a power
# Minerva's phrase, and what follows it, unless that takes the answer back.
_HOPE = re.compile(
    r"\.?\s*I hope (?:it|this) is correct\b"
    r"(?!.*\b(?:or|but|however|wait|actually|instead|maybe)\b).*",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCE_END = re.compile(r"(?<=[^\s.])[.!]\s+(?=[A-Z][a-z]+,?\s)")
_STATES_MORE = re.compile(
    r"[0-9$\\=<>]|(?<![\w'])[B-HJ-Z](?![\w'])|(?<![\w'])A(?!\s+[a-z])(?![\w'])"
    r"|\b(?:or|maybe|perhaps|possibly|but|however|although|wait|actually|no|not|alternatively|could"
    r"|might|may|instead|either|unless|also|hmm|oops|sorry|correction|answer|option|choice)\b",
    re.IGNORECASE,
)
_FILLER = re.compile(r"(?:so|thus|hence|therefore|the|my|our|[,\s*])*", re.IGNORECASE)
_ALONE = re.compile(r"[\s*_$`]*\S+[\s.,;*_$`]*")
_REASON_WORDS = 6  # words of reasoning that a well-formed completion has at least
_END = re.compile(r"\. Answer: \w+\Z")


@dataclass(frozen=True)
class Extraction:
    """The answer of a completion.

    Attributes:
        text: the answer as written; None where there is none.
        later: values that the completion states as its answer after that one.
    """

    text: str | None
    later: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Statement:
    start: int
    end: int
    text: str


def extract(completion: str) -> str | None:
    """The answer as written; None where there is none."""
    return find(completion).text


def find(completion: str) -> Extraction:
    """The answer, and what the completion states as its answer after it.

    Text inside `<think>` is no answer: a thought is left out, and one that never ends leaves
    nothing.
    """
    tail = completion[-LONGEST:]
    _, thought, after = tail.rpartition("</think>")
    tail = after if thought else tail
    if "<think>" in tail:
        return Extraction(None)
    tail = _without_next_turn(tail)
    boxes = _boxes(tail)
    if asserted := _asserted(tail, boxes):
        return _joined(tail, asserted)
    behind = boxes[-1].end if boxes else 0  # what is stated before a box taken back goes with it
    for statements in (_tags(tail), _lines(tail)):
        standing = [statement for statement in statements if statement.start >= behind]
        if standing and not is_retracted(tail, standing[-1].end, len(tail)):
            return _joined(tail, standing)
    return Extraction(None)


def _asserted(text: str, boxes: Sequence[_Statement]) -> list[_Statement]:
    """The boxes that the completion stands by; one taken back takes its equals before it."""
    boxes = boxes[-MOST_BOXES:]
    stand: list[bool] = []
    following = len(text)
    for box in reversed(boxes):
        if stand and connection_of(text[box.end : following]):
            stand.insert(0, stand[0] and is_announced(text, box.start))
        else:
            stand.insert(0, is_asserted(text, box.start, box.end, following))
        following = box.start
    standing: list[_Statement] = []
    for box, stands in zip(boxes, stand, strict=True):
        if stands:
            standing.append(box)
        else:
            standing = [before for before in standing if before.text != box.text]
    return standing


def _without_next_turn(text: str) -> str:
    """The text up to a chat template's sign for the end of the turn."""
    start = len(text) - len(_TURN.sub("", text, count=1)) if _TURN.match(text) else 0
    end = _TURN_END.search(text, start)
    if end is not None and end[0] == "</s>" and "<s>" in text[start : end.start()]:
        end = None  # struck out
    return text[start : end.start()] if end else text[start:]


def _joined(text: str, statements: Sequence[_Statement]) -> Extraction:
    """The last statement, with those before it that only "or", "and" or a comma sets apart."""
    group = [statements[-1]]
    connections = set()
    for before in reversed(statements[:-1]):
        connection = connection_of(text[before.end : group[0].start])
        if connection is None and offers_another(text, before.end, group[0].start, group[-1].end):
            connection = "or"
        if connection is None:
            break
        connections.add(connection)
        group.insert(0, before)
    texts = [statement.text for statement in group]
    if len(texts) > 1:
        texts = list(dict.fromkeys(text.rstrip(" .,;") or text for text in texts))
    start, end = group[0].start, group[-1].end
    answer = (" or " if "or" in connections else ", ").join(texts)
    answer = with_alternatives(answer, text, start, end)
    later = tuple(
        statement.text
        for find_all in (_tags, _lines)
        for statement in find_all(text[end:])
        if len(statement.text) <= LONGEST_ANSWER
    )
    corrected = correction(text[end : end + LONGEST_ANSWER])
    later += (corrected,) if corrected else ()
    return Extraction(answer if 0 < len(answer) <= LONGEST_ANSWER else None, later)


def _boxes(text: str) -> list[_Statement]:
    r"""All boxes whose braces close and that are not empty.

    The braces are paired in one pass, without recursion, so that thousands of them cost little. An
    escaped brace is none.
    """
    openings = list(_BOX.finditer(text))
    if not openings:
        return []
    closings = _pairs(text)
    boxes = []
    for opening in openings:
        if opening["token"]:
            content = opening["token"].rstrip(".,;:")
            start, end = opening.start(), opening.start("token") + len(content)
        else:
            closing = closings.get(opening.end() - 1)
            if closing is None:
                continue
            content, start, end = text[opening.end() : closing], opening.start(), closing + 1
        content = content.strip()
        if content and _BOX.search(content) is None:
            boxes.append(_Statement(start, end, with_attached(content, text, start, end)))
    return boxes


def _pairs(text: str) -> dict[int, int]:
    """The place of the closing brace for that of each opening one that is closed."""
    opened: list[int] = []
    pairs = {}
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            pairs[opened.pop()] = match.start()
    return pairs


def _tags(text: str) -> list[_Statement]:
    """What stands in each closed tag: from the last opening before its closing."""
    openings = [match.end() for match in _TAG_OPENS.finditer(text)]
    statements = []
    place = 0
    for closing in _TAG_CLOSES.finditer(text):
        start = None
        while place < len(openings) and openings[place] <= closing.start():
            start = openings[place]
            place += 1
        if start is None:
            continue
        content = text[start : closing.start()].strip()
        if lines := _lines(content):
            content = lines[-1].text
        if content:
            statements.append(_Statement(start - len("<answer>"), closing.end(), content))
    return statements


def _lines(text: str) -> list[_Statement]:
    """What follows each announcement of an answer."""
    matches = sorted([*_ANSWER.finditer(text), *_HEADING.finditer(text)], key=lambda one: one.end())
    statements = []
    for place, match in enumerate(matches):
        after = matches[place + 1].start() if place + 1 < len(matches) else len(text)
        start = match.end()
        start = _SKIPPED.match(text, start).end()  # type: ignore[union-attr] # may be empty
        fence = _FENCE.match(text, start)
        line_end = text.find("\n", start)
        end = min(after, len(text) if line_end < 0 else line_end)
        content = _BOLD.sub("", text[start:end]).strip()
        if fence is not None:
            content, end = fence["inside"].strip(), fence.end()
        short = len(content) <= LONGEST_ANSWER
        content = without_reason(_HOPE.sub("", content)).strip() if short else content
        content = _first_sentence(_without_json_end(content))
        last = place + 1 == len(matches)
        if _FILLER.fullmatch(content) or not is_announced(text, start):
            continue
        if content and (last or (short and _ALONE.fullmatch(content))):
            statements.append(_Statement(match.start(), end, content))
        elif content:
            statements.clear()
    return statements


def _first_sentence(content: str) -> str:
    """The first of several sentences, if those behind it state nothing else and take nothing back.

    A reader who is not sure takes the whole line, which then is no value.
    """
    end = _SENTENCE_END.search(content)
    if end is None or _STATES_MORE.search(content, end.end()):
        return content
    return content[: end.start()]


def _without_json_end(content: str) -> str:
    """Without the brace that ends an object of JSON, such as `{"answer": 5}`."""
    if content.endswith("}") and content.count("}") > content.count("{"):
        return content[:-1].rstrip()
    return content


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
        and after.index("\\boxed{") + len("\\boxed") in _pairs(after)
    )
