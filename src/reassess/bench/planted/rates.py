"""How many planted copies are found, and how many unrelated rows are called copies.

Of every kind a number of items are a benchmark's. Rows are planted that are copies of these, and
others that are not: by today's screen (`reassess.worlds.hub.screen`) and by the earlier one
(`reassess.bench.planted.earlier_rule`) it is counted which of them are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reassess.bench.planted import earlier_rule
from reassess.bench.planted.changes import CHANGES
from reassess.bench.planted.pictures import KINDS, MOST, encode
from reassess.bench.planted.questions import ASKED, REWORDED
from reassess.worlds.hub.copies import Pictures
from reassess.worlds.hub.items import HubItem
from reassess.worlds.hub.pictures import Marks, marks_of
from reassess.worlds.hub.screen import Screen

PICTURES = 300  # of each kind, that are a benchmark's; and as many that are not
COPIES = 40  # of each kind and change
QUESTIONS = 400
FIRST = 1000  # the rule's bounds were chosen with pictures of smaller numbers
NGRAM, DISTANCE = 13, 10  # of the earlier rule, as shipped


@dataclass(frozen=True)
class Rate:
    """Rows of one kind, and which of them are left out.

    Attributes:
        kind: of pictures or questions.
        change: what was done to a copy; empty for rows that are no copies.
        rows: how many.
        before: left out by the earlier rule.
        now: left out by today's.
    """

    kind: str
    change: str
    rows: int
    before: int
    now: int


@dataclass(frozen=True)
class Rates:
    """What was planted and found.

    Attributes:
        pictures: copies of pictures.
        unrelated: pictures that are no copies.
        questions: copies of questions, and questions that only look like copies.
        unasked: questions that are no copies.
        tested: pictures that are benchmarks', of all kinds.
    """

    pictures: tuple[Rate, ...]
    unrelated: tuple[Rate, ...]
    questions: tuple[Rate, ...]
    unasked: tuple[Rate, ...]
    tested: int


def planted(pictures: int = PICTURES, copies: int = COPIES, questions: int = QUESTIONS) -> Rates:
    """Plant copies and other rows, and count what is found.

    Args:
        pictures: of each kind, that are benchmarks'; and as many that are not, of those kinds that
            are endless.
        copies: of each kind and change.
        questions: of each kind, that are benchmarks'; and as many that are not.
    """
    numbers = {kind: _numbers(kind, pictures) for kind in KINDS}
    tests = {kind: _encoded(kind, tested) for kind, (tested, _) in numbers.items()}
    index = Index([one for encoded in tests.values() for one in encoded])
    found, unrelated = [], []
    for kind, (tested, others) in numbers.items():
        originals = [KINDS[kind](number) for number in tested[:copies]]
        for change, changed in CHANGES.items():
            rows = [encode(changed(picture)) for picture in originals]
            found.append(index.rate(kind, change, rows))
        unrelated.append(index.rate(kind, "", _encoded(kind, others)))
    asked, unasked = _questions(questions)
    return Rates(tuple(found), tuple(unrelated), asked, unasked, sum(map(len, tests.values())))


def _numbers(kind: str, count: int) -> tuple[Sequence[int], Sequence[int]]:
    """The pictures of a kind that are benchmarks', and those that are not."""
    most = MOST.get(kind)
    if most is None:
        return range(FIRST, FIRST + count), range(FIRST + count, FIRST + 2 * count)
    half = min(count, most // 2)
    return range(most - half, most), range(most - 2 * half, most - half)


def _encoded(kind: str, numbers: Sequence[int]) -> list[bytes]:
    return [encode(KINDS[kind](number)) for number in numbers]


class Index:
    """Pictures of benchmarks, as either rule holds them."""

    def __init__(self, pictures: Sequence[bytes]) -> None:
        """Take in the pictures."""
        marks = [marks_of(one) for one in pictures]
        self._pictures = Pictures(marks)
        self._digests = {one.digest for one in marks if one.views}
        self._hashes = [earlier_rule.image_hash(one) for one in pictures]

    def rate(self, kind: str, change: str, rows: Sequence[bytes]) -> Rate:
        """Count the rows that either rule leaves out."""
        marks = [marks_of(row) for row in rows]
        copied = self._pictures.copied(marks)
        now = sum(self._known(one) or place is not None for one, place in zip(marks, copied))
        hashes = [earlier_rule.image_hash(row) for row in rows]
        before = int(earlier_rule.near(hashes, self._hashes, DISTANCE).sum())
        return Rate(kind, change, len(rows), before, now)

    def _known(self, marks: Marks) -> bool:
        return marks.digest in self._digests


def _questions(count: int) -> tuple[tuple[Rate, ...], tuple[Rate, ...]]:
    """Count questions: copies of benchmarks', and others of the same kinds."""
    tests = {kind: [ask(number) for number in range(count)] for kind, ask in ASKED.items()}
    screens = _Screens(tests)
    found = [
        screens.rate(kind, change, [reworded(item) for item in tests[kind]])
        for kind in ASKED
        for change, reworded in REWORDED.items()
        if tests[kind][0].image is not None or change != "on another picture"
    ]
    unasked = [
        screens.rate(kind, "", [ask(number) for number in range(count, 2 * count)])
        for kind, ask in ASKED.items()
    ]
    return tuple(found), tuple(unasked)


class _Screens:
    """Questions of benchmarks, as either rule holds them; their pictures are unknown to both."""

    def __init__(self, tests: Mapping[str, Sequence[HubItem]]) -> None:
        self._screen = Screen(tests, {}, NGRAM)
        questions = (item.question for items in tests.values() for item in items)
        self._runs = earlier_rule.all_ngrams(questions, NGRAM)

    def rate(self, kind: str, change: str, rows: Sequence[HubItem]) -> Rate:
        before = sum(bool(earlier_rule.ngrams(row.question, NGRAM) & self._runs) for row in rows)
        now = sum(leak is not None for leak in self._screen.leaks(rows, {}))
        return Rate(kind, change, len(rows), before, now)
