"""Whether a box is asserted by the text around it (verifier/assertion.py, phrases.toml)."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.verifier import assertion, phrases
from reassess.verifier.extraction import MOST_BOXES, extract
from reassess.verifier.grading import grade_all

CONTEXTS = Path(__file__).parents[1] / "adversarial" / "contexts.jsonl"
OPEN = CONTEXTS.with_name("contexts_open.jsonl")
CASES = [json.loads(line) for line in CONTEXTS.read_text(encoding="utf-8").splitlines()]
TEXTS = tomllib.loads(Path(phrases.__file__).with_suffix(".toml").read_text(encoding="utf-8"))
CODE = Path(assertion.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("right", [True, False])
def test_a_box_pays_exactly_where_its_text_stands_by_it(right):
    cases = [case for case in CASES if case["right"] is right]
    assert len(cases) > 200
    verdicts = grade_all(
        *([case[name] for case in cases] for name in ("completion", "gold", "kind"))
    )
    assert [case for case, verdict in zip(cases, verdicts, strict=True) if verdict.correct is not right] == []  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if not case["right"]][::7])
def test_what_keeps_a_box_from_paying_is_the_text_around_it(case):
    box = re.search(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}", case["completion"])
    if box is not None and box[1] == case["gold"]:
        (alone,) = grade_all([f"The answer is ${box[0]}$."], [case["gold"]], [case["kind"]])
        assert alone.correct


def test_every_entry_compiles_and_is_used():
    used = {name for text in TEXTS.values() for name in phrases.references(text)}
    used |= set(re.findall(r'"([a-z-]+)"', CODE)) & set(TEXTS)
    assert used == set(TEXTS)
    for name in TEXTS:
        phrases.pattern(name)


@pytest.mark.parametrize(
    ("entry", "matches", "others"),
    [
        ("before-denied", ["the answer is not", "i doubt that the answer is", "it is wrong to say that it is"], ["the number of integers that are not even is", "there is no doubt that the answer is"]),
        ("before-operation", ["the answer is half of", "two more than", "10 minus", "20% of"], ["an area of", "simplifies to", "we are left with", "no more than five, that is"]),
        ("my-error", ["i was wrong", "i have clearly made a mistake"], ["i was right", "he was wrong"]),
        ("untrue", ["that is not the answer", "but this cannot be right"], ["this is not the same triangle as before", "the other root is not valid"]),
    ],
)  # fmt: skip
def test_patterns(entry, matches, others):
    pattern = phrases.pattern(entry)
    assert all(pattern.search(text) for text in matches)
    assert not any(pattern.search(text) for text in others)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_may_stand_around_a_box(before, behind):
    text = f"{before}\\boxed{{5}}{behind}"
    start = text.index("\\boxed{5}", len(before))
    assert assertion.is_asserted(text, start, start + 9, len(text)) in (True, False)


def test_what_is_listed_as_open_is_open():
    """A case that is mended moves to the others."""
    cases = [json.loads(line) for line in OPEN.read_text(encoding="utf-8").splitlines()]
    verdicts = grade_all(
        *([case[name] for case in cases] for name in ("completion", "gold", "kind"))
    )
    assert [case for case, verdict in zip(cases, verdicts, strict=True) if verdict.correct is case["right"]] == []  # fmt: skip


def test_a_value_taken_back_is_taken_back_wherever_it_was_stated():
    assert extract("The answer is \\boxed{5}. No: \\boxed{5} is wrong.") is None
    assert extract("The answer is \\boxed{6}. No: \\boxed{5} is wrong.") is None
    assert extract("\\boxed{6} it is. Of the others, \\boxed{5} is wrong.") == "6"


def test_only_the_last_boxes_are_read():
    spray = "\\boxed{7} is what we get first. " * (3 * MOST_BOXES)
    assert extract(spray + "The answer is \\boxed{5}.") == "5"
