"""Right answers are of use if they verify, and if wrong ones close to them do not."""

import json

import pytest

from reassess.verifier import golds
from reassess.verifier.comparison import KINDS
from reassess.verifier.golds import (
    DOES_NOT_VERIFY,
    NEVER_ENDS,
    WRONG_VERIFIES,
    perturbations,
    problem,
)
from reassess.verifier.math_worker import Undecided
from reassess.worlds.micro.items import make_item


def choice(letter, text):
    return json.dumps([letter, text])


@pytest.mark.parametrize(
    ("answer", "kind", "wrong"),
    [
        ("48", "integer", {"58", "49", "-48"}),
        ("2√{2}", "math", {r"3\sqrt{2}", r"2\sqrt{3}", r"-2\sqrt{2}", r"2\sqrt[3]{2}", "2"}),
        (r"\sqrt[3]{5}", "math", {r"\sqrt{5}", "(5)", r"-\sqrt[3]{5}"}),
        ("10^{-8}", "math", {"10^{-9}", "10", "-10^{-8}"}),
        ("1,234", "math", {"2,234", "1,235", "-1,234"}),
        ("52_{8}", "math", {"52", "52_{9}"}),
        ("3 - x", "math", {"3", "4 - x", "-3 - x"}),
        ("y = 2x + 1", "math", {"y = 3x + 1", "y = -2x + 1"}),
        (r"(-1, \frac{1}{2}]", "math", {r"(1, \frac{1}{2}]", r"(-1, \frac{1}{3}]"}),
        ("silent", "math", {"ilents"}),
        (r"\angle ACB", "math", {r"\angle CBA"}),
        ("red", "word", {"edr"}),
        (r"\text{(C)}", "math", {"A"}),
        (r"\cot x", "math", {r"-\cot x"}),
        (r"(-\infty, 0]", "math", {r"(\infty, 0]", r"(-\infty, 1]"}),
        ("B", "option", {"A"}),
        ("A", "option", {"B"}),
        ("BD", "options", {"D", "B, D, A"}),
        (choice("B", "48"), "choice", {"A"}),
        (json.dumps(["0.5", "plaza"]), "any", {"1.5", "0.6", "lazap"}),
    ],
)
def test_wrong_answers_are_close_to_the_right_one(answer, kind, wrong):
    made = list(perturbations(answer, kind))
    assert wrong <= set(made)
    assert answer not in made
    assert made == list(perturbations(answer, kind))


@pytest.mark.parametrize(
    ("answer", "kind", "right"),
    [
        ("0", "math", "-0"),
        (r"\pm 3", "math", r"-\pm 3"),
        ("(0, 1)", "math", "(-0, 1)"),
        ("(3x)^2", "math", "(-3x)^2"),
        ("1", "math", "(1)^{2}"),
        ("1^{3}", "math", "1"),
        (r"\sqrt{1}", "math", "(1)"),
        ("52_{10}", "math", "52"),
        ("4/1", "math", "4"),
        (r"5 \text{ km}", "math", "5"),
        (r"25\%", "math", "25"),
        (r"\angle C=117^\circ", "math", "117"),
        ("aaa", "word", "aaa"),
        (r"\overline{AB}", "math", r"\overline{BA}"),
        ("0.333", "near", "0.334"),
    ],
)
def test_what_is_the_same_by_construction_is_no_wrong_answer(answer, kind, right):
    made = [text.replace(" ", "") for text in perturbations(answer, kind)]
    assert right.replace(" ", "") not in made


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("0", "integer"),
        ("green", "word"),
        ("(2^{10})^{10}", "math"),
        ("D", "option"),
        ("B, D", "options"),
        (choice("A", r"$\frac{1}{2}$"), "choice"),
        (choice("A", ""), "choice"),  # its text is drawn
        (choice("A", "C. elegans"), "choice"),  # reads as a letter
        (json.dumps(["24/7", "3.429"]), "any"),
        ("3.10", "number"),
        ("0.333", "near"),
        ("2√{2}", "math"),
        ("6√{3}米", "math"),
        ("6.6\\times10^{-34}", "math"),
        ("(3, 4]", "math"),
        ("Evelyn", "math"),
        (r"\triangle ABC", "math"),
        (r"\angle C=117^\circ", "math"),
    ],
)
def test_usable_right_answers_have_no_problem(answer, kind):
    assert kind in KINDS
    assert problem(answer, kind) is None


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ("2√{2", "math", DOES_NOT_VERIFY),  # closes no box
        ("", "math", DOES_NOT_VERIFY),
        ("x" * 600, "math", DOES_NOT_VERIFY),  # longer than an extracted answer may be
        ("five", "option", DOES_NOT_VERIFY),
        ("B or D", "options", DOES_NOT_VERIFY),
        (json.dumps([]), "any", DOES_NOT_VERIFY),
        (json.dumps(["5", "2√{2"]), "any", DOES_NOT_VERIFY),
        (choice("(A) or (B)", "48"), "choice", DOES_NOT_VERIFY),
        (r"0 \times 5", "math", WRONG_VERIFIES),  # and so does 0 times 6
    ],
)
def test_unusable_right_answers_have_a_reason(answer, kind, reason):
    assert problem(answer, kind) == reason


@pytest.mark.parametrize("hard", ["7/3", "8/3"])
def test_an_undecided_comparison_is_a_problem_of_right_and_of_wrong_answers(monkeypatch, hard):
    compare = golds.verify

    def verify(extracted, answer, kind):
        if extracted == hard:
            raise Undecided("it takes long")
        return compare(extracted, answer, kind)

    monkeypatch.setattr(golds, "verify", verify)
    problem.cache_clear()
    assert problem("7/3", "math") == NEVER_ENDS
    problem.cache_clear()


def test_all_right_answers_of_the_micro_world_can_be_used():
    items = [make_item("train", 0, index) for index in range(300)]
    answers = {(item.answer, item.answer_kind) for item in items}
    assert {"integer", "word"} <= {kind for _, kind in answers} and len(answers) > 10
    assert [answer for answer in answers if problem(*answer)] == []
