"""Whether lengths and truncation of completions follow from their texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from reassess.verify.report import LISTED
from reassess.verify.stored import shown
from reassess.worlds.base import Reader

EXCUSED = 2000  # answers of a cell for each one that may be written in unusual tokens


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


@dataclass
class Lengths:
    """The lengths of texts so far, by family.

    A model mostly writes a text in the tokens in which its tokenizer would divide it, so that the
    text tells the length. Rarely it writes other tokens. Such a length is accepted if so few tokens
    can make the text, if every answer with this text has it, and if the answer states nothing (a
    model that writes noise), or else once in `EXCUSED` answers. Each is named in a note.
    """

    known: dict[tuple[str, str], tuple[str, Answer]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], tuple[set[int], int]] = field(default_factory=dict)
    unusual: list[str] = field(default_factory=list)

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
        unusual: list[tuple[str, bool]] = []
        self._count(family, rows["completion"], reader)
        columns = rows[["completion", "length", "truncated", "extracted"]]
        for place, text, length, truncated, extracted in columns.itertuples(name=None):
            answer = Answer(family, str(text), int(length), bool(truncated))
            name, states = f"{cell} {' '.join(map(str, place))}", isinstance(extracted, str)
            if problem := answer.impossible(budget):
                wrong.append(f"{name}: {problem}")
            elif reader is None:
                if problem := self._unlike(answer, name):
                    unusual.append((f"{name}: {problem}", False))
            elif answer.tokens not in self.tokens[family, answer.text][0]:
                due = min(self.tokens[family, answer.text][0]) + (not answer.truncated)
                problem = f"{name}: length is {length}, derived as {due} ({shown(text)})"
                if answer.tokens < self._fewest(answer, reader):
                    wrong.append(problem)
                else:
                    unusual.append((problem, states))
            if states and reader is not None and (problem := self._unlike(answer, name)):
                wrong.append(f"{name}: {problem}")
        stating = [problem for problem, states in unusual if states]
        if len(stating) > 1 + len(rows) // EXCUSED:
            wrong += stating
            stating = []
        self.unusual += [*stating, *(problem for problem, states in unusual if not states)]
        yield from wrong[:LISTED]
        if len(wrong) > LISTED:
            yield f"{cell}: {len(wrong)} answers have a length that their texts do not"

    def _unlike(self, answer: Answer, name: str) -> str | None:
        """How a length differs from that of the same text elsewhere; None if it does not."""
        key = answer.family, answer.text
        ways = self.tokens.get(key)
        if answer.text == "" or (ways is not None and len(ways[0]) > 1):
            return None  # the text leaves it open
        first, other = self.known.setdefault(key, (name, answer))
        return (
            None if answer == other else f"{answer.size}, of the same text in {first} {other.size}"
        )

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

    def notes(self) -> list[str]:
        """The answers whose length the text does not tell."""
        notes = [
            f"{one}; possible, if the model wrote other tokens" for one in self.unusual[:LISTED]
        ]
        if len(self.unusual) > LISTED:
            notes.append(f"and {len(self.unusual) - LISTED} more lengths that texts do not tell")
        return notes
