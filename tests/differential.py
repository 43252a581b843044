r"""Our verifier beside two public graders: where they differ, who is right, and why.

The pairs are grouped by class; each states what a careful reader says of it. The two graders are
math-verify with its stock settings on whole completions, and a restatement of MathRuler, the reward
of EasyR1. `python tests/differential.py` writes the page of the docs again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from official_math import boxed, same_in_math500

PAGE = Path(__file__).parents[1] / "docs" / "verifier-differences.md"
MATH_VERIFY, MATHRULER = "math-verify", "MathRuler"
GRADERS = (MATH_VERIFY, MATHRULER)


@dataclass(frozen=True)
class Class:
    """Answers of one sort.

    Attributes:
        cases: for each right answer, what is right and what is wrong.
        why: for each grader that differs from us, the reason.
        kind: how ours compares them.
        whole: whether the texts are completions, and not what stands in a box.
        convention: whether ours follows a convention on which careful readers may differ.
    """

    name: str
    cases: dict[str, tuple[list[str], list[str]]]
    why: dict[str, str] = field(default_factory=dict)
    kind: str = "math"
    whole: bool = False
    convention: bool = False


@dataclass(frozen=True)
class Pair:
    """A right answer and a completion, with whether that is right."""

    group: Class
    gold: str
    completion: str
    right: bool


CLASSES = (
    Class("whole numbers", {
        "12": (["12.0", "+12", "x = 12", "6 \\cdot 2", "24/2", "\\mathbf{12}", "(12)"], ["13", "-12", "12.5", "1.2", "120", "12^2", "12!"]),
        "-50": (["-50.0", "−50", "- 50"], ["50", "-5", "-51"]),
        "0": (["0.0", "-0", "5-5"], ["1", "0.001", "10^{-9}"]),
    }, {MATHRULER: "beside a whole number it takes only digits; it does not know the minus sign of Unicode"}),
    Class("grouped digits", {
        "14916": (["14,916", "14{,}916", "14\\,916", "14,\\!916", "14 916", "14,916.0"], ["14,91", "14.916", "14", "916", "14, 917"]),
    }, {MATH_VERIFY: "digits with a space between them are two numbers", MATHRULER: "digits with a space of LaTeX between them are a mixed number"}),
    Class("decimals", {
        "1.25": (["1.250", "5/4", "\\frac{5}{4}", "1\\frac{1}{4}", "1.25."], ["1.26", "12.5", "1.2", "1,25 or 2", "-1.25"]),
        ".0000672": (["0.0000672", "6.72 \\times 10^{-5}", "\\frac{672}{10^7}"], ["0.000672", "0", "0.0000673", "6.72"]),
    }, {MATH_VERIFY: "it rounds to six decimals; a full stop behind a decimal is unknown to it", MATHRULER: "a full stop is a part of the answer; it evaluates no power in braces"}),
    Class("rounded decimals", {
        "3.14": (["\\pi", "3.1416", "3.14159265"], ["3.1", "3.15", "22/5", "3"]),
        "16386.17": (["16386.169", "\\$16{,}386.17"], ["16386.2", "16386.16", "16000"]),
    }, {MATH_VERIFY: "a right answer in decimals is exact to six of them", MATHRULER: "numbers are equal exactly"}),
    Class("decimals for exact answers", {
        "\\frac{1}{3}": (["0.333333", "0.33333333", "0.\\overline{3}"], ["0.33", "0.3", "0.3334"]),
        "\\sqrt{2}": (["1.414214", "1.41421356"], ["1.41", "1.5", "1.4143"]),
        "12\\pi": (["37.699112"], ["37.7", "38", "37.68"]),
    }, {MATH_VERIFY: "it does not read a bar above repeated digits", MATHRULER: "numbers are equal exactly"}, convention=True),
    Class("small magnitudes", {
        "10^{-8}": (["1 \\times 10^{-8}", "0.00000001"], ["0.0", "0", "10^{-9}", "2 \\times 10^{-8}"]),
        "3.1\\times10^{-34}": (["3.1 \\cdot 10^{-34}", "31 \\times 10^{-35}"], ["6.6\\times10^{-34}", "0", "3.1"]),
    }, {MATH_VERIFY: "both numbers are rounded to six decimals, and are 0 then", MATHRULER: "it evaluates no power in braces"}),
    Class("large magnitudes", {
        "6.02\\times10^{23}": (["6.02 \\cdot 10^{23}", "602 \\times 10^{21}"], ["6.02\\times10^{22}", "6.02", "6.03\\times10^{23}"]),
        "2^{10}": (["1024", "2^9 \\cdot 2", "4^5"], ["20", "2^{11}", "210", "1023"]),
        "5!": (["120", "5 \\cdot 4!"], ["5", "25", "6!"]),
    }, {MATH_VERIFY: "it compares two floating-point numbers exactly", MATHRULER: "it evaluates no power of two digits, and no factorial beside a whole number"}),
    Class("fractions", {
        "\\frac{1}{2}": (["1/2", "0.5", "\\frac{2}{4}", "\\dfrac12", "\\frac 1 2", "{1 \\over 2}", ".5"], ["2", "\\frac{1}{3}", "1.2", "-\\frac{1}{2}", "\\frac{2}{1}", "1"]),
        "-\\frac{35}{9}": (["\\frac{-35}{9}", "-3\\frac{8}{9}", "-35/9"], ["\\frac{35}{9}", "-3.8", "-\\frac{9}{35}"]),
    }, {MATHRULER: "fractions have to be reduced; it does not read `\\over`, nor a mixed number with a sign"}),
    Class("mixed numbers", {
        "1\\frac{4}{5}": (["9/5", "1.8", "1 4/5", "\\frac{9}{5}", "1 + 4/5"], ["\\frac{14}{5}", "\\frac{4}{5}", "1.45", "1"]),
        "\\frac{103}{9}": (["11 4/9", "11\\frac{4}{9}"], ["11 - 4/9", "11", "4/9"]),
    }, {MATH_VERIFY: "the fraction behind the whole number is a number of its own"}),
    Class("percentages", {
        "25\\%": (["25", "0.25", "25 percent", "25%", "25 \\text{ percent}"], ["2.5", "0.25\\%", "2500\\%", "75\\%"]),
        "25": (["25\\%", "25 percent"], ["0.25", "2.5\\%"]),
    }, {MATHRULER: "it drops the sign only, so that 0.25 is no percentage"}, convention=True),
    Class("scale words", {
        "12": ([], ["12 million", "12 dozen", "12 thousand", "12 \\text{ hundred}"]),
        "12 million": (["12000000", "12 \\times 10^6", "12,000,000"], ["12", "12 thousand", "12 billion"]),
    }, {MATH_VERIFY: "it drops or ignores the words of the right answer, and drops those in `\\text`", MATHRULER: "it multiplies by a million in one spelling, and drops words in `\\text`"}),
    Class("units of the right answer", {
        "5 \\text{ km}": (["5", "5000 m", "5\\,\\mathrm{km}", "5 kilometers"], ["5 m", "5 \\text{ km}^2", "5 hours", "6 km", "500 m"]),
        "15\\mbox{ cm}^2": (["15", "15 \\text{ cm}^2", "15 cm^2"], ["15 \\text{ cm}", "15 \\text{ m}^2", "16 cm^2"]),
        "\\$36": (["36", "36 dollars", "\\$36.00"], ["36 cents", "\\$3.6", "\\$360"]),
    }, {MATH_VERIFY: "it drops some units on both sides and converts none", MATHRULER: "it drops the units of a list and their powers, leaves others, and converts none"}),
    Class("units of the answer", {
        "12": (["12 \\text{ cm}", "12 apples", "12 \\text{ divisors}", "12\\text{ units}"], ["13 cm", "12 minus one", "12 plus 3"]),
        "\\sqrt{5}": (["\\sqrt{5} \\text{ meters}"], ["5 \\text{ meters}"]),
    }, {MATHRULER: "it drops the units of a list, and no others"}),
    Class("degrees", {
        "90^\\circ": (["90", "90 degrees", "90°", "90^{\\circ}"], ["90 \\text{ radians}", "45^\\circ", "\\frac{\\pi}{3}"]),
        "90": (["90^\\circ", "90 \\text{ degrees}"], ["91^\\circ"]),
    }, {MATH_VERIFY: "it drops radians, and does not read `°`", MATHRULER: "it drops radians, and does not read `°`"}),
    Class("bases", {
        "52_8": (["52_{8}", "(52)_8"], ["52", "42", "52_9", "52_{10}"]),
        "204_5": (["204_{5}"], ["204", "240_5", "54"]),
    }, {MATH_VERIFY: "it drops the base", MATHRULER: "the bracket is a part of the text"}),
    Class("words", {
        "\\text{silent}": (["silent", "Silent", "\\textbf{silent}", "\\text{ silent.}"], ["listen", "tinsel", "sil", "inlets"]),
        "\\text{east}": (["east", "East"], ["west", "seat", "eats"]),
        "\\text{not enough information}": (["not enough information"], ["enough information", "information not enough for it"]),
    }, {MATH_VERIFY: "it reads one word, not several, outside `\\text`", MATHRULER: "a full stop is a part of the word"}),
    Class("names of points", {
        "\\angle ACB": (["\\angle BCA", "\\angle ACB"], ["\\angle ABC", "\\angle CAB"]),
        "ABC": (["ABC"], ["CAB", "ACB", "AB"]),
    }, {MATH_VERIFY: "it multiplies the letters of a name", MATHRULER: "names are texts: the same angle from its other side is another one"}),
    Class("tuples", {
        "(1, 2)": (["(1,2)", "\\left(1, 2\\right)", "1, 2", "(x,y)=(1,2)", "(1.0, 4/2)"], ["(2, 1)", "(1, 3)", "[1, 2]", "(1,2,3)", "1", "12"]),
        "\\left( 3, \\frac{\\pi}{2} \\right)": (["(3, \\pi/2)", "\\bigl(3,\\tfrac{\\pi}{2}\\bigr)"], ["(3, \\pi)", "\\left( \\frac{\\pi}{2}, 3 \\right)", "(3, 1.57)"]),
    }, {MATH_VERIFY: "it does not read `\\bigl`", MATHRULER: "tuples need the same brackets, and digits beside whole numbers"}),
    Class("intervals", {
        "(3,4]": (["\\left(3, 4\\right]", "x \\in (3,4]", "3 < x \\le 4", "(3, 4.0]"], ["(3,4)", "[3,4]", "[3,4)", "(3,5]"]),
        "(2,\\infty)": (["(2, +\\infty)", "x > 2", "(2, ∞)"], ["[2,\\infty)", "(-\\infty, 2)", "(2, 100)", "2"]),
        "(0,9) \\cup (9,36)": (["(9,36) \\cup (0,9)", "x \\in (0,9)\\cup(9,36)"], ["(0,36)", "(0,9)", "(0,9] \\cup (9,36)"]),
    }, {MATH_VERIFY: "it compares no inequality with an interval, and does not read `∞`", MATHRULER: "intervals and their unions are texts"}),
    Class("lists", {
        "1,-2": (["-2, 1", "\\{1,-2\\}", "1 \\text{ and } -2", "x=1, x=-2", "1, -2."], ["1", "1,2", "1,-2,3", "-1, 2", "-1"]),
        "3, 5, 7": (["7, 5, 3", "3,5,7", "3, 5 \\text{ and } 7"], ["3, 5", "357", "3, 5, 8", "3, 5, 7, 9"]),
    }, {MATH_VERIFY: "a full stop behind a list is unknown to it", MATHRULER: "lists are texts, in their order"}),
    Class("sets", {
        "\\{1,2,3\\}": (["\\{3,2,1\\}", "1,2,3", "\\left\\{1, 2, 3\\right\\}"], ["\\{1,2\\}", "\\{1,2,4\\}", "6"]),
        "1 \\pm \\sqrt{19}": (["1+\\sqrt{19}, 1-\\sqrt{19}", "1 ± \\sqrt{19}", "1-\\sqrt{19},\\, 1+\\sqrt{19}"], ["1+\\sqrt{19}", "\\pm \\sqrt{19}", "1 \\pm \\sqrt{18}"]),
    }, {MATHRULER: "sets and both signs are texts"}),
    Class("several values for one", {
        "5": (["5 or 5.0"], ["5 or 6", "4, 5", "5, 6", "\\text{either } 5 \\text{ or } 7", "5 \\pm 1", "5 \\text{ to } 6", "\\{5, 6\\}"]),
        "12\\pi": ([], ["12\\pi \\text{ or } 6\\pi", "6\\pi, 12\\pi"]),
    }, {MATHRULER: "it drops words in `\\text` with all that follows them, and takes \"or\" for a comma"}),
    Class("conditions and negations", {
        "5": ([], ["\\text{not } 5", "x \\ne 5", "x > 5", "x < 5", "5 < x < 6"]),
        "x=5": (["5", "5 = x", "x = 5.0"], ["y = 5", "x = 6", "x > 5", "x \\ne 5"]),
    }, {MATHRULER: "it drops a name before the equals sign, whichever it is, and only there"}),
    Class("equations", {
        "y = 2x + 3": (["2x + 3 = y", "y=3+2x", "y - 2x = 3"], ["y = 2x - 3", "y = 3x + 2", "x = 2y + 3"]),
        "5x - 7y + 11z + 4 = 0": (["5x-7y+11z=-4", "-5x + 7y - 11z - 4 = 0"], ["5x - 7y + 11z = 4", "5x + 7y + 11z + 4 = 0", "0"]),
    }, {MATHRULER: "equations are texts"}),
    Class("inequalities", {
        "x \\ge 5": (["5 \\le x", "x >= 5", "x \\geq 5"], ["x > 5", "x \\le 5", "x = 5", "5"]),
    }, {MATHRULER: "inequalities are texts"}),
    Class("polynomials", {
        "x^3+3x-6": (["-6+3x+x^3", "x(x^2+3)-6", "x^{3} + 3 x - 6"], ["x^3+3x+6", "x^3-3x-6", "x^2+3x-6", "x^3+3x"]),
        "(a+5)(b+2)": (["(b+2)(a+5)", "ab+2a+5b+10"], ["(a+2)(b+5)", "(a-5)(b-2)"]),
        "2k": (["k+k", "2 \\cdot k", "2 k"], ["2n", "2", "k^2"]),
    }),
    Class("roots and pi", {
        "3\\sqrt{13}": (["\\sqrt{117}", "3 \\cdot \\sqrt{13}", "3√13", "3 \\sqrt {13}"], ["\\sqrt{39}", "13\\sqrt{3}", "3\\sqrt{12}", "3"]),
        "\\frac{\\sqrt{3}}{3}": (["\\frac{1}{\\sqrt{3}}", "\\sqrt{3}/3", "\\sqrt{\\frac{1}{3}}"], ["\\sqrt{3}", "\\frac{\\sqrt{3}}{2}"]),
        "8\\pi": (["8π", "\\pi \\cdot 8", "8 \\pi"], ["8", "16\\pi", "\\pi^8"]),
    }, {MATH_VERIFY: "it does not read `√` with two digits", MATHRULER: "it does not read `√` and `π` outside of LaTeX"}),
    Class("functions", {
        "\\cot x": (["\\frac{\\cos x}{\\sin x}", "\\frac{1}{\\tan x}"], ["\\tan x", "\\cos x"]),
        "\\ln 2": (["\\frac{1}{2}\\ln 4"], ["\\ln 3", "2", "\\ln 4"]),
        "2 \\sin b \\cos a": (["\\sin(a+b)-\\sin(a-b)", "2\\cos a\\sin b"], ["2 \\sin a \\cos b"]),
    }, {MATHRULER: "it does not read functions in LaTeX"}),
    Class("complex numbers", {
        "6 - 5i": (["-5i + 6", "6-5 i"], ["6+5i", "5 - 6i", "6", "6-5"]),
    }, {MATH_VERIFY: "it does not read a space before the imaginary unit"}),
    Class("matrices", {
        "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}": (["\\begin{pmatrix}1\\\\2\\end{pmatrix}"], ["\\begin{pmatrix} 2 \\\\ 1 \\end{pmatrix}", "\\begin{pmatrix} 1 & 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 3 \\end{pmatrix}"]),
        "\\begin{pmatrix} -1/3 \\\\ 2/3 \\end{pmatrix}": (["\\begin{pmatrix} -\\frac{1}{3} \\\\ \\frac{2}{3} \\end{pmatrix}"], ["\\begin{pmatrix} 1/3 \\\\ 2/3 \\end{pmatrix}"]),
    }),
    Class("ratios and times", {
        "3:4": (["3 : 4"], ["4:3", "34", "3.4"]),
        "12:30": (["12:30"], ["1:30", "12:03"]),
    }),
    Class("option letters", {
        "B": (["B", "(B)", "\\textbf{(B)}", "b", "B.", "\\text{B}", "\\textbf{(B)}\\ 40"], ["A", "(A) or (B)", "B or C", "\\text{not } B", "AB", "C"]),
    }, {MATH_VERIFY: "it reads neither a full stop behind the letter nor the option's text", MATHRULER: "it reads neither a full stop behind the letter nor the option's text"}, kind="option"),
    Class("option sets", {
        "B, D": (["BD", "D, B", "B and D", "B,D"], ["B", "B, C", "B or D", "BCD"]),
    }, {MATH_VERIFY: "it multiplies letters, and takes \"or\" for \"and\"", MATHRULER: "sets are texts, and \"or\" is a comma"}, kind="options"),
    Class("numbers to a stated precision", {
        "0.47": (["0.474", "47\\%", "0.47"], ["0.48", "0.5", "0.4"]),
    }, {MATH_VERIFY: "it does not know the precision", MATHRULER: "it does not know the precision"}, kind="number", convention=True),
    Class("boxes in sentences", {
        "5": ([
            "So $\\boxed{5}$ is the answer.", "It is $\\boxed 5$.", "It is \\boxed {5}.", "It is \\fbox{5}.", "**\\boxed{5}**",
            "\\[ \\boxed{5} \\]", "First \\boxed{7}. I check it. The sum is \\boxed{5}.", "\\boxed{5} and then \\boxed{",
            "\\boxed{5} \\boxed{}", "Both ways give \\boxed{5} and \\boxed{5}.", "\\boxed{\\boxed{5}}",
        ], [
            "\\boxed{6}", "\\boxed{}", "\\boxed{5", "\\boxed{5} or \\boxed{6}", "\\boxed{4}, \\boxed{5}",
            "\\boxed{5}. I check it. The sum is \\boxed{6}.",
        ]),
    }, {MATH_VERIFY: "it reads `\\boxed{` only, and takes an empty one", MATHRULER: "it reads the last `\\boxed{` only, closed or not"}, whole=True),
    Class("thoughts", {
        "5": ([
            "<think>It may be \\boxed{7}.</think> \\boxed{5}", "<think>It may be 7.</think> <answer>5</answer>",
        ], [
            "<think>It is \\boxed{5}.</think> I cannot say.", "<think>It is \\boxed{5}.", "<think>It is \\boxed{5}.</think> \\boxed{6}",
        ]),
    }, {MATH_VERIFY: "it reads the thought like the rest, and no tags", MATHRULER: "it reads the thought like the rest, and no tags"}, whole=True),
    Class("answer lines and tags", {
        "5": (["Answer: 5", "**Answer:** 5", "The answer is $5$.", "The final answer is 5. I hope it is correct.", "Answer:\n5", "<answer>5</answer>"],
              ["Answer: 5 or 6", "Answer: 5.7", "Answer: 5/2", "Answer: not 5", "<answer>6</answer>", "The answer is 6, not 5."]),
        "-3": (["Answer: -3", "The answer is −3."], ["Answer: 3"]),
    }, {MATH_VERIFY: "it takes the number next to the words, whatever follows or negates it, and reads no tags", MATHRULER: "it reads boxes only"}, whole=True),
    Class("numbers that are not stated as the answer", {
        "5": ([], ["We add 2 and 3 and get 5.", "5", "There are 5 of them in all.", "I cannot tell, maybe 5."]),
    }, {MATH_VERIFY: "any number may be the answer"}, whole=True, convention=True),
)  # fmt: skip


def pairs() -> Iterator[Pair]:
    """All pairs, in the order of the classes."""
    for group in CLASSES:
        for gold, sides in group.cases.items():
            for right, texts in zip((True, False), sides):
                for text in texts:
                    completion = text if group.whole else f"Therefore, it is $\\boxed{{{text}}}$."
                    yield Pair(group, gold, completion, right)


def by_math_verify(completion: str, gold: str) -> bool:
    """Whether math-verify, with its stock settings, takes a completion for the gold.

    Its limits of wall time are off, so that the verdict does not depend on load.
    """
    from math_verify import parse, verify

    for part in ("math_verify", "latex2sympy2_extended"):
        logging.getLogger(part).setLevel(logging.CRITICAL)
    right, given = (parse(text, parsing_timeout=None) for text in (f"${gold}$", completion))
    return bool(verify(right, given, timeout_seconds=None))


def by_mathruler(completion: str, gold: str) -> bool:
    """Whether MathRuler, as EasyR1 calls it for its reward, takes a completion for the gold.

    EasyR1 drops the space around brackets and slashes. The last opened box counts, and the word
    "None" where there is none or it is not closed. Two answers are compared as in PRM800K.

    Source: hiyouga/MathRuler, mathruler/grader.py, 9ead5a3; hiyouga/EasyR1,
    examples/reward_function/math.py, 51636b2.
    """
    answer = boxed(re.sub(r"\s*([<>/])\s*", r"\1", completion))
    return same_in_math500("None" if answer is None else answer, gold)


@cache
def judged() -> tuple[tuple[Pair, bool, dict[str, bool]], ...]:
    """Each pair with our verdict and those of the other graders."""
    from reassess.verifier import grade

    return tuple(
        (
            pair,
            grade(pair.completion, pair.gold, pair.group.kind).correct,
            {
                MATH_VERIFY: by_math_verify(pair.completion, pair.gold),
                MATHRULER: by_mathruler(pair.completion, pair.gold),
            },
        )
        for pair in pairs()
    )


def differing(group: Class, grader: str) -> tuple[list[Pair], list[Pair]]:
    """The pairs of a class that a grader misjudges: right answers lost, wrong ones paid."""
    found = [
        pair
        for pair, _, theirs in judged()
        if pair.group is group and theirs[grader] is not pair.right
    ]
    return [pair for pair in found if pair.right], [pair for pair in found if not pair.right]


INTRODUCTION = """# Where our verifier and two public graders differ

