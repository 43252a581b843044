"""The adversarial corpus: no wrong answer pays, and no right answer is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reassess.verifier.grading import grade_all

CORPUS = Path(__file__).parents[1] / "adversarial"
REASONING = "The next step follows from the one before. "
SYMBOLIC = {"expressions", "symbols"}  # files that take most of the time: some 15 s on two cores
PAYS = {"right": True, "right_text": True, "wrong": False, "wrong_text": False}

GROUPS: list[dict[str, Any]] = [
    {"file": path.stem, **group}
    for path in sorted(CORPUS.glob("*.yaml"))
    for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
]


def completions(case: dict[str, Any]) -> list[tuple[str, bool]]:
    """Each completion of a case, and whether it pays."""
    return [
        (filled(text) if key.endswith("text") else rf"\boxed{{{text}}}", pays)
        for key, pays in PAYS.items()
        for text in case.get(key, [])
    ]


def filled(completion: str) -> str:
    """The completion with each `⟦n⟧` replaced by n characters of reasoning."""
    return re.sub(
        r"⟦(\d+)⟧",
        lambda match: (REASONING * (int(match[1]) // len(REASONING) + 1))[: int(match[1])],
        completion,
    )


CASES = [
    pytest.param(
        case["gold"],
        case.get("kind", group.get("kind", "math")),
        completions(case),
        id=f"{group['class']}-{number}",
        marks=[pytest.mark.slow] if group["file"] in SYMBOLIC else [],
    )
    for group in GROUPS
    for number, case in enumerate(group["cases"])
]


@pytest.mark.parametrize(("gold", "kind", "judged"), CASES)
def test_a_completion_pays_exactly_if_it_is_right(gold, kind, judged):
    texts = [text for text, _ in judged]
    verdicts = grade_all(texts, [gold] * len(texts), [kind] * len(texts))
    paid = [(text, verdict.correct) for text, verdict in zip(texts, verdicts, strict=True)]
    assert paid == judged, [verdict for verdict in paid if verdict not in judged]


def test_the_corpus_is_large_sourced_consistent_and_mostly_hostile():
    names = [group["class"] for group in GROUPS]
    assert len(names) == len(set(names))
    for group in GROUPS:
        assert group["source"] == "ours" or group["source"].startswith("https://github.com/")
        for case in group["cases"]:
            assert set(case) - {"gold", "kind"} <= set(PAYS), (group["class"], sorted(case))
            texts = [text for text, _ in completions(case)]
            assert len(texts) == len(set(texts)), (group["class"], case["gold"])
            assert all(isinstance(text, str) for key in PAYS for text in case.get(key, []))
    pays = [pays for case in CASES for _, pays in case.values[2]]
    assert len(pays) > 5000
    assert pays.count(False) > 0.4 * len(pays)
