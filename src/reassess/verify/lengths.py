"""Whether lengths and truncation of completions follow from their texts."""

from __future__ import annotations

from array import array
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from reassess.verify.report import LISTED
from reassess.verify.stored import shown
from reassess.worlds.base import UNREADABLE, Reader

# Answers of a cell for each one, beside a first, that may be written in unusual tokens:
EXCUSED = 2000  # if it states an answer, or has more tokens than bytes
EXCUSED_AS_NOISE = 200  # if it states nothing
REMEMBERED = 200_000  # texts whose numbers of tokens are kept


@dataclass(frozen=True)
class Answer:
    """A text of a family's model, its length in tokens, and whether the budget ended it."""

    family: str
    text: str
    length: int
    truncated: bool

    @property
    def tokens(self) -> int:
        """The tokens of the text itself, without the one that ends it."""
        return self.length - (not self.truncated)

    @property
    def bytes(self) -> int:
        """The bytes of the text: each of its tokens that shows is one at least."""
        return len(self.text.encode("utf-8", "surrogatepass"))

    @property
    def size(self) -> str:
        """The length for a message."""
        return _size(self.length, self.truncated)

    def impossible(self, budget: int) -> str | None:
        """Why the length cannot be, whatever the text; None if it can."""
        if not 1 <= self.length <= budget:
            return f"{self.size}, of a budget of {budget} tokens"
        if self.truncated and self.length != budget:
            return f"{self.size}, below the budget of {budget} tokens"
        return None


@dataclass(frozen=True)
class Unusual:
    """An answer in other tokens than those in which the tokenizer divides its text."""

    cell: str
    text: tuple[str, str]
    states: bool
    beyond: bool
    problem: str

    @property
    def kind(self) -> int:
        """How many answers of its cell excuse one like it."""
        return EXCUSED if self.states or self.beyond else EXCUSED_AS_NOISE


def _size(length: int, truncated: bool) -> str:
    return f"length is {length}{' (truncated)' if truncated else ''}"


@dataclass
class Repeated:
    """The lengths of all answers, by the hash of family and text, to find texts that come again.

    A large study has more texts than memory holds.

    Attributes:
        texts: of each answer, the hash.
        sizes: of each answer, twice the length, and one more if it was truncated.
        places: of each answer, the number of its benchmark and item.
        numbers: those numbers.
        cells: the cells, in the order of their answers.
        ends: by cell, how many answers there are up to its last one.
    """

    texts: array[int] = field(default_factory=partial(array, "q"))
    sizes: array[int] = field(default_factory=partial(array, "i"))
    places: array[int] = field(default_factory=partial(array, "i"))
    numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, place: tuple[object, ...], answer: Answer) -> None:
        """Take in an answer of the cell that is ended next."""
        self.texts.append(hash((answer.family, answer.text)))
        self.sizes.append(2 * answer.length + answer.truncated)
        self.places.append(self.numbers.setdefault(place, len(self.numbers)))

    def end(self, cell: str) -> None:
        """Give a cell the answers since the last end."""
        self.cells.append(cell)
        self.ends.append(len(self.texts))

    def unlike(self) -> tuple[list[str], int]:
        """The answers that have another length than the first with the same text.

        Returns:
            A text on each, and how many answers have the text of one before.
        """
        texts, sizes = np.asarray(self.texts), np.asarray(self.sizes)
        order = np.argsort(texts, kind="stable").astype(np.int32)  # the first of a text first
        ordered = texts[order]
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = ordered[1:] != ordered[:-1]
        del ordered
        first = order[begins][np.cumsum(begins, dtype=np.int32) - 1]
        differ = np.flatnonzero(sizes[order] != sizes[first])
        pairs = sorted(zip(order[differ].tolist(), first[differ].tolist(), strict=True))
        names = [*self.numbers]
        problems = [
            f"{self._name(one, names)}: {self._shown(one)}, of the same text in "
            f"{self._name(other, names)} {self._shown(other)}"
            for one, other in pairs
        ]
        return problems, len(begins) - int(begins.sum())

    def _name(self, number: int, places: list[tuple[object, ...]]) -> str:
        return _name(self.cells[bisect(self.ends, number)], places[self.places[number]])

    def _shown(self, number: int) -> str:
        length, truncated = divmod(self.sizes[number], 2)
        return _size(length, bool(truncated))


def _name(cell: str, place: tuple[object, ...]) -> str:
    return f"{cell} {' '.join(map(str, place))}"


