r"""Other ways to write an answer in LaTeX that mean the same, and near ones that do not.

Each rule takes an answer and gives the texts that it makes of it, none where it does not apply.
`right` and `wrong` apply all of them: they give the name of the rule and a whole completion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

Rule = Callable[[str], list[str]]

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d*\.\d+")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\s?(?:\{(\d+)\}|(\d))\s?(?:\{(\d+)\}|(\d))")
_MIXED = re.compile(r"(\d+)\s?\\frac\{(\d+)\}\{(\d+)\}")
_GROUPED = re.compile(r"\d{1,3}(?:,(?:\\!)?\s?\d{3})+")
_DEGREES = re.compile(r"(\d+)\^\\circ")
_MONEY = re.compile(r"\\\$([\d.]+)")
_BASED = re.compile(r"(\d+)_\{?(\d)\}?")
_WORD = re.compile(r"\\text\{([A-Za-z]+)\}")
_OPTION = re.compile(r"\\text\{\(([A-F])\)\}")
_TUPLE = re.compile(r"(?:\\left)?([(\[])(.*?)(?:\\right)?([)\]])")
_LIST = re.compile(r"-?\d+(?:, ?-?\d+)+")
_UNIT = re.compile(r"(.*\S)\s?\\(?:text|mbox)\{ (\w+)\}(\^2)?")
_COLUMN = re.compile(r"\\begin\{pmatrix\} (.*) \\end\{pmatrix\}")
_POLYNOMIAL = re.compile(r"-?[a-z0-9^]+(?: ?[+-] ?[a-z0-9^]+)+")


def value(answer: str) -> Fraction | None:
    """The value of a whole number, decimal, fraction or mixed number; None of anything else."""
    if _INTEGER.fullmatch(answer) or _DECIMAL.fullmatch(answer):
        return Fraction(answer)
    if match := _FRACTION.fullmatch(answer):
        sign, *digits = match.groups()
        above, below = (int(digit) for digit in digits if digit)
        return Fraction(-above if sign else above, below)
    if match := _MIXED.fullmatch(answer):
        whole, above, below = map(int, match.groups())
        return whole + Fraction(above, below)
    return None


def is_number(answer: str) -> bool:
    return value(answer) is not None


def is_real(answer: str) -> bool:
    """A number, perhaps with roots and pi: what a sign and a factor can stand before."""
    return is_number(answer) or bool(
        re.fullmatch(r"-?[\d ]*(?:\\frac\{[^{}]*\}\{\d+\}|\\sqrt(?:\d|\{\d+\})|\\pi)", answer)
    )


def decimals(number: Fraction) -> str | None:
    """A fraction as an exact decimal; None where that has no end within eight places."""
    scaled = number * 10**8
    if scaled.denominator != 1:
        return None
    return f"{float(number):.8f}".rstrip("0").rstrip(".")


# ---- the same answer -----------------------------------------------------------------------


def same_fraction(answer: str) -> list[str]:
    match = _FRACTION.fullmatch(answer)
    if not match:
        return []
    sign, *digits = match.groups()
    above, below = (digit for digit in digits if digit)
    texts = [
        *(f"{sign}\\{name}{{{above}}}{{{below}}}" for name in ("frac", "dfrac", "tfrac", "cfrac")),
        f"{sign}{above}/{below}",
        f"{sign}({above}/{below})",
        f"{sign}{above} / {below}",
        f"\\frac{{{sign}{above}}}{{{below}}}",
        f"{sign}{{{above} \\over {below}}}",
        f"{sign}\\frac {{{above}}} {{{below}}}",
    ]
    if len(above) == len(below) == 1:
        texts += [f"{sign}\\frac{above}{below}", f"{sign}\\frac {above} {below}"]
    if int(above) > int(below):
        whole, rest = divmod(int(above), int(below))
        texts += [f"{sign}{whole}\\frac{{{rest}}}{{{below}}}", f"{sign}{whole} {rest}/{below}"]
    if decimal := decimals(Fraction(int(f"{sign}{above}"), int(below))):
        texts += [decimal, decimal.replace("0.", ".", 1), f"{sign}{above}/{below} = {decimal}"]
    return texts


def same_integer(answer: str) -> list[str]:
    if not _INTEGER.fullmatch(answer):
        return []
    texts = [f"{answer}.0", f"{answer}.00", f"{{{answer}}}", f"x = {answer}", f"n={answer}"]
    texts += [f"({answer})", f"{answer}\\text{{ units}}", f"\\mathbf{{{answer}}}"]
    texts += [
        f"\\frac{{{answer}}}{{1}}",
        answer.replace("-", "−"),
        f"3 + {int(answer) - 3} = {answer}",
    ]
    if not answer.startswith("-"):
        texts.append(f"+{answer}")
    if len(answer.lstrip("-")) > 3:
        texts += [
            f"{int(answer):,}".replace(",", mark) for mark in (",", "{,}", ",\\!", "\\,", " ")
        ]
        texts.append(f"{int(answer):,}.00")
    return texts


def same_grouped(answer: str) -> list[str]:
    if not _GROUPED.fullmatch(answer):
        return []
    plain = re.sub(r"\D", "", answer)
    return [plain, *same_integer(plain)]


def same_decimal(answer: str) -> list[str]:
    if not _DECIMAL.fullmatch(answer):
        return []
    number = Fraction(answer)
    return [
        f"{answer}0",
        f"0{answer}" if answer.startswith(".") else answer.replace("0.", ".", 1),
        f"{number.numerator}/{number.denominator}",
        f"\\frac{{{number.numerator}}}{{{number.denominator}}}",
        f"{answer} \\text{{ units}}",
        f"x={answer}",
    ]


def same_mixed(answer: str) -> list[str]:
    match = _MIXED.fullmatch(answer)
    number = value(answer)
    if not match or number is None:
        return []
    whole, above, below = match.groups()
    return [
        f"{number.numerator}/{number.denominator}",
        f"\\frac{{{number.numerator}}}{{{number.denominator}}}",
        f"{whole} {above}/{below}",
        f"{whole} + {above}/{below}",
        f"{whole}\\dfrac{{{above}}}{{{below}}}",
        str(decimals(number)),
    ]


def same_degrees(answer: str) -> list[str]:
    match = _DEGREES.fullmatch(answer)
    if not match:
        return []
    forms = ("{}", "{}°", "{}^{{\\circ}}", "{} degrees", "{}\\text{{ degrees}}", "{}\\degree")
    return [form.format(match[1]) for form in forms]


def same_money(answer: str) -> list[str]:
    match = _MONEY.fullmatch(answer.replace(",\\!", ""))
    if not match:
        return []
    forms = ("{}", "${}", "\\${}", "{} dollars", "{} \\text{{ dollars}}", "\\text{{\\${}}}")
    return [form.format(match[1]) for form in forms]


def same_base(answer: str) -> list[str]:
    match = _BASED.fullmatch(answer)
    if not match:
        return []
    return [form.format(*match.groups()) for form in ("{}_{}", "{}_{{{}}}", "({})_{}", "{{{}}}_{}")]


def same_unit(answer: str) -> list[str]:
    match = _UNIT.fullmatch(answer)
    if not match:
        return []
    number, unit, square = match.groups()
    square = square or ""
    return [
        number,
        f"{number} {unit}{square}",
        f"{number} \\text{{ {unit}}}{square}",
        f"{number} \\, \\mathrm{{{unit}}}{square}",
        f"{number}\\ \\text{{{unit}}}{square}",
    ]


def same_word(answer: str) -> list[str]:
    match = _WORD.fullmatch(answer)
    if not match:
        return []
    word = match[1]
    wrappers = ("text", "textbf", "mathrm", "mbox", "textit", "text\\bf")
    return [
        word,
        word.upper(),
        word.capitalize(),
        f"``{word}''",
        f'"{word}"',
        f"**{word}**",
        *(f"\\{name}{{{word}}}" for name in wrappers[:-1]),
        f"\\text{{{word}.}}",
        f"\\text{{ {word} }}",
    ]


def same_option(answer: str) -> list[str]:
    match = _OPTION.fullmatch(answer)
    if not match:
        return []
    forms = (
        "{}",
        "({})",
        "\\text{{{}}}",
        "\\textbf{{({})}}",
        "\\mathrm{{({})}}",
        "{}.",
        "\\textbf{{{}}}",
    )
    return [form.format(match[1]) for form in forms]


def same_list(answer: str) -> list[str]:
    if not _LIST.fullmatch(answer) or _GROUPED.fullmatch(answer):
        return []
    parts = [part.strip() for part in answer.split(",")]
    backward = ", ".join(reversed(parts))
    return [
        backward,
        ",".join(parts),
        f"\\{{{backward}\\}}",
        f"\\left\\{{{answer}\\right\\}}",
        f"{', '.join(parts[:-1])} and {parts[-1]}",
        f"{', '.join(parts[:-1])} \\text{{ and }} {parts[-1]}",
        f"x = {answer}",
        ", ".join(f"x = {part}" for part in parts),
    ]


def same_brackets(answer: str) -> list[str]:
    plain = answer.replace("\\left", "").replace("\\right", "")
    if not _TUPLE.fullmatch(plain) and "\\cup" not in plain:
        return []
    sized = re.sub(r"([(\[])", r"\\left\1", plain)
    sized = re.sub(r"([)\]])", r"\\right\1", sized)
    texts = [plain, sized, plain.replace(" ", ""), plain.replace(",", ", "), f"${plain}$"]
    texts += [sized.replace("\\left", "\\bigl").replace("\\right", "\\bigr")]
    if "\\infty" in plain or "\\cup" in plain or "[" in plain or "]" in plain:
        texts += [f"x \\in {plain}", plain.replace("\\infty", "∞").replace("\\cup", "∪")]
        texts.append(re.sub(r"(?<![-+])\\infty", r"+\\infty", plain))
    elif plain.count(",") == 1:
        texts.append(f"(x,y) = {plain}")
    return texts


def same_column(answer: str) -> list[str]:
    match = _COLUMN.fullmatch(answer)
    if not match:
        return []
    rows = match[1]
    columns = rows.partition("\\\\")[0].count("&") + 1
    texts = [
        f"\\begin{{bmatrix}} {rows} \\end{{bmatrix}}",
        f"\\begin{{pmatrix}}{rows.replace(' ', '')}\\end{{pmatrix}}",
        f"\\begin{{pmatrix}} {rows} \\\\ \\end{{pmatrix}}",
        f"\\left(\\begin{{array}}{{{'c' * columns}}} {rows} \\end{{array}}\\right)",
    ]
    if "/" in rows:
        fractions = re.sub(r"(-?)(\d+)/(\d+)", r"\1\\frac{\2}{\3}", rows)
        texts.append(f"\\begin{{pmatrix}} {fractions} \\end{{pmatrix}}")
    return texts


def same_roots_and_pi(answer: str) -> list[str]:
    if "\\sqrt" not in answer and "\\pi" not in answer:
        return []
    braced = re.sub(r"\\sqrt(\d)", r"\\sqrt{\1}", answer)
    texts = [
        braced,
        re.sub(r"\\sqrt\{(\d)\}", r"\\sqrt\1", answer),
        re.sub(r"\\sqrt\{(\d)\}", r"\\sqrt \1", answer),
        answer.replace(" \\sqrt", "\\sqrt"),
        re.sub(r"(\d) ?(?=\\sqrt|\\pi)", r"\1 \\cdot ", answer),
        re.sub(r"(\d) ?(?=\\sqrt|\\pi)", r"\1\\,", answer),
        re.sub(r"(\d) ?(?=\\sqrt|\\pi)", r"\1 \\times ", answer),
        answer.replace("\\pi", "π"),
        answer.replace("\\pi", "{\\pi}"),
        re.sub(r"\\sqrt\{(\d+)\}", r"√\1", braced),
        re.sub(r"\\sqrt\{(\d+)\}", r"√{\1}", braced),
        re.sub(r"\\sqrt\{(\d+)\}", r"\\sqrt[2]{\1}", braced),
        re.sub(r"\\sqrt\{(\d+)\}", r"{\1}^{1/2}", braced),
    ]
    if not re.search(r"frac|\(|\\pm\\sqrt", answer):
        texts.append(re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", braced).replace("\\pi", "pi"))
    return texts


def same_fractions_inside(answer: str) -> list[str]:
    if "\\frac" not in answer or is_number(answer):
        return []
    return [
        answer.replace("\\frac", name) for name in ("\\dfrac", "\\tfrac", "\\displaystyle\\frac")
    ]


def same_two_values(answer: str) -> list[str]:
    if "\\pm" not in answer or answer.startswith("\\{"):
        return []
    return [
        ", ".join(answer.replace("\\pm", sign) for sign in "+-"),
        ", ".join(answer.replace("\\pm", sign) for sign in "-+"),
        " \\text{ and } ".join(answer.replace("\\pm", sign) for sign in "+-"),
        answer.replace("\\pm", "±"),
        f"x = {answer}",
    ]


def same_polynomial(answer: str) -> list[str]:
    if not _POLYNOMIAL.fullmatch(answer) or is_number(answer):
        return []
    terms = re.findall(r"[+-]?[a-z0-9^]+", answer.replace(" ", ""))
    signed = [term if term[0] in "+-" else f"+{term}" for term in terms]
    backward = "".join(reversed(signed)).removeprefix("+")
    return [
        backward,
        answer.replace(" ", ""),
        f"({answer})",
        f"z = {answer}",
        re.sub(r"\^(\d)", r"^{\1}", answer),
        re.sub(r"([+-])", r" \1 ", answer).strip(),
        f"\\left({answer}\\right)",
    ]


def same_equation(answer: str) -> list[str]:
    left, sign, right = answer.partition("=")
    if not sign or "," in answer:
        return []
    texts = [
        f"{right.strip()} = {left.strip()}",
        f"{left.strip()}={right.strip()}",
        answer.replace(" ", ""),
    ]
    if left.strip() == "x" and is_number(right.strip()):
        texts += [right, f"x = {right}.0"]
    return texts


def same_spacing(answer: str) -> list[str]:
    texts = [
        f" {answer} ",
        f"{{{answer}}}",
        f"\\displaystyle {answer}",
        f"\\, {answer} \\,",
        f"~{answer}",
    ]
    if not _GROUPED.fullmatch(answer) and "text" not in answer:
        texts.append(re.sub(r",\s?", r",\\ ", answer))
    return texts


def same_punctuation(answer: str) -> list[str]:
    return [
        f"{answer}.",
        f"{answer},",
        f"{answer} .",
        f"${answer}$",
        f"$ {answer} $.",
        f"\\({answer}\\)",
    ]


def same_wide(answer: str) -> list[str]:
    wide = answer.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    return [wide] if wide != answer and is_number(answer) else []


SAME: dict[str, Rule] = {
    "fraction": same_fraction,
    "integer": same_integer,
    "thousands": same_grouped,
    "decimal": same_decimal,
    "mixed number": same_mixed,
    "degrees": same_degrees,
    "money": same_money,
    "base": same_base,
    "unit": same_unit,
    "word": same_word,
    "option": same_option,
    "list": same_list,
    "brackets": same_brackets,
    "matrix": same_column,
    "roots and pi": same_roots_and_pi,
    "fractions inside": same_fractions_inside,
    "two values": same_two_values,
    "polynomial": same_polynomial,
    "equation": same_equation,
    "spacing": same_spacing,
    "punctuation": same_punctuation,
    "full-width digits": same_wide,
}


def stated(answer: str) -> list[str]:
    """Whole completions that state an answer in other ways than a box in a sentence."""
    texts = [
        f"We add both sides.\n\nAnswer: {answer}",
        f"We add both sides.\n**Answer:** ${answer}$",
        f"We add both sides.\n**Final Answer**\n\\[ \\boxed{{{answer}}} \\]",
        f"Hence the final answer is ${answer}$.",
        f"Final Answer: The final answer is ${answer}$. I hope it is correct.",
        f"<think>It may be 7, or \\boxed{{8}}.</think> <answer>{answer}</answer>",
        f"<think>It may be \\boxed{{8}}.</think> So it is $\\boxed{{{answer}}}$.",
        f"<answer>\\boxed{{{answer}}}</answer>",
        f"At first \\boxed{{8}} looks right. A check shows $$\\boxed {{{answer}}}.$$",
        f"So \\fbox{{{answer}}}.",
        f"Therefore $\\boxed{{{answer}}}$ is our answer. \\boxed{{",
        f"Both ways give $\\boxed{{{answer}}}$, that is, \\(\\boxed{{{answer}}}\\).",
    ]
    if re.fullmatch(r"\d|\\pi", answer):
        texts += [f"It is $\\boxed {answer}$.", f"It is $\\boxed {answer}.$"]
    return texts


# ---- another answer ------------------------------------------------------------------------


def other_digit(answer: str) -> list[str]:
    """Another first, and another last, digit."""
    digits = [match.start() for match in re.finditer(r"\d", answer)]
    texts = []
    for place in dict.fromkeys(digits[:1] + digits[-1:]):
        changed = (int(answer[place]) + 1) % 10
        texts.append(f"{answer[:place]}{changed}{answer[place + 1 :]}")
    return texts


def other_sign(answer: str) -> list[str]:
    if not is_real(answer) or value(answer) == 0:
        return []
    return [answer[1:] if answer.startswith("-") else f"-{answer}"]


def other_magnitude(answer: str) -> list[str]:
    if not is_real(answer) or value(answer) == 0:
        return []
    texts = [f"{answer} \\times 10^{{3}}", f"{answer} million", f"10 \\cdot {answer.lstrip('-')}"]
    texts += [f"{answer} + 1", f"{answer} dozen"]
    if _INTEGER.fullmatch(answer):
        texts += [f"{answer}0", f"{answer}.5", f"{answer}/2", f"({answer})^2" * (answer != "1")]
    return [text for text in texts if text]


def other_word(answer: str) -> list[str]:
    match = _WORD.fullmatch(answer)
    if not match:
        return []
    word = match[1]
    return [word[::-1], "".join(sorted(word)), word[:-1], f"{word}s", f"\\text{{not {word}}}"]


def other_option(answer: str) -> list[str]:
    match = _OPTION.fullmatch(answer)
    if not match:
        return []
    letter = match[1]
    other = "A" if letter != "A" else "B"
    return [
        f"({other})",
        f"({letter}) or ({other})",
        f"({letter})({other})",
        f"\\text{{not ({letter})}}",
    ]


def other_brackets(answer: str) -> list[str]:
    match = _TUPLE.fullmatch(answer.replace("\\left", "").replace("\\right", ""))
    if not match or "\\cup" in answer:
        return []
    opening, inner, closing = match.groups()
    parts = [part.strip() for part in inner.split(",")]
    texts = [
        f"{opening}{', '.join(reversed(parts))}{closing}",
        f"{opening}{', '.join(parts[:-1])}{closing}",
    ]
    texts.append(f"{opening}{inner}, 1{closing}")
    if len(parts) == 2:
        flipped = {"(": "[", "[": "(", ")": "]", "]": ")"}
        texts += [f"{flipped[opening]}{inner}{closing}", f"{opening}{inner}{flipped[closing]}"]
    return [text for text in texts if text.replace(" ", "") != answer.replace(" ", "")]


def other_values(answer: str) -> list[str]:
    """A value more, a value less, or a choice between two."""
    changed = other_digit(answer)
    if not changed:
        return []
    texts = [f"{answer} \\text{{ or }} {changed[0]}", f"{changed[0]} or {answer}"]
    if is_real(answer):
        texts += [
            f"{answer}, {changed[0]}",
            f"\\{{{answer}, {changed[0]}\\}}",
            f"{answer} \\text{{ to }} 99",
        ]
    if _LIST.fullmatch(answer) and not _GROUPED.fullmatch(answer):
        texts += [answer.rpartition(",")[0], f"{answer}, 99"]
    return texts


def other_unit(answer: str) -> list[str]:
    if match := _UNIT.fullmatch(answer):
        other = {"cm": "m", "inches": "feet", "cents": "dollars", "degrees": "radians"}[match[2]]
        square = match[3] or ""
        texts = [f"{match[1]} \\text{{ {other}}}{square}"]
        return texts + ([f"{match[1]} \\text{{ {match[2]}}}"] if square else [])
    if match := _DEGREES.fullmatch(answer):
        return [f"{match[1]} \\text{{ radians}}", f"{match[1]}\\pi"]
    if match := _BASED.fullmatch(answer):
        return [f"{match[1]}_{{{int(match[2]) + 1}}}", match[1], f"{match[1]}_{{10}}"]
    return []


def other_relation(answer: str) -> list[str]:
    if "=" in answer:
        return [answer.replace("=", sign) for sign in ("<", "\\ge", "\\ne")]
    if is_real(answer):
        return [f"x > {answer}", f"x \\neq {answer}", f"\\text{{not }} {answer}"]
    return []


OTHER: dict[str, Rule] = {
    "digit": other_digit,
    "sign": other_sign,
    "magnitude": other_magnitude,
    "word": other_word,
    "option": other_option,
    "brackets": other_brackets,
    "values": other_values,
    "unit": other_unit,
    "relation": other_relation,
}


def right(answer: str) -> Iterator[tuple[str, str]]:
    """Every completion that states the answer, with its rule."""
    seen = set()
    for name, rule in SAME.items():
        for text in rule(answer):
            if text not in seen:
                seen.add(text)
                yield name, f"Therefore, it is $\\boxed{{{text}}}$."
    for text in stated(answer):
        yield "statement", text


def wrong(answer: str) -> Iterator[tuple[str, str]]:
    """Every completion that states another answer, with its rule."""
    seen = set()
    for name, rule in OTHER.items():
        for text in rule(answer):
            if text not in seen:
                seen.add(text)
                yield name, f"Therefore, it is $\\boxed{{{text}}}$."
