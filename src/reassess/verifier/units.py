"""Units of measurement and counted things behind a number.

Only the names listed here are units: pint, which gives dimensions and conversion, knows so many
names and prefixes that most short words would read as one. A plural noun ("12 apples") names what
is counted and may be left out; a word that changes the number ("12 dozen", "12 million", "12 minus
one") is neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pint import UnitRegistry

# Names by pint's name. Single letters are units only where a space or a text command sets them
# apart from the number; that is decided by the caller.
_LENGTHS = {
    "meter": "m meter meters metre metres 米",
    "kilometer": "km kms kilometer kilometers kilometre kilometres 千米 公里",
    "decimeter": "dm decimeter decimeters decimetre decimetres 分米",
    "centimeter": "cm cms centimeter centimeters centimetre centimetres 厘米",
    "millimeter": "mm millimeter millimeters millimetre millimetres 毫米",
    "micrometer": "μm um micrometer micrometers micrometre micrometres micron microns",
    "nanometer": "nm nanometer nanometers nanometre nanometres",
    "inch": "in inch inches",
    "foot": "ft foot feet",
    "yard": "yd yds yard yards",
    "mile": "mi mile miles",
    "nautical_mile": "nmi",
    "light_year": "ly",
}
_OTHERS = {
    "second": "s sec secs second seconds 秒",
    "millisecond": "ms millisecond milliseconds",
    "microsecond": "μs us microsecond microseconds",
    "nanosecond": "ns nanosecond nanoseconds",
    "minute": "min mins minute minutes 分钟",
    "hour": "h hr hrs hour hours 小时",
    "day": "d day days 天",
    "week": "wk week weeks",
    "month": "month months",
    "year": "yr yrs year years",
    "gram": "g gm gram grams 克",
    "kilogram": "kg kgs kilogram kilograms 千克 公斤",
    "milligram": "mg milligram milligrams 毫克",
    "metric_ton": "t tonne tonnes 吨",
    "ton": "ton tons",
    "pound": "lb lbs pound pounds",
    "ounce": "oz ounce ounces",
    "liter": "L l liter liters litre litres 升",
    "milliliter": "mL ml milliliter milliliters millilitre millilitres 毫升",
    "gallon": "gal gallon gallons",
    "quart": "qt quart quarts",
    "pint": "pt pint pints",
    "cup": "cup cups",
    "tablespoon": "tbsp tablespoon tablespoons",
    "teaspoon": "tsp teaspoon teaspoons",
    "degree": "° deg degree degrees 度",
    "arcminute": "arcmin arcminute arcminutes",
    "radian": "rad radian radians",
    "revolution": "rev revs revolution revolutions",
    "newton": "N newton newtons",
    "kilonewton": "kN kilonewton kilonewtons",
    "joule": "J joule joules",
    "kilojoule": "kJ kilojoule kilojoules",
    "megajoule": "MJ megajoule megajoules",
    "calorie": "cal calorie calories",
    "kilocalorie": "kcal kilocalorie kilocalories",
    "electron_volt": "eV",
    "kiloelectron_volt": "keV",
    "megaelectron_volt": "MeV",
    "watt": "W watt watts",
    "kilowatt": "kW kilowatt kilowatts",
    "megawatt": "MW megawatt megawatts",
    "milliwatt": "mW milliwatt milliwatts",
    "kilowatt_hour": "kWh",
    "horsepower": "hp horsepower",
    "volt": "V volt volts",
    "millivolt": "mV millivolt millivolts",
    "kilovolt": "kV kilovolt kilovolts",
    "ampere": "A amp amps ampere amperes",
    "milliampere": "mA milliamp milliamps milliampere milliamperes",
    "ohm": "Ω ohm ohms",
    "kiloohm": "kΩ kiloohm kiloohms kilohm kilohms",
    "farad": "F farad farads",
    "microfarad": "μF uF microfarad microfarads",
    "henry": "H henry henries",
    "coulomb": "C coulomb coulombs",
    "tesla": "T tesla teslas",
    "weber": "Wb weber webers",
    "hertz": "Hz hertz",
    "kilohertz": "kHz kilohertz",
    "megahertz": "MHz megahertz",
    "gigahertz": "GHz gigahertz",
    "pascal": "Pa pascal pascals",
    "kilopascal": "kPa kilopascal kilopascals",
    "megapascal": "MPa megapascal megapascals",
    "atmosphere": "atm atmosphere atmospheres",
    "mmHg": "mmHg torr",
    "bar": "bar bars",
    "psi": "psi",
    "kelvin": "K kelvin kelvins",
    "mole": "mol mole moles",
    "millimole": "mmol millimole millimoles",
    "hectare": "ha hectare hectares",
    "acre": "acre acres",
    "lumen": "lm lumen lumens",
    "lux": "lx lux",
    "candela": "cd candela candelas",
    "bit": "bit bits",
    "byte": "byte bytes",
    "kilobyte": "kB KB kilobyte kilobytes",
    "megabyte": "MB megabyte megabytes",
    "gigabyte": "GB gigabyte gigabytes",
    "knot": "knot knots",
    # Defined in `_registry`.
    "celsius": "°C celsius centigrade",
    "fahrenheit": "°F fahrenheit",
    "dollar": r"\$ $ dollar dollars USD usd bucks",
    "us_cent": "¢ cent cents",
    "euro": "€ euro euros EUR",
    "sterling": "£ GBP",
    "yuan": "¥ yuan RMB CNY 元",
    "rupee": "₹ rupee rupees INR Rs",
    "unit": "unit units u 单位",
}
_SPEEDS = {
    "mph": {"mile": 1, "hour": -1},
    "kph": {"kilometer": 1, "hour": -1},
    "kmh": {"kilometer": 1, "hour": -1},
    "rpm": {"revolution": 1, "minute": -1},
    "fps": {"foot": 1, "second": -1},
    "平方米": {"meter": 2},
    "平方厘米": {"centimeter": 2},
    "平方分米": {"decimeter": 2},
    "平方千米": {"kilometer": 2},
    "立方米": {"meter": 3},
    "立方厘米": {"centimeter": 3},
    "cc": {"centimeter": 3},
    "sqft": {"foot": 2},
}
NAMES = {
    name: pint_name for pint_name, names in (_LENGTHS | _OTHERS).items() for name in names.split()
}
_SPELLED = {name for name in NAMES if len(name) > 3 and name.isascii() and name.isalpha()}

LONGEST = 60  # characters of a unit
_POWERS_AHEAD = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_POWERS_BEHIND = {"squared": 2, "cubed": 3}
_TOKEN = re.compile(
    r"\s*(?:(?P<name>°\s?[CF]\b|\\\$|[$€£¥₹¢Ω°]|[A-Za-zμΩ]+|[\u4e00-\u9fff]+)\.?"
    r"|(?P<power>\^\s*\{?\s*[-+]?\d\s*\}?|(?<=[a-z])[23](?![0-9]))"
    r"|(?P<operator>/|\\cdot(?![A-Za-z])|\*|\\times(?![A-Za-z])|-(?=[A-Za-z]))"
    r"|(?P<bracket>[()]))"
)  # fmt: skip


def _words(text: str) -> list[str]:
    return text.split()


_NUMBERS = _words(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    hundred thousand lakh crore myriad dozen score gross
    """
)
_PARTS = _words(
    """
    half halve third quarter fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
    hundredth thousandth
    """
)
_CHANGING = {
    *_NUMBERS,
    *_PARTS,
    *(f"{word}s" for word in (*_NUMBERS, *_PARTS)),
    *_words(
        """
        sixes baker bakers baker's k double doubles triple triples quadruple twice thrice pair
        pairs couple couples trio trios times percent percents percentages
        plus minus plusminus over divided multiplied by of squared cubed square cube root roots
        factorial factorials power powers radicals logs exponents mod modulo base choose
        negative negatives positive inverse inverses reciprocal reciprocals
        or and to not no nor but except without besides either neither than versus vs
        less fewer more greater most least under above below between
        about approximately roughly nearly almost maybe perhaps possibly probably guess sometimes
        always otherwise if when unless then hence thus per each every with from at in on off up
        down is was are has does equals equal its this as us yes
        """
    ),
}
_IRREGULAR = set(
    _words(
        """
        people children men women sheep fish mice geese teeth dice cattle police oxen deer vertices
        faces crises criteria data matrices indices axes bacteria cacti foci radii loci
        """
    )
)
_NOUNS = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*(?: [A-Za-z]+(?:[-'][A-Za-z]+)*){0,2}")


@dataclass(frozen=True)
class Unit:
    """A unit as powers of pint's units, or the name of what is counted (then without powers)."""

    powers: tuple[tuple[str, int], ...] = ()
    noun: str = ""


@cache
def parse_unit(text: str) -> Unit | None:
    """The unit that a text names, such as `km/h` or `square inches`; None if it names none."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        return None
    reader = _UnitReader()
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or not reader.take(match):
            return None
        place = match.end()
    return reader.unit()


class _UnitReader:
    """Collects the powers of a unit from its tokens."""

    def __init__(self) -> None:
        self._powers: dict[str, int] = {}
        self._last: dict[str, int] = {}  # powers of the last name
        self._sign = 1  # -1 behind a slash or "per"
        self._ahead = 1  # power of the next name, behind "square" or "cubic"
        self._depth = 0

    def take(self, token: re.Match[str]) -> bool:
        """Take in a token; False if no unit continues with it."""
        if token["bracket"]:
            self._depth += 1 if token["bracket"] == "(" else -1
            return True
        if token["operator"]:
            self._sign = -1 if token["operator"] == "/" else self._sign
            return bool(self._powers)
        if token["power"]:
            return self._raise(int(re.sub(r"[^-+0-9]", "", token["power"])))
        return self._take_name(re.sub(r"\s", "", token["name"]))

    def _take_name(self, name: str) -> bool:
        lower = name.lower()
        if lower == "per":
            self._sign = -1
            return True
        if lower in _POWERS_AHEAD:
            self._ahead = _POWERS_AHEAD[lower]
            return True
        if lower in _POWERS_BEHIND:
            return self._raise(_POWERS_BEHIND[lower])
        powers = _named(name)
        if powers is None:
            return False
        self._last = {unit: power * self._sign * self._ahead for unit, power in powers.items()}
        self._ahead = 1
        self._add(self._last, 1)
        return True

    def _raise(self, power: int) -> bool:
        """Raise the last name to a power."""
        if len(self._last) != 1 or power == 0:
            return False
        self._add(self._last, power - 1)
        self._last = {}
        return True

    def _add(self, powers: dict[str, int], times: int) -> None:
        for name, power in powers.items():
            self._powers[name] = self._powers.get(name, 0) + power * times

    def unit(self) -> Unit | None:
        """The unit; None if the text ends within it. `degrees Celsius` names one unit, not two."""
        if self._depth or self._ahead != 1 or not self._powers:
            return None
        if {"celsius", "fahrenheit"} & set(self._powers):
            self._powers.pop("degree", None)
        return Unit(tuple(sorted((name, power) for name, power in self._powers.items() if power)))


def _named(name: str) -> dict[str, int] | None:
    """The powers of one name; long names in any case, short ones as they are written."""
    if name.lower() in _SPEEDS:
        return dict(_SPEEDS[name.lower()])
    if name in NAMES:
        return {NAMES[name]: 1}
    if name.lower() in _SPELLED:
        return {NAMES[name.lower()]: 1}
    return None


def parse_noun(text: str, *, one: bool) -> Unit | None:
    """What is counted: up to three words of which the last is a plural; None for any other text.

    Args:
        text: the words behind a number.
        one: whether the number is one, behind which a singular stands.
    """
    text = text.strip()
    if _NOUNS.fullmatch(text) is None:
        return None
    words = text.lower().split()
    if words == ["times"]:
        return Unit(noun="times")
    if any(_changes_the_number(word) for word in words) or len(words[-1]) < 3:
        return None
    plural = words[-1] in _IRREGULAR or (
        words[-1].endswith("s") and not words[-1].endswith(("ss", "us", "is"))
    )
    return Unit(noun=" ".join(words)) if plural or one else None


def _changes_the_number(word: str) -> bool:
    return word in _CHANGING or re.search(r"illi(?:on|ard)(?:th)?s?\Z", word) is not None


@cache
def factor_between(source: Unit, target: Unit) -> Fraction | None:
    """By how much a number in one unit is multiplied to be in another; None if it cannot be."""
    if source == target:
        return Fraction(1)
    units = {name for unit in (source, target) for name, _ in unit.powers}
    if source.noun or target.noun or units & {"celsius", "fahrenheit"}:
        return None  # of two scales of temperature the zeros differ, too
    if any(_power_of(kind, source) != _power_of(kind, target) for kind in _WITHOUT_DIMENSION):
        return None
    from pint import DimensionalityError

    try:
        factor = _registry().convert(Fraction(1), _written(source), _written(target))
    except DimensionalityError:
        return None
    return Fraction(factor)


# To pint, angles and amounts of information have no dimension and would convert into each other.
_WITHOUT_DIMENSION = (
    {"degree", "radian", "revolution", "arcminute"},
    {"bit", "byte", "kilobyte", "megabyte", "gigabyte"},
)


def _power_of(names: set[str], unit: Unit) -> int:
    return sum(power for name, power in unit.powers if name in names)


def _written(unit: Unit) -> str:
    return " * ".join(f"{name} ** {power}" for name, power in unit.powers)


@cache
def _registry() -> UnitRegistry[Fraction]:
    """Pint's units and those of money, in exact fractions."""
    import pint

    registry = cast(
        "UnitRegistry[Fraction]", pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
    )
    for line in (
        "dollar = [dollar]",
        "us_cent = 0.01 * dollar",
        "euro = [euro]",
        "sterling = [sterling]",
        "yuan = [yuan]",
        "rupee = [rupee]",
        "unit = [unit]",
    ):
        registry.define(line)
    return registry
