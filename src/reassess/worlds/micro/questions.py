"""The six question families, their answers, and the running state a chain of thought keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reassess.worlds.micro.scenes import COLOURS, SHAPES, SIDE, Filling, Scene

FAMILIES = ("color", "shape", "both", "either", "rows", "more")
HOPS = {"color": 1, "shape": 1, "both": 2, "either": 2, "rows": 3, "more": 3}
COUNTING = ("color", "shape", "both", "either")  # answered by a number of cells
PRESENT = 0.8  # share of `both` questions that ask for a combination the scene holds


@dataclass(frozen=True)
class Question:
    """A question on a scene: its family and what it asks about (one or two words)."""

    family: str
    first: str
    second: str | None = None

    @property
    def text(self) -> str:
        """The question in words."""
        templates = {
            "color": "How many {0} shapes are there?",
            "shape": "How many {0}s are there?",
            "both": "How many {0} {1}s are there?",
            "either": "How many {0} or {1} shapes are there?",
            "rows": "How many rows have a {0} shape?",
            "more": "Are there more {0} or {1} shapes?",
        }
        return templates[self.family].format(self.first, self.second)

    @property
    def answer_kind(self) -> str:
        """`word` for a comparison, `integer` otherwise."""
        return "word" if self.family == "more" else "integer"

    def states(self, scene: Scene) -> list[int]:
        """The running state after each cell in reading order.

        It is the count so far; for `rows` the number of rows with a hit so far; for `more` the
        first count minus the second.
        """
        if self.family == "rows":
            return _row_states(scene, self.first)
        weight = self._weight()
        total, states = 0, []
        for filling in scene:
            total += 0 if filling is None else weight(filling)
            states.append(total)
        return states

    def _weight(self) -> Callable[[Filling], int]:
        first, second = self.first, self.second
        return {
            "color": lambda filling: int(filling[0] == first),
            "shape": lambda filling: int(filling[1] == first),
            "both": lambda filling: int(filling == (first, second)),
            "either": lambda filling: int(filling[0] in (first, second)),
            "more": lambda filling: int(filling[0] == first) - int(filling[0] == second),
        }[self.family]

    def answer(self, scene: Scene) -> str:
        """The right answer: a number, a colour, or `equal`."""
        final = self.states(scene)[-1]
        if self.family != "more":
            return str(final)
        if final == 0:
            return "equal"
        return self.first if final > 0 else str(self.second)


def _row_states(scene: Scene, colour: str) -> list[int]:
    hit, rows, states = False, 0, []
    for place, filling in enumerate(scene):
        hit = False if place % SIDE == 0 else hit
        if filling is not None and filling[0] == colour and not hit:
            hit, rows = True, rows + 1
        states.append(rows)
    return states


def draw_question(
    generator: np.random.Generator, scene: Scene, families: tuple[str, ...] = FAMILIES
) -> Question:
    """Draw a question on the scene, its family uniform over `families`."""
    family = families[int(generator.integers(len(families)))]
    colours = list(COLOURS)
    first, second = (colours[n] for n in generator.choice(len(colours), size=2, replace=False))
    shape = SHAPES[generator.choice(len(SHAPES))]
    if family == "shape":
        return Question(family, shape)
    if family in ("color", "rows"):
        return Question(family, first)
    if family == "both":
        present = sorted({filling for filling in scene if filling is not None})
        if present and generator.random() < PRESENT:
            return Question(family, *present[int(generator.integers(len(present)))])
        return Question(family, first, shape)
    return Question(family, first, second)
