"""Answers of each type with other ways to write the same value, and with values close to it.

A strategy draws a `Case`: a right answer, an answer that is equal to it, and one that is not. The
expected verdicts come from the values that a case is made of, never from the verifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from math import gcd

from hypothesis import strategies as st


@dataclass(frozen=True)
class Case:
    """A right answer, an equal one and a different one."""

    gold: str
    equal: str
    different: str
    kind: str = "math"


def one_of(draw, *texts):
    """One of some texts; None is left out."""
    return draw(st.sampled_from([text for text in texts if text is not None]))


def signed(value):
    """Whole numbers other than zero, up to a size."""
    return st.integers(-value, value).filter(bool)


def full_width(text):
    """The text with full-width digits."""
    return text.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})


@st.composite
def integers(draw):
    number = draw(signed(10**7))
    kind = draw(st.sampled_from(["math", "integer", "number"]))
    equal = one_of(
        draw,
        str(number),
        f"{number}.0",
        f"{number:,}",
        f"{number:,}".replace(",", "{,}"),
        f"{number:,}".replace(",", r",\!"),
        rf"\frac{{{2 * number}}}{{2}}",
        f"{3 * number}/3",
        rf"\text{{{number}}}",
        rf"\mathbf{{{number}}}",
        full_width(str(number)),
        str(number).replace("-", "−"),
        f"{number}\\%",
        rf"\$ {number}" if number > 0 else None,
        f"n = {number}",
        f"{number} apples",
        rf"\left({number}\right)",
        rf"\{{{number}\}}" if kind != "number" else None,
    )
    different = one_of(
        draw,
        str(number + 1),
        str(-number),
        f"{number}.5",
        f"{number}.01",
        f"{2 * number + 1}/2",
        f"{number}0",
        f"{number} million",
        f"{number} dozen",
        f"{number} minus one",
        f"{number} thousand",
        f"{number} or {number + 1}",
        f"{number}, {number + 1}",
        f"({number}, {number})",
        rf"{number}x",
        rf"\frac{{1}}{{{number}}}" if abs(number) > 1 else None,
        f"x > {number}",
        f"{number}:2",
        f"{abs(number)}_8",
        f"not {number}",
        "",
    )
    return Case(str(number), equal, different, kind)


def written(value, step):
    """A decimal with as many places as its step has."""
    return f"{value.quantize(step):f}"


@st.composite
def decimals(draw):
    """Decimals of three significant digits and two places at least, which may be rounded numbers.

    For the kind `number` one place is enough.
    """
    kind = draw(st.sampled_from(["math", "number"]))
    places = draw(st.integers(2 if kind == "math" else 1, 4))
    step = Decimal(1).scaleb(-places)
    value = draw(signed(10**6).filter(lambda number: abs(number) >= 100)) * step
    sign = 1 if value > 0 else -1
    finer = draw(st.integers(-4, 4)) * step / 10 * sign
    equal = one_of(
        draw,
        written(value, step),
        written(value + finer, step / 10),
        written(value, step / 100),
        f"{written(value, step)} cm",
        rf"\approx {written(value, step)}",
        full_width(written(value, step)),
        written(value, step).replace("0.", ".", 1) if abs(value) < 1 else None,
    )
    different = one_of(
        draw,
        written(value + step, step),
        written(value - step, step),
        written(-value, step),
        written(value + 6 * step / 10 * sign, step / 10),
        written(value * 10, step),
        written(value / 10, step / 10),
        f"{written(value, step)} million",
        str(int(value)) if value != int(value) else None,
    )
    return Case(written(value, step), equal, different, kind)


@st.composite
def near_numbers(draw):
    """The kind `near`: right within a thousandth."""
    value = Decimal(draw(st.integers(-(10**5), 10**5))) / 1000
    equal = written(value + draw(st.integers(-9, 9)) * Decimal("0.0001"), Decimal("0.0001"))
    away = draw(st.integers(11, 9000)) * Decimal("0.0001") * draw(st.sampled_from([1, -1]))
    return Case(f"{value:f}", equal, written(value + away, Decimal("0.0001")), "near")


@st.composite
def fractions(draw):
    above, below = draw(signed(60)), draw(st.integers(2, 60))
    divisor = gcd(above, below)
    above, below = above // divisor, below // divisor
    if below == 1:
        above, below = above * 7 + 1, 7
        above, below = above // gcd(above, below), below // gcd(above, below)
    sign, size = ("-" if above < 0 else ""), abs(above)
    exact = Decimal(above) / below
    terminating = below in (2, 4, 5, 8, 10, 16, 20, 25, 40, 50)
    whole, rest = divmod(size, below)
    gold = one_of(draw, rf"{sign}\frac{{{size}}}{{{below}}}", rf"\frac{{{above}}}{{{below}}}")
    gold = one_of(draw, gold, f"{above}/{below}")
    equal = one_of(
        draw,
        rf"{sign}\frac{{{size}}}{{{below}}}",
        rf"\dfrac{{{3 * above}}}{{{3 * below}}}",
        rf"\tfrac{{{-above}}}{{{-below}}}",
        f"{above}/{below}",
        f"{above} / {below}",
        f"({above})/({below})" if above > 0 else None,
        rf"\frac{size}{below}" if above > 0 and size < 10 and below < 10 else None,
        rf"{sign}{whole}\frac{{{rest}}}{{{below}}}" if whole else None,
        f"{sign}{whole} {rest}/{below}" if whole else None,
        f"{exact.normalize():f}" if terminating else f"{exact:.9f}",
        rf"x = \frac{{{above}}}{{{below}}}",
    )
    different = one_of(
        draw,
        rf"\frac{{{below}}}{{{above}}}" if size != below else None,
        rf"\frac{{{above + 1}}}{{{below}}}",
        rf"\frac{{{above}}}{{{below + 1}}}",
        f"{-above}/{below}",
        str(above),
        str(below),
        f"{above}{below}",
        f"{above}:{below}:1",
        None if terminating else str(exact.quantize(Decimal("0.01"), ROUND_DOWN)),
        f"{above}/{below} or {below}/{size + below}",
    )
    return Case(gold, equal, different)


@st.composite
def mixed_numbers(draw):
    whole, below = draw(st.integers(1, 30)), draw(st.integers(2, 12))
    above = draw(st.integers(1, below - 1))
    total = whole * below + above
    equal = one_of(
        draw,
        rf"{whole}\frac{{{above}}}{{{below}}}",
        rf"{whole}\,\tfrac{{{above}}}{{{below}}}",
        f"{whole} {above}/{below}",
        f"{whole} and {above}/{below}",
        rf"\frac{{{total}}}{{{below}}}",
        f"{total}/{below}",
    )
    different = one_of(
        draw,
        str(whole),
        rf"\frac{{{above}}}{{{below}}}",
        rf"{whole + 1}\frac{{{above}}}{{{below}}}",
        rf"-{whole}\frac{{{above}}}{{{below}}}",
        rf"\frac{{{whole}{above}}}{{{below}}}" if int(f"{whole}{above}") != total else None,
        rf"\frac{{{total + 1}}}{{{below}}}",
    )
    return Case(rf"{whole}\frac{{{above}}}{{{below}}}", equal, different)


@st.composite
def scientific_numbers(draw):
    digits = draw(st.integers(11, 99).filter(lambda number: number % 10))
    exponent = draw(st.integers(-40, 40).filter(lambda power: abs(power) > 1))
    mantissa = f"{digits // 10}.{digits % 10}"
    plain = f"{Decimal(mantissa).scaleb(exponent):f}"
    equal = one_of(
        draw,
        rf"{mantissa} \times 10^{{{exponent}}}",
        rf"{mantissa}\cdot 10^{{{exponent}}}",
        f"{mantissa}e{exponent}",
        f"{mantissa}E{exponent:+d}",
        f"{mantissa} × 10^{exponent}",
        rf"{digits} \times 10^{{{exponent - 1}}}",
        rf"{mantissa}0 \times 10^{{{exponent}}}",
        plain,
    )
    different = one_of(
        draw,
        rf"{mantissa} \times 10^{{{exponent + 1}}}",
        rf"{mantissa} \times 10^{{{-exponent}}}",
        rf"{digits + 10} \times 10^{{{exponent - 1}}}",
        rf"-{mantissa} \times 10^{{{exponent}}}",
        rf"{mantissa} \times {exponent}",
        mantissa,
        "0",
        "0.0",
        rf"10^{{{exponent}}}",
    )
    return Case(rf"{mantissa}\times10^{{{exponent}}}", equal, different)


@st.composite
def percentages(draw):
    shown = draw(st.integers(1, 99))
    part = f"{Decimal(shown) / 100:f}"
    equal = one_of(
        draw,
        rf"{shown}\%",
        f"{shown}%",
        rf"{shown} \%",
        f"{shown} percent",
        str(shown),
        part,
        rf"\frac{{{shown}}}{{100}}",
        rf"{shown}.0\%",
    )
    different = one_of(
        draw,
        rf"{shown + 1}\%",
        rf"-{shown}\%",
        rf"{shown}0\%",
        f"{Decimal(shown) / 10:f}",
        rf"{part}\%",
        rf"{shown}\% or {shown + 1}\%",
    )
    return Case(rf"{shown}\%", equal, different)


# A unit, a smaller one, and how many of these it is; a unit of another dimension.
UNITS = (
    ("km", "m", 1000, "kg"),
    ("m", "cm", 100, "s"),
    ("cm", "mm", 10, "cm^2"),
    ("kg", "g", 1000, "km"),
    ("hours", "minutes", 60, "meters"),
    ("minutes", "seconds", 60, "degrees"),
    ("L", "mL", 1000, "kg"),
    ("dollars", "cents", 100, "euros"),
    ("cm^2", "mm^2", 100, "cm^3"),
    ("m^3", "L", 1000, "m^2"),
    ("kJ", "J", 1000, "kW"),
)


@st.composite
def quantities(draw):
    number = draw(st.integers(2, 5000))
    unit, smaller, factor, other = draw(st.sampled_from(UNITS))

    def texts(amount, name):
        base, _, power = name.partition("^")
        raised = f"^{power}" if power else ""
        return (
            f"{amount} {name}",
            rf"{amount}\text{{ {base}}}{raised}",
            rf"{amount} \, \mathrm{{{base}}}{raised}",
            rf"{amount}\ \text{{{base}}}{raised}",
        )

    equal = one_of(
        draw,
        str(number),
        *texts(number, unit),
        *texts(number * factor, smaller),
        f"x = {number} {unit}",
    )
    different = one_of(
        draw,
        *texts(number, smaller),
        *texts(number, other),
        *texts(number + 1, unit),
        *texts(number * factor, unit),
        f"{number} million {unit}",
        f"-{number} {unit}",
        f"{number} {unit} or {number + 1} {unit}",
    )
    return Case(one_of(draw, *texts(number, unit)), equal, different)


@st.composite
def ratios(draw):
    """Ratios of small numbers; what could be the time of a clock is left out."""
    one, other = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    one, other = one // gcd(one, other), other // gcd(one, other)
    equal = one_of(
        draw,
        f"{one}:{other}",
        f"{one} : {other}",
        rf"{one}\colon {other}",
        f"{one}：{other}",
        f"{100 * one}:{100 * other}",
    )
    different = one_of(
        draw,
        f"{other}:{one}" if one != other else None,
        f"{one + other}:{other}",
        f"{one}:{other}:1",
        f"{one}{other}",
        f"-{one}:{other}",
    )
    return Case(f"{one}:{other}", equal, different)


@st.composite
def options(draw):
    letter, other = draw(st.permutations("ABCDE").map(lambda letters: letters[:2]))
    equal = one_of(
        draw,
        letter,
        letter.lower(),
        f"({letter})",
        f"{letter}.",
        f"{letter})",
        f"Option {letter}",
        f"option {letter}",
        rf"\text{{{letter}}}",
        rf"\textbf{{({letter})}}\ 40",
        rf"\mathrm{{{letter}}}",
        f"{letter}: 40",
        f"{letter}. a root",
        f"({letter}) 40 cm",
        f"{letter}, 40",
    )
    different = one_of(
        draw,
        other,
        f"({other})",
        f"{letter} or {other}",
        f"({letter}) or ({other})",
        f"{letter}, {other}",
        f"{letter} and {other}",
        f"{letter}{other}",
        f"not {letter}",
        f"{letter} is wrong",
        f"({letter}) is not correct",
        f"Option {other}",
        "40",
        f"either {letter} or {other}",
    )
    return Case(letter, equal, different, "option")


@st.composite
def option_sets(draw):
    letters = draw(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=4, unique=True))
    shuffled = draw(st.permutations(letters))
    missing = next(letter for letter in "ABCDEF" if letter not in letters)
    equal = one_of(
        draw,
        ", ".join(shuffled),
        ",".join(shuffled),
        "".join(sorted(shuffled)),
        " and ".join(shuffled),
        ", ".join(f"({letter})" for letter in shuffled),
        rf"\text{{{', '.join(shuffled)}}}",
        rf"\{{{', '.join(shuffled)}\}}",
        "; ".join(shuffled),
    )
    different = one_of(
        draw,
        ", ".join(shuffled[1:]),
        ", ".join([*shuffled, missing]),
        "".join([*sorted(shuffled[1:]), missing]),
        " or ".join(shuffled),
        f"not {', '.join(shuffled)}",
    )
    gold = one_of(draw, ", ".join(sorted(letters)), "".join(sorted(letters)))
    return Case(gold, equal, different, "options")


@st.composite
def choices(draw):
    """A choice is answered by its letter or its text."""
    letter, other = draw(st.permutations("ABCD").map(lambda letters: letters[:2]))
    number = draw(st.integers(2, 10**4))
    text = one_of(
        draw, f"{number}", rf"{number} \text{{ cm}}", rf"\frac{{{number}}}{{{number + 1}}}"
    )
    equal = one_of(draw, letter, f"({letter})", text, f"{letter}. {text}", f"({letter}) {text}")
    different = one_of(
        draw,
        other,
        f"({other}) {text}",
        f"{number + 1}",
        f"({letter}) or ({other})",
        f"{letter}. {number + 7}",
    )
    return Case(f'["{letter}", "{text}"]'.replace("\\", "\\\\"), equal, different, "choice")


@st.composite
def tuples(draw):
    items = draw(st.lists(st.integers(-99, 99), min_size=2, max_size=4))
    other = list(items)
    other[draw(st.integers(0, len(items) - 1))] += draw(st.integers(1, 9))
    inner = ", ".join(map(str, items))
    equal = one_of(
        draw,
        f"({inner})",
        f"({inner.replace(' ', '')})",
        rf"\left({inner}\right)",
        rf"\left( {inner} \right)",
        f"({', '.join(f'{item}.0' for item in items)})",
        inner,
    )
    different = one_of(
        draw,
        f"({', '.join(map(str, other))})",
        f"({', '.join(map(str, items[::-1]))})" if items != items[::-1] else None,
        f"({inner}, 0)",
        f"[{inner}]",
        " or ".join(map(str, items)) if len(set(items)) > 1 else None,
        str(items[0]),
    )
    return Case(f"({inner})", equal, different)


@st.composite
def sets(draw):
    items = draw(st.lists(st.integers(-99, 99), min_size=2, max_size=4, unique=True))
    shuffled = draw(st.permutations(items))
    inner = ", ".join(map(str, shuffled))
    equal = one_of(
        draw,
        rf"\{{{inner}\}}",
        rf"\left\{{{inner}\right\}}",
        rf"\lbrace {inner} \rbrace",
        inner,
        ", ".join([*map(str, shuffled[:-1]), f"and {shuffled[-1]}"]),
    )
    more = max(items) + 1
    different = one_of(
        draw,
        rf"\{{{', '.join(map(str, shuffled[1:]))}\}}",
        rf"\{{{inner}, {more}\}}",
        rf"\{{{', '.join(map(str, [*shuffled[1:], more]))}\}}",
        str(shuffled[0]),
        f"({inner})",
    )
    gold = one_of(
        draw,
        rf"\{{{', '.join(map(str, items))}\}}",
        rf"\left\{{{', '.join(map(str, items))}\right\}}",
    )
    return Case(gold, equal, different)


@st.composite
def intervals(draw):
    low = draw(st.integers(-50, 50))
    high = low + draw(st.integers(1, 50))
    opening, closing = draw(st.sampled_from("([")), draw(st.sampled_from(")]"))
    less = {"(": "<", "[": r"\le"}[opening], {")": "<", "]": r"\le"}[closing]
    flipped = {"(": "[", "[": "(", ")": "]", "]": ")"}
    equal = one_of(
        draw,
        f"{opening}{low}, {high}{closing}",
        rf"\left{opening}{low},{high}\right{closing}",
        rf"x \in {opening}{low}, {high}{closing}",
        rf"{low} {less[0]} x {less[1]} {high}",
    )
    different = one_of(
        draw,
        f"{flipped[opening]}{low}, {high}{closing}",
        f"{opening}{low}, {high}{flipped[closing]}",
        f"{opening}{low}, {high + 1}{closing}",
        f"{opening}{low - 1}, {high}{closing}",
        f"{opening}{high}, {low}{closing}",
        rf"{low} {less[0]} x",
        str(low),
    )
    return Case(f"{opening}{low}, {high}{closing}", equal, different)


@st.composite
def equations(draw):
    name, other = draw(st.permutations("xyznk").map(lambda names: names[:2]))
    number = draw(signed(999))
    equal = one_of(
        draw, f"{name} = {number}", f"{name}={number}", str(number), f"{name} = {number}.0"
    )
    different = one_of(
        draw,
        f"{other} = {number}",
        f"{name} = {number + 1}",
        f"{name} = {-number}",
        f"{name} > {number}",
        rf"{name} \ne {number}",
        f"{name} = {number} or {name} = {number + 1}",
        f"2{name} = {number}",
        name,
    )
    return Case(f"{name} = {number}", equal, different)


def moved(text):
    """The text with its first letter at its end."""
    return text[1:] + text[0]


WORDS = "abcdefghijklmnopqrstuvwxyz"


@st.composite
def words(draw):
    word = draw(st.text(WORDS, min_size=5, max_size=9).filter(lambda text: len(set(text)) > 2))
    word += "ax"  # no plural, no number, no unit
    other = draw(st.text(WORDS, min_size=5, max_size=9)) + "ox"
    equal = one_of(
        draw,
        word,
        word.capitalize(),
        word.upper(),
        rf"\text{{{word}}}",
        rf"\textbf{{{word}}}",
        rf"\mathrm{{{word}}}",
        f" {word} ",
    )
    different = one_of(
        draw,
        moved(word),
        word[::-1] if word != word[::-1] else None,
        other,
        f"not {word}",
        f"{word} or {other}",
        word[:-1],
        f"{word}s",
        f"non{word}",
    )
    return Case(word, equal, different, draw(st.sampled_from(["math", "word"])))


@st.composite
def points(draw):
    letters = "".join(
        draw(st.lists(st.sampled_from("ABCDEFGHKLMNPQRSTUVW"), min_size=3, max_size=4, unique=True))
    )
    angle = len(letters) == 3 and draw(st.booleans())
    if angle:
        equal = one_of(
            draw,
            rf"\angle {letters}",
            rf"\angle {letters[::-1]}",
            f"∠{letters}",
            rf"\angle{{{letters}}}",
            rf"\measuredangle {letters}",
        )
        different = one_of(draw, rf"\angle {moved(letters)}", rf"\triangle {letters}", "90")
        return Case(rf"\angle {letters}", equal, different)
    equal = one_of(
        draw, letters, rf"\text{{{letters}}}", rf"\mathrm{{{letters}}}", " ".join(letters)
    )
    different = one_of(
        draw, moved(letters), letters[:-1], letters[0], f"{letters} or {moved(letters)}"
    )
    return Case(letters, equal, different)


# --- compared by the symbolic engine ---------------------------------------------------------


@st.composite
def roots(draw):
    factor, content = draw(st.integers(2, 12)), draw(st.sampled_from([2, 3, 5, 6, 7, 10, 11, 13]))
    gold = one_of(draw, rf"{factor}\sqrt{{{content}}}", f"{factor}√{{{content}}}")
    equal = one_of(
        draw,
        rf"{factor}\sqrt{{{content}}}",
        rf"\sqrt{{{factor**2 * content}}}",
        rf"{factor}\cdot\sqrt{{{content}}}",
        f"{factor}√{content}",
        rf"\frac{{{factor * content}}}{{\sqrt{{{content}}}}}",
        rf"{factor}\sqrt{{{content}}} \text{{ cm}}",
        f"{factor} * sqrt({content})",
        f"{Decimal(factor) * Decimal(content).sqrt():.9f}",
    )
    different = one_of(
        draw,
        str(factor),
        rf"{factor}\sqrt{{{content + 1}}}",
        rf"{factor + 1}\sqrt{{{content}}}",
        rf"-{factor}\sqrt{{{content}}}",
        rf"{factor}\sqrt[3]{{{content}}}",
        rf"\sqrt{{{content}}}",
        f"{Decimal(factor) * Decimal(content).sqrt():.2f}",
        str(factor * content),
        rf"{factor} + \sqrt{{{content}}}" if (factor, content) != (2, 4) else None,
    )
    return Case(gold, equal, different)


@st.composite
def multiples_of_pi(draw):
    below = draw(st.sampled_from([1, 3, 7]))
    factor = draw(st.integers(2, 50).filter(lambda number: gcd(number, below) == 1))
    over = f"/{below}" if below > 1 else ""
    gold = rf"\frac{{{factor}\pi}}{{{below}}}" if below > 1 else rf"{factor}\pi"
    equal = one_of(
        draw,
        gold,
        rf"{factor}\pi{over}",
        f"{factor}π{over}",
        rf"\pi \cdot {factor}{over}",
        rf"\frac{{{2 * factor}}}{{{2 * below}}}\pi",
        rf"{gold} \text{{ cm}}^2",
    )
    different = one_of(
        draw,
        f"{factor}{over}",
        rf"{factor + 1}\pi{over}",
        rf"-{gold}",
        rf"{factor}\pi^2{over}",
        rf"2 \cdot {gold}",
        f"{factor * 3.14 / below:.2f}",
    )
    return Case(gold, equal, different)


def polynomial(*coefficients):
    """The terms of a polynomial in x, the highest power first."""
    text = ""
    for power, coefficient in zip(range(len(coefficients) - 1, -1, -1), coefficients, strict=True):
        if coefficient:
            size = "" if abs(coefficient) == 1 and power else str(abs(coefficient))
            name = {0: "", 1: "x"}.get(power, f"x^{power}")
            text += f" {'-' if coefficient < 0 else '+'} {size}{name}"
    return text.strip().removeprefix("+ ").replace("- ", "-", 1 if text.startswith(" -") else 0)


@st.composite
def expressions(draw):
    one, other = draw(signed(9)), draw(signed(9))
    gold = polynomial(1, one + other, one * other)
    reordered = f"{one * other} + {one + other}x + x^2".replace("+ -", "- ")
    equal = one_of(
        draw,
        gold,
        f"(x{one:+d})(x{other:+d})",
        rf"(x {one:+d}) \cdot (x {other:+d})",
        rf"\left(x{other:+d}\right)\left(x{one:+d}\right)",
        reordered,
        f"x(x{one + other:+d}){one * other:+d}",
    )
    different = one_of(
        draw,
        polynomial(1, one + other, one * other + 1),
        polynomial(1, one + other + 1, one * other),
        f"(x{one:+d})(x{other + 1:+d})",
        polynomial(-1, -one - other, -one * other),
        "x^2",
        gold.replace("x", "y"),
        str(one * other),
        polynomial(1, one + other),
    )
    return Case(gold, equal, different)


@st.composite
def lines(draw):
    """Equations of lines, equal if they have the same solutions."""
    slope, shift = draw(signed(9)), draw(signed(9))
    gold = f"y = {polynomial(slope, shift)}"
    equal = one_of(
        draw,
        gold,
        f"{polynomial(slope, shift)}",
        f"{polynomial(slope, shift)} = y",
        f"y - ({polynomial(slope, shift)}) = 0",
        f"2y = {polynomial(2 * slope, 2 * shift)}",
    )
    different = one_of(
        draw,
        f"y = {polynomial(slope, shift + 1)}",
        f"y = {polynomial(slope + 1, shift)}",
        f"y = {polynomial(-slope, -shift)}",
        f"2y = {polynomial(slope, shift)}",
        f"y > {polynomial(slope, shift)}",
        str(slope),
    )
    return Case(gold, equal, different)


PLAIN: dict[str, Callable[[], st.SearchStrategy[Case]]] = {
    "integer": integers,
    "decimal": decimals,
    "near": near_numbers,
    "fraction": fractions,
    "mixed": mixed_numbers,
    "scientific": scientific_numbers,
    "percent": percentages,
    "quantity": quantities,
    "ratio": ratios,
    "option": options,
    "option set": option_sets,
    "choice": choices,
    "tuple": tuples,
    "set": sets,
    "interval": intervals,
    "equation": equations,
    "word": words,
    "points": points,
}
SYMBOLIC: dict[str, Callable[[], st.SearchStrategy[Case]]] = {
    "root": roots,
    "pi": multiples_of_pi,
    "expression": expressions,
    "line": lines,
}

ALL = PLAIN | SYMBOLIC

# --- completions -----------------------------------------------------------------------------

REASONING = (
    "",
    "We add both parts. ",
    "First, $3 + 4 = 7$, and the angle at A is 40°.\nSo the rest follows.\n",
    "<think>Perhaps it is 17. Answer: 17? No, \\boxed{17} is too much.</think> ",
    "Let $x$ be the width; then 2x = 12, so x = 6 (B seems unlikely).\n\n",
    "**Step 1.** Count: 1, 2, 3.\n**Step 2.** Compare.\n",
)
STATED = (
    r"\boxed{%s}",
    r"$\boxed{%s}$",
    r"\[\boxed{%s}\]",
    r"\boxed {%s}",
    r"\boxed{ %s }",
    r"\boxed{%s.}",
    r"\boxed{\,%s\,}",
    r"\boxed{\displaystyle %s}",
    r"\boxed{$%s$}",
    r"\boxed{**%s**}",
    r"So it is $%s$, that is \boxed{%s}",
    r"The answer is $\boxed{%s}$, as the figure shows",
    r"\(\boxed{%s}\) is the final answer",
    r"\fbox{%s}",
    "<answer>%s</answer>",
    "<answer> %s </answer>",
    "Answer: %s",
    "**Answer:** %s",
    "The answer is %s",
    "The final answer is: $%s$",
    "Answer:\n%s",
    "\n### Answer\n\n%s",
    "Therefore, the correct answer is: **%s**",
    "Final Answer: \\(%s\\)",
)
AFTER = ("", ".", "\n", " \n\n", "**", ".**")


def completions(answer):
    """An answer as it may stand in a completion."""
    return st.tuples(
        st.sampled_from(REASONING), st.sampled_from(STATED), st.sampled_from(AFTER)
    ).map(lambda parts: parts[0] + parts[1].replace("%s", answer) + parts[2])


FRAGMENTS = (
    r"\boxed{", "}", "{", "\\frac", "\\sqrt", "[", "]", "(", ")", "$", "\\", "^", "_", ",", ";", ":",
    "=", "<", ">", "%", "°", "√", "π", "\\pm", "\\text{", "\\%", "<answer>", "</answer>", "<think>",
    "</think>", "Answer:", " answer is ", " or ", " and ", "not ", "\n", " ", "0", "1", "-2", "3.5",
    "1/0", "10^{10}", "e5", "x", "A", "B.", "(C)", "km", "cm^2", "million", "and/or", "|", "\\{", "\\}",
    "\\left(", "\\right)", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", "\\infty", "\\cup", "\\in",
    "!", "''", "...", "０", "米", "或", "\u0000", "\u200b", "🙂", "**",
)  # fmt: skip


def broken_texts():
    """Texts of anything, and of pieces of answers in any order."""
    pieces = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
    return st.one_of(
        st.text(max_size=60),
        pieces,
        pieces.map(lambda text: rf"So \boxed{{{text}}}"),
        pieces.map("Answer: ".__add__),
    )
