"""Unions, intersections and conditions: the order of sets is free, their signs and ends are not."""

import pytest

from reassess.verifier.comparison import verify
from reassess.verifier.golds import problem

UNION = r"(-\infty,-2)\cup(3,\infty)"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (UNION, r"(3,\infty) \cup (-\infty,-2)"),
        (UNION, "(3, ∞) U (-∞, -2)"),
        (UNION, r"(-\infty,-2)\text{ union }(3,\infty)"),
        (UNION, r"x > 3 \text{ or } x < -2"),
        (UNION, r"\{x : x<-2 \text{ or } x>3\}"),
        (UNION, r"\{x \in \mathbb{R} \mid x<-2\} \cup \{x \in \mathbb{R} \mid x>3\}"),
        ("x<-2 or x>3", UNION),
        (r"(-1,0)\cup(0,1)", "0<x<1 or -1<x<0"),
        (r"(-1,0)\cup(0,1)\cup(2,3)", r"((2,3)\cup(-1,0))\cup(0,1)"),
        (r"(3,\infty)", r"\{x \mid x > 3\}"),
        ("(-2,3)", "x > -2 and x < 3"),
        (r"\{1,2,3\}", r"\{3\} \cup \{1,2\}"),
        (r"\{1\}\cup[2,3]", r"[2,3]\cup\{1\}"),
        (r"A\cup B", r"B\cup A"),
        (r"A\cap B", "B ∩ A"),
        (r"A\cup B\cup C", r"C\cup(A\cup B)"),
        (r"A\cup(B\cap C)", r"(C\cap B)\cup A"),
        (r"(A\cup B)\cap(C\cup D)", r"(D\cup C)\cap(B\cup A)"),
        (r"A^c\cup B", r"B\cup A^c"),
        (r"\overline{A}\cup B", r"B\cup\overline{A}"),
        (r"A_1\cup A_2", r"A_2\cup A_1"),
        (r"S\cup\{1\}", r"\{1\}\cup S"),
    ],
)
def test_the_order_of_joined_sets_is_free(gold, answer):
    assert verify(answer, gold, "math")
    assert verify(gold, answer, "math")
    assert problem(gold, "math") is None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (UNION, r"(3,\infty) \cup (-\infty,-2]"),
        (UNION, r"(3,\infty) \cap (-\infty,-2)"),
        (UNION, "x < -2 and x > 3"),
        (UNION, r"x \le -2 or x > 3"),
        (UNION, r"\{x : x<-2, x>3\}"),
        (UNION, r"\{y : x<-2 \text{ or } x>3\}"),
        (UNION, r"\{x \in \mathbb{Z} : x<-2 \text{ or } x>3\}"),
        (UNION, "x < -2 or y > 3"),
        (UNION, "(3, ∞) U (-∞, -3)"),
        (UNION, r"(-\infty,-2)\cup(3,\infty)\cup(4,5)"),
        ("x < -2 or y > 3", UNION),
        ("(-2,3)", r"x \ge -2 and x < 3"),
        ("(-2,3)", "x > -2 and y < 3"),
        ("(3,-2)", "x > 3 and x < -2"),
        (r"\{1,2,3\}", r"\{3\} \cup \{1,4\}"),
        (r"\{1,2,3\}", r"\{3\} \cap \{1,2\}"),
        ("5", r"\{5\}\cup\{6\}"),
        (r"A\cup B", r"A\cap B"),
        (r"A\cup B", r"A\cup C"),
        (r"A\cup B", r"a\cup B"),
        (r"A\cup B", "A, B"),
        (r"A\cup B", r"\{A, B\}"),
        (r"A\cup B", "A or B"),
        (r"A\cup B", "A"),
        (r"A\cup(B\cap C)", r"(A\cup B)\cap C"),
        (r"A\cup(B\cap C)", r"A\cup B\cap C"),
        (r"A^c\cup B", r"A\cup B^c"),
        (r"\overline{A}\cup B", r"A\cup\overline{B}"),
        (r"A_1\cup A_2", r"A_1\cup A_3"),
        (r"S\cup\{1\}", r"S\cup\{2\}"),
    ],
)
def test_another_sign_bracket_or_set_is_wrong(gold, answer):
    assert not verify(answer, gold, "math")


def test_brackets_within_brackets_are_read_to_a_depth():
    nested = "A" + "".join(rf"\cup({letter}" for letter in "BCDEFGHIJKLMNOPQRSTUVWXYZ" * 4)
    nested += ")" * nested.count("(")
    assert verify(nested, nested, "math")
    assert not verify(nested, r"A\cup B", "math")
