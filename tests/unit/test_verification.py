"""Every kind of answer, the traps of stock scorers, and the worker of math-verify."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.verifier import grade
from reassess.verifier.comparison import KINDS, verify
from reassess.verifier.extraction import extract, is_well_formed
from reassess.verifier.grammar import parse
from reassess.verifier.options import option_of
from reassess.verifier.values import Number, Quantity

CHOICE = json.dumps(["B", "40°"])
THOUGHT = "<think>A cat. (C) is wrong, so $x$ is left; \\boxed{C} was a guess.</think>"


@pytest.mark.parametrize(
    ("completion", "answer", "kind", "right"),
    [
        # MMMU: the stock parser reads neither box nor tag and then draws an option at random;
        # `(C)` in a thought wins over the box.
        ("\\boxed{B}", CHOICE, "choice", True),
        ("<answer>B</answer>", CHOICE, "choice", True),
        (THOUGHT + " \\boxed{B}", CHOICE, "choice", True),
        (THOUGHT, CHOICE, "choice", False),
        ("I cannot tell.", CHOICE, "choice", False),
        # MMMU, open questions: the stock reader takes the answer letter by letter and scores all
        # of them 0; the right answer may be a list.
        ("\\boxed{0.5}", json.dumps(["0.5", "1/2"]), "any", True),
        ("\\boxed{1/2}", json.dumps(["0.5"]), "any", True),
        ("\\boxed{0.6}", json.dumps(["0.5", "1/2"]), "any", False),
        # MMStar: the stock rule reads the first character.
        (THOUGHT + "\\boxed{B}", "B", "option", True),
        ("A triangle is shown. \\boxed{B}", "B", "option", True),
        ("\\boxed{A triangle}", "A", "option", False),
        # MathVista: the gold of a choice is its text; no answer must not become the nearest choice.
        ("\\boxed{40°}", CHOICE, "choice", True),
        ("\\boxed{(B) 40°}", CHOICE, "choice", True),
        ("\\boxed{(C) 40°}", CHOICE, "choice", False),
        ("\\boxed{B. 40°}", CHOICE, "choice", True),
        ("", CHOICE, "choice", False),
        ("\\boxed{1.24}", "1.2", "number", True),
        ("\\boxed{1.26}", "1.2", "number", False),
        ("\\boxed{5.0}", "5", "number", True),
        ("\\boxed{5.3}", "5", "number", False),
        ("\\boxed{0.25\\%}", "0.25", "number", False),
        ("\\boxed{25\\%}", "0.25", "number", True),
        # MATH-500: the stock task reads what stands between dollars and never a box.
        (THOUGHT + " The answer is \\boxed{5}.", "5", "math", True),
        ("$\\boxed{\\frac{1}{2}}$", "0.5", "math", True),
        # GSM8K and money.
        ("\\boxed{\\$1,234}", "1234", "number", True),
        ("\\boxed{1{,}234 \\text{ dollars}}", "1234", "number", True),
        ("\\boxed{12,34}", "1234", "number", False),
        # DynaMath: within .001.
        ("\\boxed{0.3335}", "0.333", "near", True),
        ("\\boxed{0.335}", "0.333", "near", False),
        # LogicVista: sets of letters.
        ("\\boxed{D, B}", "B, D", "options", True),
        ("\\boxed{B and D}", "B, D", "options", True),
        ("\\boxed{B}", "B, D", "options", False),
        ("\\boxed{B, D, E}", "B, D", "options", False),
        # A thought that was cut off leaves no answer, whatever stands in it.
        ("<think>so it is \\boxed{B}", CHOICE, "choice", False),
        # MathVision: the last box counts, and only one letter in it.
        ("\\boxed{A} no, \\boxed{B}", "B", "option", True),
        ("\\boxed{A or B}", "B", "option", False),
        ("\\boxed{\\text{B}}", "B", "option", True),
    ],
)
def test_traps(completion, answer, kind, right):
    assert grade(completion, answer, kind).correct is right


@pytest.mark.parametrize(
    ("text", "letter"),
    [("B", "B"), ("b", "B"), ("(B)", "B"), ("[C]", "C"), ("B.", "B"), ("B: 40", "B"), ("B) 40", "B"), ("\\textbf{D}", "D"), ("$E$", "E"),
     ("A triangle", None), ("AB", None), ("", None), ("1", None), ("B40", None)],
)  # fmt: skip
def test_option_letters(text, letter):
    assert option_of(text) == letter


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", "5"), ("-5.50", "-5.50"), ("1,234.5", "1234.5"), ("40°", "40"), ("40^\\circ", "40"), ("12 cm", "12"), ("12 cm^2", "12"),
     ("50\\%", "50"), ("3.", "3"), (".5", ".5"), ("1,23", None), ("1.2.3", None), ("five", "5"), ("", None), ("5e3x9", None)],
)  # fmt: skip
def test_numbers(text, number):
    value = parse(text)
    if isinstance(value, Quantity):
        value = value.amount
    if number is None:
        assert not isinstance(value, Number)
    else:
        assert value.shown == Fraction(number)


@given(st.text(max_size=200), st.sampled_from(sorted(set(KINDS) - {"math", "any", "choice"})))
def test_no_text_makes_a_comparison_raise(text, kind):
    assert verify(text, "B", kind) in (True, False)


@given(st.decimals(-(10**6), 10**6, places=3), st.integers(0, 3))
def test_a_number_rounded_to_the_golds_decimals_is_right(value, places):
    gold = f"{value:.{places}f}"
    assert verify(gold, gold, "number")
    assert verify(f"{gold}" + ("000" if "." in gold else ".000"), gold, "number")


def test_an_answer_of_another_kind_is_compared_as_mathematics():
    assert verify("2/4", "1/2", "something new")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("<think>a b</think> \\boxed{1}", True),
        ("  <think>a</think> so it is \\boxed{\\frac{1}{2}}.", True),
        ("<think></think> \\boxed{1}", False),
        ("<think> \n</think> \\boxed{1}", False),
        ("<think>a</think> 1", False),
        ("<think>a</think> \\boxed{1} \\boxed{2}", False),
        ("<think>a</think> \\boxed{1", False),
        ("<think>a <think>b</think> \\boxed{1}", False),
        ("x <think>a</think> \\boxed{1}", False),
        ("<think>\\boxed{1}</think>", False),
        ("\\boxed{1}", False),
    ],
)
def test_the_layout_with_tags(text, good):
    assert is_well_formed(text) is good


def test_what_stands_in_a_thought_is_no_answer():
    assert extract("<think>\\boxed{1}</think> then Answer: 2") == "2"
    assert extract("<think>a</think><think>b</think>\\boxed{3}") == "3"
    assert extract("</think>\\boxed{4}") == "4"
    assert extract("<think>\\boxed{5}") is None
