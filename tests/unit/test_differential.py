"""Our verifier beside math-verify and MathRuler: every difference has a class with a reason."""

import pytest
from differential import (
    CLASSES,
    GRADERS,
    PAGE,
    by_math_verify,
    by_mathruler,
    differing,
    judged,
    page,
    pairs,
)

from reassess.verifier import grade


def test_ours_agrees_with_a_careful_reader_on_every_pair():
    found = [
        (pair.gold, pair.completion)
        for pair in pairs()
        if grade(pair.completion, pair.gold, pair.group.kind).correct is not pair.right
    ]
    assert found == []


def test_pairs_are_many_and_of_both_kinds():
    rows = list(pairs())
    assert len({(row.gold, row.completion, row.group.kind) for row in rows}) == len(rows) >= 450
    assert sum(row.right for row in rows) > 200
    assert sum(not row.right for row in rows) > 200


@pytest.mark.slow
@pytest.mark.parametrize("grader", GRADERS)
@pytest.mark.parametrize("group", CLASSES, ids=lambda group: group.name)
def test_a_class_has_a_reason_exactly_where_a_grader_differs(group, grader):
    lost, paid = differing(group, grader)
    assert bool(lost or paid) is (grader in group.why)


@pytest.mark.slow
def test_the_page_is_that_of_the_verdicts():
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.slow
def test_ours_pays_for_nothing_that_is_wrong_where_the_others_do():
    assert not any(ours for pair, ours, _ in judged() if not pair.right)
    assert all(
        any(theirs[grader] for pair, _, theirs in judged() if not pair.right) for grader in GRADERS
    )


@pytest.mark.parametrize(
    ("completion", "gold", "mathruler", "math_verify"),
    [
        ("\\boxed{5}", "5", True, True),
        ("\\boxed{6}", "5", False, False),
        ("It is 5.", "5", False, True),
        ("\\boxed{5", "5", False, False),
        ("\\boxed{\\frac{2}{4}}", "\\frac{1}{2}", False, True),
        ("\\boxed{CAB}", "ABC", False, True),
    ],
)
def test_the_other_graders_on_facts_about_them(completion, gold, mathruler, math_verify):
    assert by_mathruler(completion, gold) is mathruler
    assert by_math_verify(completion, gold) is math_verify
