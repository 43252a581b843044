"""Numbers too large to compute: equal to themselves in other brackets, and never evaluated."""

import pytest

from reassess.verifier import symbolic
from reassess.verifier.comparison import verify
from reassess.verifier.golds import problem
from reassess.verifier.grammar import parse
from reassess.verifier.huge_numbers import with_names
from reassess.verifier.notation import clean

TOWER = "2^{2^{2^{10}}}"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (TOWER, TOWER),
        (TOWER, "2^{(2^{(2^{10})})}"),
        (TOWER, "2^(2^(2^10))"),
        (TOWER, "2^{2^{1024}}"),
        (TOWER, f"x = {TOWER}"),
        (f"n = {TOWER}", TOWER),
        (f"{TOWER}-1", f"-1 + {TOWER}"),
        (rf"\frac{{{TOWER}-1}}{{3}}", f"({TOWER}-1)/3"),
        ("2^{1000000}", "4^{500000}"),
        (r"3\cdot 10^{1000000}", r"3\times10^{1000000}"),
        (r"10^{10^{10}}", "10^{10000000000}"),
        ("100000!-1", "-1+100000!"),
        ("y=2^{1000000}x", "y-2^{1000000}x=0"),
        ("2^{2^{10}}", "2^{1024}"),
        ("2^{2^{n}}", "2^{2^n}"),
    ],
)
def test_a_huge_number_is_itself(gold, answer):
    assert verify(answer, gold, "math")
    assert [problem(gold, kind) for kind in ("math", "number", "near")] == [None] * 3


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (TOWER, "2^{2^{2^{11}}}"),
        (TOWER, "2^{2^{3^{10}}}"),
        (TOWER, "3^{2^{2^{10}}}"),
        (TOWER, "(2^{2^2})^{10}"),
        (TOWER, "2^{2^{10}}"),
        (TOWER, "2"),
        (TOWER, f"-{TOWER}"),
        (TOWER, f"{TOWER}+1"),
        (TOWER, f"1/{TOWER}"),
        ("2^{1000000}", "2^{1000001}"),
        ("2^{1000000}", "2^{1000000}0"),
        ("2^{1000000}", "2^{1000000}!"),
        ("2^{1000000}", "2^{1000000.5}"),
        ("2^{1000000}", with_names("2^{1000000}")),
        ("100000!", "100001!"),
        ("0", r"\lfloor \frac{2^{1000000}}{10^9} \rfloor"),
        ("y=2^{1000000}x", "y-2^{1000001}x=0"),
    ],
)
def test_another_huge_number_is_wrong(gold, answer):
    assert not verify(answer, gold, "math")


@pytest.mark.parametrize(
    "text",
    [
        TOWER,
        "9^" * 400 + "9",
        "9^{" * 300 + "9" + "}" * 300,
        "2^{" + "9" * 900 + "}",
        "9" * 400 + "^{" + "9" * 400 + "}",
        "1" + "+2^{1000000}" * 80,
        "2^(" * 300,
        "2^{2^{1000000}}!",
        "(2^{1000000})!",
        "2^{100000!}",
        "9" * 900 + "!",
        r"\frac{" * 150 + "2^{1000000}" + "}{2}" * 150,
    ],
)
def test_the_engine_computes_no_huge_number(text):
    """What reaches it as an expression has no power of numbers beyond the limits."""
    value = parse(text)
    latex = getattr(value, "latex", "")
    assert "1000000" not in latex.replace("p1000000", "") and "9" * 20 not in latex.split("_")[0]
    assert symbolic.value(latex) is None if latex else True
    assert verify(text, text, "math")


def test_many_spaces_cost_little():
    """They are one before any pattern tries to match from each of them."""
    assert clean("a" + " " * 20_000 + "third") == "a third"
