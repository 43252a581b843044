"""The words around a stated answer that take it back or set another value beside it."""

from __future__ import annotations

import re

LONGEST_GAP = 60  # characters around an answer that are read for this

_DECORATION = r"[\s,;.$&*|/\-\\()\[\]=:_~]"
_OR = (
    r"(?:or|alternatively|otherwise)\b,?(?:\s+(?:maybe|else|possibly|perhaps|alternatively|also|even"
    r"|rather|equivalently|if you prefer)\b,?)?(?:\s+the answer (?:is|could be))?"
)
_FOREIGN_OR = "oder|或"
_ANY_OR = rf"(?:and/or|or|{_FOREIGN_OR})"
_WORD = rf"and/or|{_OR}|{_FOREIGN_OR}|and|und|和"
_BREAK = re.compile(r"<br\s*/?>|\n\s*[0-9]{1,2}[.)]\s")
_JOINED = re.compile(
    rf"{_DECORATION}*(?:\\text\{{)?{_DECORATION}*"
    rf"(?P<word>{_WORD})?\s*\}}?{_DECORATION}*",
    re.IGNORECASE,
)
_SPACING = re.compile(r"\\(?:q?quad(?![A-Za-z])|[,;:! ])")
_LOGICAL_OR = re.compile(r"\s*\\(?:lor|vee)\s*")
_FALSE = "wrong|incorrect|false|mistaken|bad|tempting"
_DENIAL = re.compile(rf"\b(?:not|never|no|{_FALSE})\b|n['’]t\b", re.IGNORECASE)
_OR_AFTER = re.compile(
    rf"[\s$,;)*\]\\]*\(?\s*{_ANY_OR}(?![A-Za-z])\s*"
    r"(?:(?:else|maybe|perhaps|possibly|even|also|equivalently|rather|just)\b,?\s*)*"
    r"(?P<other>[^\n]{1,60}?)(?=[.!?)](?:\s|\Z)|\n|\Z)",
    re.IGNORECASE,
)
_OR_BEFORE = re.compile(
    r"(?P<operator>\b(?:minus|plus|times|over|by|of|and)\s+)?"
    rf"(?P<other>[^\s]{{1,30}})\s+{_ANY_OR}[\s$\\(\[*]*\Z",
    re.IGNORECASE,
)
_LINE_AFTER = re.compile(r"\n[ \t]*(?P<other>\(?[A-J]\)?|[-+]?[0-9][0-9.,/]*)[ \t.]*(?=\n|\Z)")
_VALUE = re.compile(r"[0-9$\\]|(?<!\w)[A-J](?!\w)")


_BECAUSE = re.compile(r",?\s+(?:because|since)\s.*", re.IGNORECASE | re.DOTALL)
_CORRECTION = re.compile(
    r"\b(?:actually,? no|no,? wait|wait,? no|correction|scratch that|on second thought|oops"
    r"|i made an? (?:mistake|error))\b(?P<rest>[^\n]{1,200})",
    re.IGNORECASE,
)
_RESTATED = re.compile(
    r"(?:(?:\A|[.,;:!—–(-]|\b(?:and|but|so|because|no|fact|truth))\s*(?:it|that|which)|\b(?:(?:the|its)\s+(?:true|real|actual|correct|right|proper)\s+(?!side|hand|angle|triangle|end|edge|column|arm|leg)[a-z]+|truth"
    r"|(?:conclusion|corrected\s+[a-z]+|final\s+[a-z]+|new\s+submission)\s*:[^.\n]{0,60}?\bnumber\s[^.\n]{0,40}"
    r"|the\s+value[^.,;\n]{0,20}\s(?:that\s+)?we\s+(?:want|need)|the\s+(?:answer|solution|result)))\s+(?:is|was|should\s+be|must\s+be)\s+"
    r"(?:(?:in\s+fact|actually|really|instead|therefore|an?)\s+)?[$(]*"
    r"(?P<value>-?[0-9]+|(?-i:[A-J]))[$)]*(?=\s*(?:[.,;!](?![0-9])|\Z|\n|ways\b|instead\b))",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"\s+(?:as an?|in) (?:\w+ )?(?:decimal|fraction|percent(?:age)?|mixed number|form|terms)\b.*"
)
_STATED = re.compile(r"[-+]?[0-9][0-9.,/]*[0-9]|[0-9]|(?<!\w)[A-J](?!\w)")


def connection_of(gap: str) -> str | None:
    """What joins two answers with this text between them: `or` or `,`; None if nothing does."""
    if len(gap) > LONGEST_GAP:
        return None
    if _LOGICAL_OR.fullmatch(gap):
        return "or"
    match = _JOINED.fullmatch(_SPACING.sub(" ", _BREAK.sub(" ", gap)))
    if match is None:
        return None
    return "," if (match["word"] or "and").lower() in ("and", "und", "和") else "or"


def denies(text: str) -> bool:
    """Whether words before a value say that it is not the answer."""
    return _DENIAL.search(text) is not None


def without_reason(answer: str) -> str:
    """An answer without a "because …" behind it."""
    return _BECAUSE.sub("", answer)


def correction(text: str) -> str | None:
    """The last value behind words such as "Actually, no" or "it is"; None where there are none."""
    match = _CORRECTION.search(text)
    values = _STATED.findall(match["rest"]) if match else []
    values = values or [restated["value"] for restated in _RESTATED.finditer(text)]
    return str(values[-1]) if values else None


def with_alternatives(answer: str, text: str, start: int, end: int) -> str:
    """An answer with what stands beside it: joined by "or", or alone on the next line.

    Args:
        answer: the answer as written.
        text: the completion.
        start: where in it the answer begins.
        end: where it ends.
    """
    before = _OR_BEFORE.search(text[max(start - LONGEST_GAP, 0) : start])
    if before is not None and not before["operator"] and _VALUE.search(before["other"]):
        answer = f"{before['other']} or {answer}"
    if (after := _OR_AFTER.match(text, end)) is not None and _VALUE.search(after["other"]):
        return f"{answer} or {_FORM.sub('', after['other'])}"
    line = _LINE_AFTER.match(text, end)
    return f"{answer}, {line['other']}" if line else answer
