"""Control: answers drawn at random, the floor of every benchmark."""

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

from reassess.core.seeds import derive_seed
from reassess.methods import Kind, Method
from reassess.training.settings import MethodSettings


class RandomChoice(Method[MethodSettings]):
    """Draws an answer uniformly from those that occur in the item's question family. No model is asked."""

    name = "random-choice"
    kind: ClassVar[Kind] = "none"
    citation = "ours: a control"
    deviations = (
        "the choices of an item are the answers that occur in its benchmark for its question family",
    )

    def respond(self, items: Sequence[Any], seed: int) -> list[str]:
        """Return one completion an item; the same for the same items and seed, whatever their order."""
        choices: dict[str, list[str]] = {}
        for item in items:
            choices.setdefault(item.family, [])
            if item.answer not in choices[item.family]:
                choices[item.family].append(item.answer)
        return [
            f"Answer: {Random(derive_seed('random-choice', seed, item.id)).choice(sorted(choices[item.family]))}"
            for item in items
        ]