`tests/differential.py` judges {pairs} pairs of a right answer and a completion, grouped by class,
with `reassess.verifier`, with math-verify (stock settings, on whole completions), and with a
restatement of MathRuler, the reward of EasyR1. Each pair states what a careful reader says. Ours
agrees with all of them, because it was mended on them: the page compares designs, not error rates.
It is generated by `python tests/differential.py`; a test fails where a class has a difference
without a reason, or a reason without a difference.

"Lost" counts right answers that a grader takes as wrong, "paid" wrong answers that it takes as
right. The last column says who is right where they differ: "ours" where no careful reader sides
with the other grader, "convention" where ours follows one of
[its conventions](graders.md#conventions).

"""


def table() -> str:
    """The classes with their counts and reasons."""
    lines = [
        "| class | pairs | math-verify: lost, paid | why | MathRuler: lost, paid | why | right |",
        "|---|---:|---:|---|---:|---|---|",
    ]
    for group in CLASSES:
        cells = [group.name, str(sum(pair.group is group for pair in pairs()))]
        for grader in GRADERS:
            lost, paid = differing(group, grader)
            cells += [f"{len(lost)}, {len(paid)}", group.why.get(grader, "")]
        right = "convention" if group.convention else "ours"
        lines.append("| " + " | ".join([*cells, right if group.why else "all"]) + " |")
    sums = [
        ", ".join(
            str(sum(len(differing(group, grader)[side]) for group in CLASSES)) for side in (0, 1)
        )
        for grader in GRADERS
    ]
    lines.append(f"| all | {len(judged())} | {sums[0]} | | {sums[1]} | | |")
    return "\n".join(lines) + "\n"


def details() -> str:
    """Every pair on which a grader differs from us."""
    shown = {True: "right", False: "wrong"}
    lines = [
        "| class | right answer | completion | ours | math-verify | MathRuler |",
        "|---|---|---|---|---|---|",
    ]
    for pair, ours, theirs in judged():
        if any(theirs[grader] is not pair.right for grader in GRADERS):
            text = pair.completion if pair.group.whole else boxed(pair.completion) or ""
            text = text.replace("\n", " ⏎ ")
            verdicts = [shown[ours], *(shown[theirs[grader]] for grader in GRADERS)]
            cells = [pair.group.name, f"`{pair.gold}`", f"`{text}`", *verdicts]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page of the docs."""
    return (
        INTRODUCTION.format(pairs=len(judged()))
        + f"## By class\n\n{table()}\n## Every difference\n\n"
        + "A completion is shown whole, or else by what stands in its box: the whole one is then\n"
        + "`Therefore, it is $\\boxed{…}$.`\n\n"
        + details()
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
