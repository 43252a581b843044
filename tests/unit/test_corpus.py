"""MATH-500: official solutions and rewritings of their answers are right, near answers wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from rewritings import OTHER, SAME, right, wrong

from reassess.verifier import grade
from reassess.verifier.assertion import is_asserted
from reassess.verifier.extraction import extract
from reassess.verifier.grading import grade_all

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "corpus" / "math500.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
ANSWERS = list(dict.fromkeys(row["answer"] for row in ROWS))
EQUAL = [  # answers of different problems that state the same, with a unit or a name left out
    ("90^\\circ", "90"),
    ("120^\\circ", "120"),
    ("30^\\circ", "30"),
    ("36^\\circ", "36"),
    ("\\$36", "36"),
    ("15\\mbox{ cm}^2", "15"),
    ("x=5", "5"),
    ("1,-2", "-2,1"),
    ("(-2,1)", "-2,1"),
    ("10,\\!080", "10080"),
    ("\\frac{1}{4}", "\\frac14"),
    ("2 \\sqrt{5}", "2\\sqrt{5}"),
]


def misjudged(answers: list[str]) -> list[tuple[str, str, str]]:
    """Rule, right answer and completion of each case that has another verdict than it should."""
    cases = [
        (rule, answer, completion, pays)
        for answer in answers
        for pays, rewrite in ((True, right), (False, wrong))
        for rule, completion in rewrite(answer)
    ]
    verdicts = grade_all(
        [case[2] for case in cases], [case[1] for case in cases], ["math"] * len(cases)
    )
    return [case[:3] for case, verdict in zip(cases, verdicts) if verdict.correct is not case[3]]


def test_every_official_solution_is_right():
    assert len(ROWS) == 500
    for row in ROWS:
        verdict = grade(row["solution"], row["answer"])
        assert verdict.correct and not verdict.undecided, row["answer"]


def natural_boxes() -> Iterator[tuple[str, int, int]]:
    """Numbers that end a formula of the solutions, boxed where they stand, up to the sentence's end."""
    number = r"[-+]?[0-9][0-9,./]*|\\frac\{[^{}]*\}\{[^{}]*\}|[0-9]*\\sqrt\{[^{}]*\}"
    for row in ROWS:
        text = row["solution"].replace("\\boxed", "")
        for formula in re.finditer(r"(?<!\\)\$([^$\n]{1,60})\$", text):
            for value in re.finditer(rf"(?:^|=\s*|\\approx\s*)({number})$", formula[1]):
                start, end = (formula.start(1) + place for place in value.span(1))
                stop = re.search(r"\.(?=\s|$)|\n\n", text[formula.end() :])
                last = formula.end() + stop.end() if stop else len(text)
                box = f"\\boxed{{{text[start:end]}}}"
                yield text[:start] + box + text[end:last], start, start + len(box)


def test_natural_sentences_state_their_numbers():
    """Those that do not were read once: conditions ("if x = 4"), operands, exclusions."""
    boxes = list(natural_boxes())
    asserted = [is_asserted(text, start, end, len(text)) for text, start, end in boxes]
    assert (len(boxes), sum(asserted)) == (144, 120)


def test_the_last_box_of_every_official_solution_is_found():
    found = [(extract(row["solution"]) or "", row["answer"]) for row in ROWS]
    others = [pair for pair in found if pair[0] != pair[1]]
    # A solution states its answer twice, in two forms; others have the unit behind the box.
    assert all(f"or {answer}" in text or text.startswith(answer) for text, answer in others)
    assert len(others) < len(ROWS) / 10


@pytest.mark.slow
def test_no_answer_is_that_of_another_problem():
    pairs = list(permutations(ANSWERS, 2))
    verdicts = grade_all(
        [f"\\boxed{{{answer}}}" for answer, _ in pairs],
        [gold for _, gold in pairs],
        ["math"] * len(pairs),
    )
    taken = {frozenset(pair) for pair, verdict in zip(pairs, verdicts) if verdict.correct}
    assert taken == {frozenset(pair) for pair in EQUAL}
    assert not any(verdict.undecided for verdict in verdicts)


@pytest.mark.slow
def test_rewritings_of_every_answer_are_right_and_near_answers_wrong():
    assert misjudged(ANSWERS) == []


def test_rewritings_of_some_answers_are_right_and_near_answers_wrong():
    assert misjudged(ANSWERS[::8]) == []


def test_rewritings_are_many_and_every_rule_makes_some():
    made = [(answer, *case) for answer in ANSWERS for case in right(answer)]
    others = [(answer, *case) for answer in ANSWERS for case in wrong(answer)]
    assert len(made) > 8000
    assert len(others) > 4000
    assert {rule for _, rule, _ in made} == {*SAME, "statement"}
    assert {rule for _, rule, _ in others} == set(OTHER)
    assert all(sum(answer == row[0] for row in made) >= 15 for answer in ANSWERS)
