"""Units behind numbers: which words are units, which name what is counted, and which are neither."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.verifier.units import NAMES, Unit, factor_between, parse_noun, parse_unit


@pytest.mark.parametrize(
    ("text", "powers"),
    [
        ("km", {"kilometer": 1}),
        ("Kilometers", {"kilometer": 1}),
        ("km/h", {"kilometer": 1, "hour": -1}),
        ("miles per hour", {"mile": 1, "hour": -1}),
        ("m s^{-2}", {"meter": 1, "second": -2}),
        ("m/s^2", {"meter": 1, "second": -2}),
        ("square inches", {"inch": 2}),
        ("cubic feet", {"foot": 3}),
        ("cm squared", {"centimeter": 2}),
        ("cm2", {"centimeter": 2}),
        ("kg \\cdot m", {"kilogram": 1, "meter": 1}),
        ("degrees Celsius", {"celsius": 1}),
        ("°", {"degree": 1}),
        ("平方厘米", {"centimeter": 2}),
    ],
)
def test_units_are_powers_of_named_units(text, powers):
    assert dict(parse_unit(text).powers) == powers


@pytest.mark.parametrize(
    "text",
    ["million", "dozen", "cats", "minus one", "x", "", "per", "square", "/m", "m^0", "(m", "k", "pens", "times", "km million", "or m"],
)  # fmt: skip
def test_words_that_pint_would_take_apart_are_no_units(text):
    assert parse_unit(text) is None


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("km", "m", Fraction(1000)),
        ("m", "km", Fraction(1, 1000)),
        ("inch", "cm", Fraction(254, 100)),
        ("foot", "inch", Fraction(12)),
        ("mile", "foot", Fraction(5280)),
        ("km/h", "m/s", Fraction(5, 18)),
        ("m^2", "cm^2", Fraction(10_000)),
        ("hours", "minutes", Fraction(60)),
        ("cents", "dollars", Fraction(1, 100)),
        ("L", "cm^3", Fraction(1000)),
        ("degrees", "radians", Fraction(31415926535897932385, 18 * 10**20)),
        ("byte", "bits", Fraction(8)),
        ("byte", "radians", None),
        ("m", "m^2", None),
        ("kg", "m", None),
        ("dollars", "euros", None),
        ("°C", "°F", None),
    ],
)
def test_conversion_is_exact_and_keeps_dimensions(source, target, factor):
    measured = factor_between(parse_unit(source), parse_unit(target))
    assert (measured is None) == (factor is None)
    assert measured is None or abs(measured - factor) < Fraction(1, 10**20)


def test_every_listed_unit_is_known_to_the_library_or_defined():
    for name in set(NAMES.values()) - {"celsius", "fahrenheit"}:
        squared = factor_between(
            Unit(((name, 1),)), Unit(((name, 2),))
        )  # raises for an unknown one
        assert (squared is None) or name in ("degree", "radian", "revolution", "arcminute")


@given(st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(NAMES)))
def test_a_conversion_and_its_reverse_cancel(one, other):
    one, other = parse_unit(one), parse_unit(other)
    if one is None or other is None:
        return
    forth, back = factor_between(one, other), factor_between(other, one)
    assert (forth is None) == (back is None)
    assert forth is None or forth * back == 1


@pytest.mark.parametrize("text", ["apples", "red apples", "people", "students", "square tiles"])
def test_a_plural_names_what_is_counted(text):
    assert (parse_noun(text, one=False) is not None) is (text != "square tiles")


@pytest.mark.parametrize(
    "text",
    ["million", "quintillions", "dozen", "dozens", "minus one", "less apples", "thousandths", "halves", "apple", "or apples", "squared", "tens", "baker's dozens",
     "apples and pears", "more or less", "percent", "pairs", "as", "x", "apples are not"],
)  # fmt: skip
def test_a_word_that_changes_the_number_names_nothing(text):
    assert parse_noun(text, one=False) is None


def test_one_thing_is_a_singular():
    assert parse_noun("apple", one=True) is not None
    assert parse_noun("million", one=True) is None
