"""The verifier on answers drawn by type: equal forms are right, values close to them are not."""

import pytest
import strategies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reassess.verifier import grade
from reassess.verifier.comparison import KINDS
from reassess.verifier.golds import problem

quietly = {"deadline": None, "derandomize": True, "database": None}
TYPES = [
    *(pytest.param(draw, id=name) for name, draw in strategies.PLAIN.items()),
    *(
        pytest.param(draw, id=name, marks=pytest.mark.slow)
        for name, draw in strategies.SYMBOLIC.items()
    ),
]


def examples(cases):
    """How many examples are drawn of a type; those of the symbolic engine take long."""
    most = settings.default.max_examples
    return most // 4 if cases in strategies.SYMBOLIC.values() else most * 4 // 5


@pytest.mark.parametrize("cases", TYPES)
def test_equal_forms_are_right_and_different_ones_are_not_wherever_they_stand(cases):
    @given(st.data(), cases())
    @settings(max_examples=examples(cases), **quietly)
    def judged(data, case):
        right = data.draw(strategies.completions(case.equal))
        wrong = data.draw(strategies.completions(case.different))
        assert grade(right, case.gold, case.kind).correct, (case.gold, right)
        assert not grade(wrong, case.gold, case.kind).correct, (case.gold, wrong)
        if case.kind != "choice":  # its right answer is a list of letter and text
            assert grade(rf"So \boxed{{{case.gold}}}", case.gold, case.kind).correct

    judged()


@pytest.mark.parametrize("cases", TYPES)
def test_a_verdict_does_not_depend_on_reasoning_before_and_signs_after_the_answer(cases):
    @given(
        cases(),
        st.booleans(),
        st.sampled_from(strategies.STATED),
        st.sampled_from(strategies.REASONING),
        st.sampled_from(strategies.AFTER),
    )
    @settings(max_examples=examples(cases), **quietly)
    def judged(case, equal, stated, before, after):
        answer = stated.replace("%s", case.equal if equal else case.different)
        alone = grade(answer, case.gold, case.kind)
        assert grade(before + answer + after, case.gold, case.kind).correct == alone.correct

    judged()


@pytest.mark.parametrize("cases", TYPES)
def test_one_digit_more_or_less_is_another_value(cases):
    """Apart from decimals, whose last digits may be rounded."""

    @given(st.data(), cases())
    @settings(max_examples=examples(cases), **quietly)
    def judged(data, case):
        digits = [place for place, letter in enumerate(case.equal) if letter in "0123456789"]
        if not digits or "." in case.equal or case.kind in ("near", "option", "choice"):
            return
        place = data.draw(st.sampled_from(digits))
        more = data.draw(st.sampled_from(["", *"123456789"]))
        kept = case.equal[place:] if more else case.equal[place + 1 :]
        changed = case.equal[:place] + more + kept
        assert not grade(rf"\boxed{{{changed}}}", case.gold, case.kind).correct, (case, changed)

    judged()


@pytest.mark.parametrize("cases", TYPES)
def test_every_right_answer_can_be_used(cases):
    @given(cases())
    @settings(max_examples=examples(cases) // 5, **quietly)
    def checked(case):
        assert problem(case.gold, case.kind) is None, case

    checked()


APART = ("integer", "ratio", "interval", "word", "points", "expression")


@pytest.mark.slow
@given(st.data(), st.permutations(APART).map(lambda names: names[:2]))
@settings(max_examples=150, **quietly)
def test_a_value_of_one_type_is_never_one_of_another(data, names):
    given_case, case = (data.draw(strategies.ALL[name]()) for name in names)
    for text in (given_case.gold, given_case.equal):
        assert not grade(rf"\boxed{{{text}}}", case.gold, "math").correct, (text, case.gold)


GOLDS = {
    "option": "B",
    "options": "A, C",
    "choice": '["B", "40"]',
    "any": '["0.5", "plaza"]',
    "word": "red",
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(text=strategies.broken_texts())
@settings(
    max_examples=settings.default.max_examples * 6 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    **quietly,
)
def test_no_text_raises(kind, text):
    verdict = grade(text, GOLDS.get(kind, "12"), kind)
    assert grade(text, GOLDS.get(kind, "12"), kind) == verdict
    assert not (verdict.correct and verdict.extracted is None)


@pytest.mark.slow
@given(gold=strategies.broken_texts(), text=strategies.broken_texts())
@settings(max_examples=150, **quietly)
def test_no_right_answer_raises(gold, text):
    assert grade(text, gold, "math") == grade(text, gold, "math")
