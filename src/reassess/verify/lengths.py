"""Whether lengths and truncation of completions follow from their texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from reassess.verify.report import LISTED
from reassess.verify.stored import shown
from reassess.worlds.base import UNREADABLE, Reader

# Answers of a cell for each one, beside a first, that may be written in unusual tokens:
EXCUSED = 2000  # if it states an answer, or has more tokens than bytes
EXCUSED_AS_NOISE = 200  # if it states nothing


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
        return f"length is {self.length}{' (truncated)' if self.truncated else ''}"

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
    usual: set[tuple[str, str]] = field(default_factory=set)
    unusual: list[Unusual] = field(default_factory=list)
    first: dict[tuple[str, str], tuple[str, Answer]] = field(default_factory=dict)
    repeated: int = 0
    unlike: list[str] = field(default_factory=list)
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
        for place, text, length, truncated, extracted in columns.itertuples(name=None):
            answer = Answer(family, str(text), int(length), bool(truncated))
            name, key = f"{cell} {' '.join(map(str, place))}", (family, answer.text)
            if problem := answer.impossible(budget):
                wrong.append(f"{name}: {problem}")
            elif reader is None:
                if isinstance(extracted, str) and UNREADABLE not in answer.text:
                    self._compare(name, key, answer)
            elif answer.tokens in self.tokens[key][0]:
                self.usual.add(key)
            else:
                due = min(self.tokens[key][0]) + (not answer.truncated)
                problem = f"{name}: {answer.size}, derived as {due} ({shown(text)})"
                if answer.tokens < self._fewest(answer, reader):
                    wrong.append(problem)
                else:
                    states = isinstance(extracted, str)
                    beyond = answer.tokens > answer.bytes
                    self.unusual.append(Unusual(cell, key, states, beyond, problem))
        yield from wrong[:LISTED]
        if len(wrong) > LISTED:
            yield f"{cell}: {len(wrong)} answers have a length that their texts do not"

    def _compare(self, name: str, key: tuple[str, str], answer: Answer) -> None:
        """Compare an answer with the first one that has the same text."""
        if key not in self.first:
            self.first[key] = name, answer
            return
        self.repeated += 1
        first, other = self.first[key]
        if answer != other:
            self.unlike.append(f"{name}: {answer.size}, of the same text in {first} {other.size}")

    def conclude(self) -> Iterator[str]:
        """Yield the unusual lengths that are not accepted, once every cell is known."""
        if len(self.unlike) > 1 + self.repeated // EXCUSED:
            yield from self.unlike
        else:
            self.notes += self.unlike
        rare: dict[tuple[str, int], list[Unusual]] = {}
        for one in self.unusual:
            if one.states and one.text in self.usual:
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
        fresh = [text for text in dict.fromkeys(texts) if (family, text) not in self.tokens]
        for text, ways in zip(fresh, reader.lengths(fresh), strict=True):
            self.tokens[family, text] = ways, -1

    def _fewest(self, answer: Answer, reader: Reader) -> int:
        ways, fewest = self.tokens[answer.family, answer.text]
        if fewest < 0:
            fewest = reader.fewest(answer.text)
            self.tokens[answer.family, answer.text] = ways, fewest
        return fewest
