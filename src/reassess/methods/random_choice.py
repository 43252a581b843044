"""Control: answers drawn at random, the floor of every benchmark."""

from collections.abc import Sequence
from random import Random

from reassess.core.seeds import derive_seed
from reassess.data.items import Item
from reassess.methods import Method


class RandomChoice(Method):
    """An answer drawn uniformly from those of the item's question family, without any model."""

    name = "random-choice"
    kind = "none"
    citation = "ours: a control"
    deviations = (
        "the choices of an item are the answers that occur in its benchmark for its question "
        "family",
    )

    def respond(self, items: Sequence[Item], seed: int) -> list[str]:
        """One completion per item; the order of the items does not matter."""
        choices: dict[str, set[str]] = {}
        for item in items:
            choices.setdefault(item.family, set()).add(item.answer)
        completions = []
        for item in items:
            draw = Random(derive_seed("random-choice", seed, item.id))
            completions.append(f"Answer: {draw.choice(sorted(choices[item.family]))}")
        return completions
