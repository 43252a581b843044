"""Numbers in words: a closed table, strict about what reads in two ways."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.verifier.comparison import verify
from reassess.verifier.golds import problem
from reassess.verifier.grammar import parse
from reassess.verifier.number_words import number_in_words
from reassess.verifier.values import Number

SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(number, link=" and "):
    """A whole number below a billion in words."""
    for name, scale in (("million", 10**6), ("thousand", 10**3)):
        if number >= scale:
            rest = number % scale
            gap = link if rest < 100 else " "
            head = f"{spelled(number // scale, link)} {name}"
            return head + (gap + spelled(rest, link) if rest else "")
    if number >= 100:
        rest = number % 100
        return f"{SMALL[number // 100]} hundred" + (link + spelled(rest) if rest else "")
    if number < 20:
        return SMALL[number]
    ten, one = divmod(number, 10)
    return TENS[ten - 2] + (f"-{SMALL[one]}" if one else "")


@given(st.integers(0, 10**9 - 1), st.sampled_from([" ", " and "]), st.booleans())
def test_every_whole_number_is_read_as_it_is_spelled(number, link, title):
    words = spelled(number, link)
    words = words.title().replace("And", "and") if title else words
    assert parse(words) == Number(Fraction(number))
    assert verify(words, str(number), "math")
    assert not verify(words, str(number + 1), "math")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("twenty one", 21),
        ("a hundred", 100),
        ("twelve hundred", 1200),
        ("two dozen", 24),
        ("a dozen", 12),
        ("negative three", -3),
        ("minus seven", -7),
        ("two thirds", Fraction(2, 3)),
        ("three-quarters", Fraction(3, 4)),
        ("half", Fraction(1, 2)),
        ("one third", Fraction(1, 3)),
        ("two and a half", Fraction(5, 2)),
        ("one and a half million", 1_500_000),
        (r"\text{Forty-two}.", 42),
    ],
)
def test_other_numbers_in_words(words, value):
    assert parse(words) == Number(Fraction(value))


@pytest.mark.parametrize(
    "words",
    [
        "twenty eleven", "nineteen eighty four", "three three", "two third", "twenty third",
        "two hundred thousandths", "one million and one thousand", "a", "third", "quarter",
        "hundred", "ones", "threes", "threee", "third of two", "two thousand three hundred thousand",
        "three or more", "three squared", "five times", "one of them", "seven sisters",
        "three and", "three point one", "seventh", "twenty second", "", "-",
    ],
)  # fmt: skip
def test_what_reads_in_two_ways_is_no_number(words):
    assert not isinstance(parse(words), Number)
    found = number_in_words(words)
    assert found is None or found[1]


@pytest.mark.parametrize(
    ("gold", "answer", "kind"),
    [
        ("3", "three", "math"),
        ("three", "3", "math"),
        ("three", "Three", "math"),
        ("3", "three", "integer"),
        ("3", "three", "number"),
        (json.dumps(["three", "III"]), "3", "any"),
        (json.dumps(["B", "three"]), "3", "choice"),
        (json.dumps(["B", "3"]), "B) three", "choice"),
        ("21", r"\text{twenty-one}", "math"),
        (r"3\text{ cm}", "three centimeters", "math"),
        ("20", "twenty seconds", "math"),
        ("50\\%", "fifty percent", "math"),
        (r"\frac{2}{3}", "two thirds", "math"),
        ("24", "two dozen", "math"),
        ("3, 4", "four, three", "math"),
        ("x = 3", "x = three", "math"),
        ("three", "three", "word"),
    ],
)
def test_words_and_digits_are_the_same_number(gold, answer, kind):
    assert verify(answer, gold, kind)
    assert problem(gold, kind) is None


@pytest.mark.parametrize(
    ("gold", "answer", "kind"),
    [
        ("3", "three", "word"),
        ("three", "3", "word"),
        ("2", "two dozen", "math"),
        ("two", "two dozen", "math"),
        ("12", "12 dozen", "math"),
        ("3", "thirteen", "math"),
        ("3", "three or four", "math"),
        ("3", "three hundred", "math"),
        ("3", "three million", "math"),
        ("3", "not three", "math"),
        ("3", "three squared", "math"),
        ("4", "three = 4", "math"),
        ("20", "twenty second", "math"),
        ("20", "twenty third", "math"),
        ("Seven Samurai", "7", "math"),
        ("ten", "net", "math"),
        ("three", "there", "math"),
        (json.dumps(["B", "3"]), "B) four", "choice"),
        ("B", "two", "option"),
    ],
)
def test_another_number_is_wrong(gold, answer, kind):
    assert not verify(answer, gold, kind)
