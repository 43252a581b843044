"""Chains of thought: an entry for each cell with the running state, in codes or in words."""

from __future__ import annotations

import json
from collections.abc import Callable

from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.questions import Question
from reassess.worlds.micro.scenes import Filling, Scene


def _code(filling: Filling | None) -> str:
    return "no" if filling is None else filling[0][0] + filling[1][0]


def _words(filling: Filling | None) -> str:
    return "nothing" if filling is None else " ".join(filling)


STYLES: dict[str, Callable[[Filling | None], str]] = {"native": _code, "words": _words}


def spell_state(family: str, state: int) -> str:
    """The state as it is written: `less2` for a comparison at minus two."""
    return f"less{-state}" if family == "more" and state < 0 else str(state)


def chain_of_thought(scene: Scene, question: Question, style: str) -> str:
    """A whole completion: cell and state nine times, then the answer."""
    name = STYLES[style]
    steps = [
        f"{name(filling)} {spell_state(question.family, state)}"
        for filling, state in zip(scene, question.states(scene))
    ]
    return f"{' '.join(steps)}. {direct_answer(scene, question)}"


def direct_answer(scene: Scene, question: Question) -> str:
    """A completion without reasoning."""
    return f"Answer: {question.answer(scene)}"


def render_trace(item: MicroItem, style: str) -> str:
    """The chain of thought of a pool item in a style."""
    scene = tuple(
        None if filling is None else (filling[0], filling[1]) for filling in json.loads(item.scene)
    )
    return chain_of_thought(scene, Question(*json.loads(item.ask)), style)
