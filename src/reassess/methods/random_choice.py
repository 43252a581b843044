"""Control: answers drawn at random, the floor of every benchmark."""

from collections.abc import Sequence
from random import Random

from reassess.core.seeds import derive_seed
from reassess.data.questions import Question
from reassess.methods import Method


class RandomChoice(Method):
    """An answer drawn uniformly from those of the item's question family, without any model."""

    name = "random-choice"
    kind = "none"
    citation = "ours: a control"
    deviations = (
        "the choices of an item are the answers that occur in all benchmarks for its question "
        "family",
    )

    def respond(self, questions: Sequence[Question], seed: int) -> list[str]:
        """One completion per question; their order does not matter."""
        completions = []
        for question in questions:
            draw = Random(derive_seed("random-choice", seed, question.id))
            completions.append(f"Answer: {draw.choice(question.choices)}")
        return completions
