"""The verifier on right, wrong and tricky completions: it never raises an error."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.verifier import grade
from reassess.verifier.comparison import verify
from reassess.verifier.extraction import extract, is_well_formed
from reassess.verifier.rewards import accuracy_reward, format_reward


@pytest.mark.parametrize(
    ("completion", "extracted"),
    [
        ("Answer: 3", "3"),
        ("no 0 gs 1. Answer: 1", "1"),
        ("Answer: 1 no wait. Answer: 2", "2"),
        ("Answer:4", "4"),
        ("The result is \\boxed{12}.", "12"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{1} then \\boxed{{2}}", "{2}"),
        ("<answer> 7 </answer>", "7"),
        ("Answer: 1 <answer>2</answer> \\boxed{3}", "3"),
        ("\\boxed{unclosed", None),
        ("", None),
        ("no answer at all", None),
        ("Answer: ", None),
        ("<answer></answer>", None),
        ("\\boxed{" * 5000, None),
        ("\\boxed{" + "{" * 5000 + "}" * 5001, None),
    ],
)
def test_extraction(completion, extracted):
    assert extract(completion) == extracted


@pytest.mark.parametrize(
    ("extracted", "answer", "kind", "right"),
    [
        ("3", "3", "integer", True),
        ("03", "3", "integer", True),
        ("-0", "0", "integer", True),
        ("3.", "3", "integer", True),
        ("3.5", "3", "integer", False),
        ("three", "3", "integer", True),
        ("30", "3", "integer", False),
        ("Red", "red", "word", True),
        ("equal", "red", "word", False),
        ("(B)", "B", "option", True),
        ("b", "B", "option", True),
        ("A or B", "B", "option", False),
        (None, "B", "option", False),
        ("0.5", "\\frac{1}{2}", "math", True),
        ("\\frac{2}{4}", "\\frac{1}{2}", "math", True),
        ("x+1", "1+x", "math", True),
        ("0.51", "\\frac{1}{2}", "math", False),
        ("\\frac{", "\\frac{1}{2}", "math", False),
        ("__import__('os').system('true')", "1", "math", False),
        ("9" * 500, "1", "math", False),
    ],
)
def test_verification(extracted, answer, kind, right):
    assert verify(extracted, answer, kind) is right


@given(st.text(max_size=300), st.text(max_size=20), st.sampled_from(["integer", "word", "option"]))
def test_no_text_makes_the_verifier_raise(completion, answer, kind):
    verdict = grade(completion, answer, kind)
    assert verdict.correct is False or verdict.extracted is not None


@given(st.integers(-(10**30), 10**30), st.integers(0, 5))
def test_whole_numbers_are_right_however_they_are_padded(number, zeros):
    sign, digits = ("-" if number < 0 else ""), "0" * zeros + str(abs(number))
    assert verify(sign + digits, str(number), "integer")
    assert not verify(sign + digits, str(number + 1), "integer")


@pytest.mark.parametrize(
    "completion",
    [
        "1" * 10_000,
        "Answer: " + "1" * 10_000,
        "{" * 50_000,
        "a " * 50_000,
        ". Answer: " * 20_000,
        "\u202e" * 9999,
    ],
)
def test_monstrous_completions_are_wrong(completion):
    assert grade(completion, "1", "integer").correct is False


REFERENCE = re.compile(r"\s*(?:\S+ ){5,}\S+\. Answer: \w+")
pieces = st.lists(
    st.sampled_from(["gs", "no", "1", " ", "  ", "\n", ".", ". Answer: 1", "Answer:", "x.", " . "]),
    max_size=16,
).map("".join)


@given(pieces)
def test_the_format_rule_is_the_regular_expression_it_stands_for(text):
    assert is_well_formed(text) == (REFERENCE.fullmatch(text) is not None)


def test_rewards_are_verdicts():
    completions = ["a 0 b 0 c 1. Answer: 1", [{"role": "assistant", "content": "Answer: 1"}], ""]
    answers = {"answer": ["1", "1", "1"], "answer_kind": ["integer"] * 3}
    assert accuracy_reward(completions, **answers) == [1.0, 1.0, 0.0]
    assert format_reward(completions, **answers) == [1.0, 0.0, 0.0]
