"""The grammar of answers: every text has one type, and the symbolic engine sees expressions only."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.verifier.grammar import parse
from reassess.verifier.values import (
    BaseNumber,
    Collection,
    Expression,
    Number,
    Points,
    Quantity,
    Ratio,
    Relation,
    Text,
    Words,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5.50", Fraction(-11, 2)),
        ("1,234,567", 1_234_567),
        ("10 000", 10_000),
        ("11,\\! 111", 11_111),
        ("\\frac{3}{4}", Fraction(3, 4)),
        ("\\frac34", Fraction(3, 4)),
        ("3/4", Fraction(3, 4)),
        ("1\\frac{1}{2}", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        ("1½", Fraction(3, 2)),
        ("½", Fraction(1, 2)),
        ("3.1\\times10^{-34}", Fraction(31, 10**35)),
        ("3.1×10⁻³⁴", Fraction(31, 10**35)),
        ("3.1e-34", Fraction(31, 10**35)),
        ("10^{-8}", Fraction(1, 10**8)),
        ("25\\%", Fraction(1, 4)),
        ("0.\\overline{3}", Fraction(1, 3)),
        ("0.1\\overline{6}", Fraction(1, 6)),
        ("５．５", Fraction(11, 2)),
        ("5 million", 5_000_000),
        ("2 dozen", 24),
        ("{5}", 5),
        ("(5)", 5),
        ("$5$.", 5),
        ("52_{10}", 52),
    ],
)
def test_numbers(text, value):
    number = parse(text)
    assert isinstance(number, Number)
    assert number.value == value


@pytest.mark.parametrize(
    ("text", "step", "digits"),
    [("3.14", Fraction(1, 100), 3), ("0.050", Fraction(1, 1000), 2), ("3.1\\times10^{2}", Fraction(10), 2), ("3", None, 0), ("\\frac{1}{3}", None, 0), ("2.5\\%", Fraction(1, 1000), 2)],
)  # fmt: skip
def test_the_precision_of_a_number(text, step, digits):
    number = parse(text)
    assert (number.step, number.digits) == (step, digits)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("5 km", Quantity),
        ("\\$18.90", Quantity),
        ("2\\sqrt{3} cm", Quantity),
        ("12 apples", Quantity),
        ("52_8", BaseNumber),
        ("1010 base 2", BaseNumber),
        ("3:4", Ratio),
        ("silent", Words),
        ("salt and pepper", Words),
        ("偶数", Words),
        ("ABC", Points),
        ("\\angle ABC", Points),
        ("(1, 2)", Collection),
        ("1, 2", Collection),
        ("5 or 6", Collection),
        ("\\pm 3", Collection),
        ("x > 3", Collection),
        ("x = 5", Relation),
        ("2x + z = 1", Relation),
        ("x + 1", Expression),
        ("2\\sqrt{3}", Expression),
        ("5m", Expression),
        ("B", Expression),
        ("12 minus one", Text),
        ("12 zillion", Text),
        ("2024-03-14", Text),
        ("__import__('os').system('true')", Text),
        ("", Text),
    ],
)
def test_types(text, kind):
    assert type(parse(text)) is kind


@given(st.text(alphabet="aeinstorlx0123456789+- ", min_size=4, max_size=40))
def test_the_engine_never_sees_a_word(text):
    if isinstance(parse(text), Expression):
        assert all(len(word) <= 3 or word == "sin" for word in re.findall("[a-z]+", text))


@given(st.text(max_size=200))
def test_every_text_has_a_value(text):
    assert parse(text) == parse(text)


@given(st.text(alphabet="()[]{}\\,;|<>=+-/^_.$%0aB ormp", max_size=80))
def test_every_heap_of_signs_has_a_value(text):
    assert isinstance(
        parse(text),
        Number | Quantity | Expression | BaseNumber | Ratio | Words | Points | Collection | Relation | Text,
    )  # fmt: skip


@given(st.integers(-(10**20), 10**20), st.integers(0, 6))
def test_a_decimal_is_read_exactly(digits, places):
    value = Fraction(digits, 10**places)
    sign = "-" if digits < 0 else ""
    whole, part = divmod(abs(digits), 10**places)
    text = f"{sign}{whole}" + (f".{part:0{places}d}" if places else "")
    assert parse(text).value == value
    assert parse(f"{sign}{whole:,}" + (f".{part:0{places}d}" if places else "")).value == value