@dataclass
class Lengths:
    """The lengths of texts so far, by family.

    A model mostly writes a text in the tokens in which its tokenizer would divide it, so that the
    text tells the length. Rarely it writes other tokens. Such a length is accepted if so few tokens
    can make the text, once in `EXCUSED` answers of a cell, and only if no answer with the same text
    has the usual length. Answers that state nothing are excused more often, and always in a cell
    of which fewer than half state anything (a model that writes noise: tokens that are no text,
    and that no text shows); not so if they have more tokens than bytes in another cell. Each is
    named in a note. Without a tokenizer, answers with one text are compared with each other,
    unless some of it is unreadable: other bytes show as the same text.
    """

    rows: dict[str, int] = field(default_factory=dict)
    noisy: set[str] = field(default_factory=set)
    tokens: dict[tuple[str, str], tuple[set[int], int]] = field(default_factory=dict)
    usual: array[int] = field(default_factory=partial(array, "q"))  # hashes of family and text
    unusual: list[Unusual] = field(default_factory=list)
    repeated: Repeated = field(default_factory=Repeated)
    notes: list[str] = field(default_factory=list)

    def check(
        self, cell: str, family: str, rows: pd.DataFrame, budget: int, reader: Reader | None
    ) -> Iterator[str]:
        """Yield the answers of a cell whose length or truncation cannot be.

        Args:
            cell: its id.
            family: its model's family: one tokenizer.
            rows: scores and answers by benchmark and item.
            budget: the largest length.
            reader: the family's tokenizer, where the world can make it.
        """
        wrong: list[str] = []
        self.rows[cell] = len(rows)
        if 2 * rows["extracted"].notna().sum() < len(rows):
            self.noisy.add(cell)
        self._count(family, rows["completion"], reader)
        columns = rows[["completion", "length", "truncated", "extracted"]]
        usual: set[int] = set()
        for place, text, length, truncated, extracted in columns.itertuples(name=None):
            answer = Answer(family, str(text), int(length), bool(truncated))
            name, key = _name(cell, place), (family, answer.text)
            if problem := answer.impossible(budget):
                wrong.append(f"{name}: {problem}")
            elif reader is None:
                if isinstance(extracted, str) and UNREADABLE not in answer.text:
                    self.repeated.add(place, answer)
            elif answer.tokens in self.tokens[key][0]:
                usual.add(hash(key))
            else:
                due = min(self.tokens[key][0]) + (not answer.truncated)
                problem = f"{name}: {answer.size}, derived as {due} ({shown(text)})"
                if answer.tokens < self._fewest(answer, reader):
                    wrong.append(problem)
                else:
                    states = isinstance(extracted, str)
                    beyond = answer.tokens > answer.bytes
                    self.unusual.append(Unusual(cell, key, states, beyond, problem))
        self.usual.extend(usual)
        self.repeated.end(cell)
        yield from wrong[:LISTED]
        if len(wrong) > LISTED:
            yield f"{cell}: {len(wrong)} answers have a length that their texts do not"

    def conclude(self) -> Iterator[str]:
        """Yield the unusual lengths that are not accepted, once every cell is known."""
        unlike, repeated = self.repeated.unlike()
        if len(unlike) > 1 + repeated // EXCUSED:
            yield from unlike
        else:
            self.notes += unlike
        stated = {hash(one.text) for one in self.unusual if one.states}
        usual = stated.intersection(self.usual)
        rare: dict[tuple[str, int], list[Unusual]] = {}
        for one in self.unusual:
            if one.states and hash(one.text) in usual:
                yield one.problem
            elif one.states or one.cell not in self.noisy:
                rare.setdefault((one.cell, one.kind), []).append(one)
            else:
                self.notes.append(one.problem)
        for (cell, kind), found in rare.items():
            problems = [one.problem for one in found]
            if len(found) <= 1 + self.rows[cell] // kind:
                self.notes += problems
            else:
                yield from problems[:LISTED]
                if len(found) > LISTED:
                    yield f"{cell}: {len(found)} answers have a length that their texts do not"
        count = len(self.notes)
        self.notes = [f"{one}; possible, if the model wrote other tokens" for one in self.notes]
        if count > LISTED:
            rest = f"and {count - LISTED} more lengths that their texts do not tell"
            self.notes = [*self.notes[:LISTED], rest]

    def _count(self, family: str, texts: pd.Series, reader: Reader | None) -> None:
        if reader is None:
            return
        if len(self.tokens) > REMEMBERED:
            self.tokens.clear()
        fresh = [text for text in dict.fromkeys(texts) if (family, text) not in self.tokens]
        for text, ways in zip(fresh, reader.lengths(fresh), strict=True):
            self.tokens[family, text] = ways, -1

    def _fewest(self, answer: Answer, reader: Reader) -> int:
        ways, fewest = self.tokens[answer.family, answer.text]
        if fewest < 0:
            fewest = reader.fewest(answer.text)
            self.tokens[answer.family, answer.text] = ways, fewest
        return fewest
