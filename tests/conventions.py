"""The conventions by which an answer is compared, with answers on both sides of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Convention:
    """What holds, and for one right answer what is taken as right and what is not."""

    text: str
    kind: str
    gold: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


CONVENTIONS = (
    Convention("A whole number is equal to an equal value only.", "math", "3", ("3.0", "6/2"), ("3.1", "3 million")),
    Convention("`number`: rounded to the decimals of the right answer.", "number", "0.47", ("0.474", "47\\%"), ("0.5", "0.48")),
    Convention("`near`: within 0.001.", "near", "0.333", ("0.334", "1/3"), ("0.335",)),
    Convention("A decimal of three or more significant digits is a rounded number.", "math", "3.14", ("\\pi", "3.1416"), ("3.1", "22/5")),
    Convention("An exact value is given by a decimal of at least six decimals and six significant digits.", "math", "\\frac{1}{3}", ("2/6", "0.333333"), ("0.33", "0.3333")),
    Convention("A percent sign may be left out or added.", "math", "25", ("25\\%",), ("0.25",)),
    Convention("A percentage equals its fraction.", "math", "25\\%", ("25", "0.25"), ("2.5",)),
    Convention("A unit may be left out; another unit is converted.", "math", "5 \\text{ km}", ("5", "5000 m"), ("5 m", "5 km^2")),
    Convention("Lists and sets are equal in any order, tuples in theirs.", "math", "1, 2", ("2, 1", "\\{2, 1\\}"), ("1", "1 or 3")),
    Convention("The same for a tuple.", "math", "(1, 2)", ("1, 2",), ("(2, 1)", "[1, 2]")),
    Convention("\"Or\" states alternatives.", "math", "5", ("5 or 5.0",), ("5 or 6",)),
    Convention("A name on the left may be left out.", "math", "x = 5", ("5",), ("y = 5",)),
    Convention("Words are equal as words, points by their names.", "math", "silent", ("Silent",), ("listen",)),
    Convention("The same for points.", "math", "\\angle ABC", ("\\angle CBA",), ("\\angle ACB",)),
    Convention("A whole number may be written in words.", "math", "21", ("twenty-one",), ("twenty", "twenty-one dozen")),
    Convention("Unions in any order; inequalities are intervals.", "math", "(-\\infty, 2) \\cup (3, \\infty)", ("(3, \\infty) \\cup (-\\infty, 2)", "x < 2 or x > 3"), ("(-\\infty, 2] \\cup (3, \\infty)",)),
    Convention("A base is part of a number.", "math", "52_8", ("52_{8}",), ("52", "42")),
    Convention("`option`: a letter, alone.", "option", "B", ("(B)", "b", "Option B", "B, 40"), ("B or C", "not B", "(B) is wrong")),
    Convention("`options`: a set of letters.", "options", "B, D", ("BD", "D, B"), ("B or D", "B")),
)  # fmt: skip


def table() -> str:
    """The conventions as a table for the docs."""
    lines = ["| convention | kind | right answer | right | wrong |", "|---|---|---|---|---|"]
    for row in CONVENTIONS:
        right, wrong = (
            ", ".join(f"`{answer}`" for answer in answers) for answers in (row.right, row.wrong)
        )
        lines.append(f"| {row.text} | `{row.kind}` | `{row.gold}` | {right} | {wrong} |")
    return "\n".join(lines) + "\n"
