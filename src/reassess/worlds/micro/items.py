"""Items: a scene, a question on it and its answer, decided by (seed, split, index) alone."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL.Image import Image

from reassess.core.errors import ReassessError, unknown
from reassess.core.files import Json
from reassess.core.seeds import derive_seed
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.questions import COUNTING, FAMILIES, HOPS, Question, draw_question
from reassess.worlds.micro.scenes import (
    ALL_COMBINATIONS,
    SEEN,
    UNSEEN,
    Filling,
    Scene,
    describe,
    draw_scene,
    image_hash,
    render,
    scene_hash,
)

ATTEMPTS = 10_000


@dataclass(frozen=True)
class SplitRule:
    """How a split is drawn."""

    stream: int  # number of its random stream
    fill: float = 0.7
    jitter: int = 2
    combinations: tuple[Filling, ...] = SEEN
    families: tuple[str, ...] = FAMILIES
    smallest_answer: int = 0
    unseen_cells: int = 0
    kept: bool = True  # images of items that no file keeps are neither hashed nor compressed


# Streams 2 to 6 belong to benchmarks, whose files state their rules.
RULES = {
    "train": SplitRule(0),
    "probe": SplitRule(1),
    "base1": SplitRule(7, kept=False),
    "base2": SplitRule(8, kept=False),
    "teacher": SplitRule(9, kept=False),
}


def benchmark_rule(name: str, scenes: Json) -> SplitRule:
    """The rule that a benchmark's file gives under `scenes`.

    The random stream follows from the benchmark's name unless it is given.

    Raises:
        ReassessError: an unknown key or value; names both.
    """
    choices: dict[str, Json] = {
        "combinations": {"seen": SEEN, "all": ALL_COMBINATIONS},
        "questions": {"all": FAMILIES, "counting": COUNTING},
    }
    settings: Json = {"stream": derive_seed("benchmark", name)}
    allowed = (
        "stream",
        "fill",
        "jitter",
        "combinations",
        "unseen_cells",
        "questions",
        "smallest_answer",
    )
    for key, value in scenes.items():
        if key not in allowed:
            raise ReassessError(f"benchmark {name!r}: {unknown('key of scenes', key, allowed)}")
        if key in choices and value not in choices[key]:
            raise ReassessError(f"benchmark {name!r}: {unknown(key, str(value), choices[key])}")
        settings["families" if key == "questions" else key] = (
            choices[key][value] if key in choices else value
        )
    return SplitRule(**settings)


def make_item(
    split: str,
    seed: int,
    index: int,
    forbidden: Container[str] = frozenset(),
    rule: SplitRule | None = None,
    *,
    in_words: bool = False,
) -> MicroItem:
    """Make item `index` of a split by `rule` (default: the split's own in `RULES`).

    The item depends on the arguments alone, not on the process or on items made before. A draw that
    breaks the split's rule, or whose scene or image hash is in `forbidden`, is discarded and the
    next attempt's stream is used. No image is drawn of an item `in_words`, so it has no hash of
    one.
    """
    rule = rule or RULES[split]
    for attempt in range(ATTEMPTS):
        generator = np.random.default_rng(
            np.random.SeedSequence([seed, rule.stream, index, attempt])
        )
        scene = draw_scene(generator, rule.fill, rule.combinations)
        question = draw_question(generator, scene, rule.families)
        if not _allowed(rule, scene, question):
            continue
        hashed = scene_hash(scene)
        if hashed in forbidden:
            continue
        image = None if in_words else render(scene, generator, rule.jitter)
        item = _item(split, rule, index, scene, question, hashed, image)
        if item.image_hash not in forbidden:
            return item
    raise ReassessError(f"item {index} of split {split!r}: no scene found in {ATTEMPTS} attempts")


def _allowed(rule: SplitRule, scene: Scene, question: Question) -> bool:
    if sum(filling in UNSEEN for filling in scene) < rule.unseen_cells:
        return False
    return not rule.smallest_answer or int(question.answer(scene)) >= rule.smallest_answer


def _item(
    split: str,
    rule: SplitRule,
    index: int,
    scene: Scene,
    question: Question,
    hashed: str,
    image: Image | None,
) -> MicroItem:
    return MicroItem(
        id=f"{split}-{index:06d}",
        index=index,
        family=question.family,
        hops=HOPS[question.family],
        question=question.text,
        answer=question.answer(scene),
        answer_kind=question.answer_kind,
        image=_encoded(image, "PNG" if rule.kept else "BMP") if image else None,
        scene_text=describe(scene),
        filled=sum(filling is not None for filling in scene),
        scene_hash=hashed,
        image_hash=image_hash(image) if image and rule.kept else "",
        scene=json.dumps(scene),
        ask=json.dumps([question.family, question.first, question.second]),
    )


def _encoded(image: Image, kind: str) -> bytes:
    encoded = BytesIO()
    image.save(encoded, format=kind, compress_level=1)
    return encoded.getvalue()
