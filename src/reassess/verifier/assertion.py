r"""Whether a completion stands by an answer that it states.

Three parts of the text decide: what stands before the answer in its sentence, what stands behind it
there, and the sentences that follow. The words are in `phrases`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reassess.verifier.phrases import pattern

LONGEST_SENTENCE = 240  # characters before and behind an answer that are read
LONGEST_SEQUEL = 700  # characters of the sentences that follow

_CLOSERS = re.compile(
    r"(?:\s|\$|\\[)\],;: ]|[)*_`\"'\]}”’]|\\end\{[a-z]+\*?\}|\\q?quad(?![A-Za-z])|\\\\"
    r"|\\(?:square|blacksquare|qed|checkmark)(?![A-Za-z]))*"
)
_TEXT_COMMAND = re.compile(r"\\(?:text\w*|mathrm|mathbf|mbox|emph|bf|rm)\s*\{([^{}]*)\}")
_MARKUP = re.compile(r"</?[a-z]+>|\\[,;:()\[\] ]|\\!|\\q?quad(?![A-Za-z])|[$*_`\"~“”]")
_PRODUCT = re.compile(r"(?<=[\w)}] )\*(?= )|(?<=[0-9])\*(?=[0-9\\]|\Z)")
_SPACE = re.compile(r"\s+")
_BEGINS = re.compile(
    r"[.!?](?=[\s*)\"'$\]}]|\\[)\]])[.!?*)\"'$\]}]*|[。！？]"
    r"|(?<=[^A-Za-z0-9\s:,])[ \t]*\n\s*\n|\n\s*(?:[-*•]|[0-9]{1,2}[.)])\s"
)
_ENDS = re.compile(
    r"[.!?。！？]+(?=[\s*)\"'$\]}]|\\[)\]]|\Z|[。！？])|\n\s*\n|\n(?=\s*[^a-z\s])|。"
)
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCES = re.compile(r"(?<=[.!?])[*)\"'$\]}]*\s+|[。！？]|\n+")
_FACTORIAL = re.compile(r"\s*!\s*(?:=|\$|\\[)\]]|[-+*/^])|\s*\$!\s+[a-z=]")
# A line that ends in a colon, and items of the list below it.
_LABELLED = re.compile(
    r"(?:\A|\n)(?P<label>[^\n]{3,120}:)[*_ ]*\n+(?:[ \t]*(?:[-*•]|[0-9]{1,2}[.)])[^\n]*\n?)+\Z"
)
# A heading, and the line below it.
_HEADED = re.compile(r"(?:\A|\n)(?:#{1,6} |\*\*)(?P<label>[^\n]{3,80})\n(?!\n)[^\n]*\Z")
_CANCELLED = re.compile(
    r"\\(?:cancel|xcancel|bcancel|sout|st)\s*\{[^{}]*\Z|<(?:del|s|strike)>[^<]*\Z"
)
_SCALE_LETTER = re.compile(r"\$?[kKBM](?![A-Za-z])")
# What a sentence says before one of these is over; at its end it governs the answer ("all but").
_TURN = re.compile(
    r"(?:\b(?:but|however(?=,)|actually|in fact|in reality|in truth)\b"
    r"|:|,\s*(?:so|therefore|thus|hence)\b),?\s+(?=\S)"
)
_ASKED = re.compile(
    r"(?!.*\b(?:correct|right|answer|true|sure|possible|final|it be|makes? sense)\b).*\?\Z"
)
_NOT_BUT = re.compile(r"\bnot\b[^.;]*\S but\Z")  # "is not 6 but 8"
_CLAUSE = re.compile(
    r"\s*(?:[,;:—–(\[|，；]|(?:\A|\s)--?\s|\bbut\b|\byet\b|\bthough\b|\balthough\b|\bexcept\b|\bhowever\b)+\s*"
)
# An operation is what is behind an answer only where the other stands before it: "the answer is 5
# short of" takes from it, "she is 5 short of" states it.
_TOGETHER = (
    ("before-shift", "behind-shift"),
    ("before-sum", "behind-sum"),
    ("before-would", "behind-would"),
    ("before-either", "behind-either"),
    ("before-order", "behind-order"),
    ("before-had", "behind-had"),
    ("before-place", "behind-place"),
    ("before-ratio", "behind-ratio"),
    ("before-ordinal", "behind-ordinal"),
)


def is_asserted(text: str, start: int, end: int, following: int) -> bool:
    """Whether a completion stands by the answer between two places of it.

    Args:
        text: the completion.
        start: where the answer begins.
        end: where it ends.
        following: where the next answer begins, or the completion ends.
    """
    if not is_announced(text, start):
        return False
    if _FACTORIAL.match(text, end) or _SCALE_LETTER.match(text, end):
        return False
    sentence, is_question, place = _behind(text, end, following)
    if is_question or not _is_left_standing(_before(text, start), sentence):
        return False
    return not is_retracted(text, place, following)


def is_announced(text: str, start: int) -> bool:
    """Whether the words before an answer in its sentence leave it as it is."""
    if _is_struck_out(text[max(start - LONGEST_SENTENCE, 0) : start]):
        return False
    above = text[max(start - LONGEST_SEQUEL, 0) : start]
    if pattern("foretold").search(plain(above)):
        return False
    for label in (_LABELLED.search(above), _HEADED.search(above)):
        if label is not None and pattern("label-denied").search(plain(label["label"])):
            return False
    before = _before(text, start)
    if pattern("before-denied").search(before) or pattern("before-hedge").search(before):
        return False
    is_operand = pattern("before-operation").search(before) is not None
    return not is_operand or pattern("before-bound").search(before) is not None


def is_retracted(text: str, start: int, end: int) -> bool:
    """Whether the sentences between two places take back what is stated before them.

    A doubt that ends in a confirmation ("Wait, … Yes, that is correct.") takes nothing back.
    """
    retracted, previous = False, ""
    for sentence in _sentences(text[start:end][:LONGEST_SEQUEL]):
        if pattern("confirmed").match(sentence):
            retracted = False
        elif pattern("supposed").search(previous) and pattern("absurd").match(sentence):
            pass  # the supposition is refuted, not the answer
        elif _ASKED.search(previous) and pattern("no").match(sentence):
            pass  # the answer to a question about something else
        elif _retracts(sentence) or (end == len(text) and pattern("another").search(sentence)):
            retracted = True
        previous = sentence
    return retracted


def offers_another(text: str, start: int, place: int, end: int) -> bool:
    """Whether an answer is set beside an earlier one as another possibility.

    Args:
        text: the completion.
        start: where the earlier answer ends.
        place: where the later one begins.
        end: where it ends.
    """
    before = _before(text, place) if place - start > LONGEST_SENTENCE else plain(text[start:place])
    sentence, _, _ = _behind(text, end, len(text))
    return any(pattern("beside").search(words) for words in (before, sentence))


def _retracts(sentence: str) -> bool:
    return bool(
        pattern("no").match(sentence)
        or pattern("my-error").search(sentence)
        or pattern("order").search(sentence)
        or pattern("untrue").match(sentence)
        or pattern("elsewhere").search(sentence)
    )


def _is_left_standing(before: str, sentence: str) -> bool:
    """Whether the words behind an answer, up to the end of its sentence, leave it as it is.

    Args:
        before: the sentence before the answer.
        sentence: its rest.
    """
    close = sentence.lstrip(", ")
    if pattern("behind-operation").match(close) or pattern("behind-hedge").match(sentence):
        return False
    for governing, governed in _TOGETHER:
        if pattern(governing).search(before) and pattern(governed).match(sentence):
            return False
    first, *others = _CLAUSE.split(sentence)
    predicates = [first] if first else _behind_apposition(others)
    if pattern("before-statement").search(before):
        predicates = []  # "statement B is false" says nothing against the answer B
    if any(pattern("behind-predicate").match(one) and not _affirms(one) for one in predicates):
        return False
    if any(pattern("hedge").match(sentence, end.end()) for end in _CLAUSE.finditer(sentence)):
        return False
    return not any(
        _retracts(clause)
        or (pattern("another").search(clause) and not clause.startswith("the other"))
        for clause in others
    )


def _behind_apposition(clauses: list[str]) -> list[str]:
    """The predicate of an answer that an apposition follows: "5, which comes first, is wrong"."""
    if len(clauses) > 1 and pattern("apposition").match(clauses[0]):
        return clauses[1:2]
    return [one for one in clauses[:1] if not one.startswith("not ")]


def _affirms(predicate: str) -> bool:
    """Whether a predicate of which an answer is the subject says that it is right."""
    if pattern("behind-only").match(predicate):
        return True
    return bool(pattern("behind-affirmed").match(predicate)) and not pattern("bad").search(
        predicate
    )


def _is_struck_out(before: str) -> bool:
    return before.count("~~") % 2 == 1 or _CANCELLED.search(before) is not None


def _before(text: str, start: int) -> str:
    window = text[max(start - LONGEST_SENTENCE, 0) : start]
    begins = 0
    for match in _BEGINS.finditer(window):
        begins = match.end()
    words = plain(window[begins:])
    if _NOT_BUT.search(words):
        return ""
    turns = list(_TURN.finditer(words))
    return words[turns[-1].end() :] if turns else words


def _behind(text: str, end: int, following: int) -> tuple[str, bool, int]:
    """The rest of an answer's sentence, whether it is a question, and where it ends."""
    start = min(_CLOSERS.match(text, end).end(), following)  # type: ignore[union-attr] # may be empty
    gap = text[end:start]
    if _PARAGRAPH.search(gap) or ("\n" in gap and not text[start : start + 1].islower()):
        return "", False, end
    last = min(start + LONGEST_SENTENCE, following)
    match = _ENDS.search(text, start, last)
    if match is None:
        return plain(text[start:last]), False, last
    question = "?" in match[0] or "？" in match[0]
    return plain(text[start : match.start()]), question, match.end()


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCES.split(text):
        if words := plain(sentence or "").lstrip(" ()[].,;:!?>#-—–"):
            yield words


def plain(text: str) -> str:
    """Lower-case words without markup."""
    text = _PRODUCT.sub("×", text.replace("’", "'"))
    text = _MARKUP.sub(" ", _TEXT_COMMAND.sub(r" \1 ", text))
    return _SPACE.sub(" ", text).strip().lower()
