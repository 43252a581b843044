"""Our verifier beside the official rules: cases written by hand, and counts on generated replies.

`python tests/official.py` writes the tables of the docs again.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path

import conventions
import official_rules
from official_replies import BENCHMARKS, replies

PAGE = Path(__file__).parents[1] / "docs" / "graders.md"


@dataclass(frozen=True)
class Case:
    """A reply with the verdicts of our verifier and of the official rule."""

    benchmark: str
    rule: str
    kind: str
    reply: str
    gold: str
    ours: bool
    official: bool | None
    options: tuple[str, ...] = ()
    why: str = ""


THOUGHT = "<think>(C) seems wrong.</think> "
FOUR = ("30°", "40°", "50°", "60°")
A, B = json.dumps(["A", "30°"]), json.dumps(["B", "40°"])
HALF = json.dumps(["0.5", "1/2"])
NEEDS_A_BOX = "ours needs a box, a tag, or an answer line"
BACKSLASH = "the official rule reads the backslash"

CASES = (
    Case("MMStar", "mmstar", "option", "B", "B", False, True, why=NEEDS_A_BOX),
    Case("MMStar", "mmstar", "option", "\\boxed{B}", "B", True, False, why=BACKSLASH),
    Case("MMStar", "mmstar", "option", "The answer is B.", "B", True, True),
    Case("MMStar", "mmstar", "option", "The answer is (B).", "B", True, False, why="behind these words it reads the bracket as the letter"),
    Case("MMStar", "mmstar", "option", THOUGHT + "\\boxed{B}", "B", True, False, why="it reads only the start, which is the thought's"),
    Case("MMStar", "mmstar", "option", "Both fit, but \\boxed{C}", "B", False, True, why="a word's first letter counts, in either case"),
    Case("MMStar", "mmstar", "option", "\\boxed{C}", "B", False, False),
    Case("MMMU, options", "mmmu_choice", "choice", "The answer is (B). \\boxed{B}", B, True, True, FOUR),
    Case("MMMU, options", "mmmu_choice", "choice", "\\boxed{B}", B, True, None, FOUR, "it does not read boxes and draws an option"),
    Case("MMMU, options", "mmmu_choice", "choice", "<answer>B</answer>", B, True, None, FOUR, "it does not read tags either"),
    Case("MMMU, options", "mmmu_choice", "choice", THOUGHT + "\\boxed{B}", B, True, False, FOUR, "(C) in the thought is taken before the box"),
    Case("MMMU, options", "mmmu_choice", "choice", "I cannot tell.", B, False, None, FOUR, "no answer: it draws an option, and ours is wrong"),
    Case("MMMU, options", "mmmu_choice", "choice", "\\boxed{C} that is (C)", B, False, False, FOUR),
    Case("MMMU, open", "mmmu_open", "any", "\\boxed{0.5}", HALF, True, True),
    Case("MMMU, open", "mmmu_open", "any", "\\boxed{0.7}", HALF, False, False),
    Case("MMMU, open", "mmmu_open", "any", "0.5 or 0.7, so \\boxed{0.7}", HALF, False, False),
    Case("MMMU, open", "mmmu_open", "any", "The answer is 0.7 or 0.5.", HALF, False, True, why="any number behind \"is\" may match"),
    Case("MMMU, open", "mmmu_open", "any", "\\boxed{\\frac{1}{2}}", HALF, True, False, why="it finds the numbers 1 and 2"),
    Case("MathVision", "mathvision", "choice", "\\boxed{B}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{40°}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{A} no, \\boxed{B}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{C}", B, False, False, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{(B)}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "B\nThe others are too large.", B, False, True, FOUR, NEEDS_A_BOX),
    Case("MathVision", "mathvision", "math", "\\boxed{0.333}", "0.33", False, True, why="it rounds to two decimals; ours rounds only where "
         "the benchmark states a precision"),
    Case("MathVision", "mathvision", "math", "\\boxed{7}", "7", True, True),
    Case("MathVision", "mathvision", "math", "\\boxed{7 cm}", "7", True, False, why="of units it drops only km, m³ and \"units\""),
    Case("MathVista, choice", "mathvista_choice", "choice", "40°", B, False, True, FOUR, NEEDS_A_BOX),
    Case("MathVista, choice", "mathvista_choice", "choice", "\\boxed{40°}", B, True, None, FOUR, "it needs a judge model to read a box"),
    Case("MathVista, choice", "mathvista_choice", "choice", "", B, False, False, FOUR),
    Case("MathVista, choice", "mathvista_choice", "choice", "", A, False, True, FOUR, "an empty reply is the first of the shortest choices"),
    Case("MathVista, choice", "mathvista_choice_judged", "choice", "\\boxed{45°}", B, False, True, FOUR, "with an ideal judge: it takes the nearest spelling"),
    Case("MathVista, number", "mathvista_integer", "number", "14", "14", False, True, why=NEEDS_A_BOX),
    Case("MathVista, number", "mathvista_integer", "number", "\\boxed{14}", "14", True, None, why="it needs a judge model to read a box"),
    Case("MathVista, number", "mathvista_integer_judged", "number", "\\boxed{14}", "14", True, True),
    Case("MathVista, number", "mathvista_integer_judged", "number", "\\boxed{14.9}", "14", False, True, why="with an ideal judge: it cuts decimals off"),
    Case("MathVista, number", "mathvista_integer_judged", "number", "\\boxed{14 cm}", "14", True, False, why="with an ideal judge: it reads no units"),
    Case("MathVista, number", "mathvista_float_judged", "number", "\\boxed{0.474}", "0.47", True, True),
    Case("MathVerse", "mathverse", "option", "\\boxed{B}", "B", True, None, why="it needs judge models for every reply"),
    Case("MathVerse", "mathverse", "option", "\\boxed{C}", "B", False, None, why="it needs judge models for every reply"),
    Case("We-Math", "wemath", "option", "Answer: B", "B", True, True),
    Case("We-Math", "wemath", "option", "Answer: \\boxed{B}", "B", True, False, why=BACKSLASH),
    Case("We-Math", "wemath", "option", "\\boxed{B}", "B", True, False, why=BACKSLASH),
    Case("We-Math", "wemath", "option", "Answer: (B)", "B", True, False, why="it reads the bracket"),
    Case("We-Math", "wemath", "option", "A square, so \\boxed{B}", "A", False, True, why="a word's first letter counts"),
    Case("We-Math", "wemath", "option", "Answer: C", "B", False, False),
    Case("DynaMath, number", "dynamath_float", "near", "\\boxed{0.3335}", "0.333", True, False, why="it needs JSON, and reads this as the word `{0.3335`"),
    Case("DynaMath, number", "dynamath_float", "near", '{"solution": "", "short answer": "0.3335"}', "0.333", True, True),
    Case("DynaMath, number", "dynamath_float", "near", "\\boxed{0.4}", "0.333", False, False),
    Case("DynaMath, options", "dynamath_choice", "option", "\\boxed{B}", "B", True, True),
    Case("DynaMath, options", "dynamath_choice", "option", "The answer is B.", "B", True, False, why="it looks at the first three characters of the last line"),
    Case("DynaMath, options", "dynamath_choice", "option", "C or B.", "C", False, True, why="it looks at the first three characters of the last line"),
    Case("DynaMath, text", "dynamath_text", "math", "The answer is red.", "red", True, True),
    Case("DynaMath, text", "dynamath_text", "math", "It is not red.", "red", False, True, why="any text with the gold in its last line is right"),
    Case("LogicVista", "logicvista", "options", "\\boxed{B, D}", "B, D", True, None, why="it needs a judge model for all but an empty reply"),
    Case("LogicVista", "logicvista", "options", "", "B, D", False, False),
    Case("GSM8K", "gsm8k", "number", "#### 1,234 \\boxed{1234}", "1234", True, True),
    Case("GSM8K", "gsm8k", "number", "\\boxed{1234}", "1234", True, False, why="it reads only what follows `####`"),
    Case("GSM8K", "gsm8k", "number", "#### 12 \\boxed{12}", "1234", False, False),
    Case("GSM8K", "gsm8k_flexible", "number", "\\boxed{1234}", "1234", True, True),
    Case("GSM8K", "gsm8k_flexible", "number", "\\boxed{12}, not 1234.", "1234", False, True, why="lm-eval's flexible filter: the last number counts"),
    Case("MATH-500", "math500", "math", "\\boxed{5}", "5", True, True),
    Case("MATH-500", "math500", "math", "\\boxed{\\frac{1}{2}}", "0.5", True, True),
    Case("MATH-500", "math500", "math", "\\boxed{\\frac{2}{4}}", "\\frac{1}{2}", True, False, why="fractions have to be reduced"),
    Case("MATH-500", "math500", "math", "\\boxed{5 \\text{ km}}", "5 \\text{ m}", False, True, why="it drops units on both sides"),
    Case("MATH-500", "math500", "math", "\\boxed{6}", "5", False, False),
    Case("MATH-500", "math500_stock", "math", "$5$ \\boxed{5}", "5", True, True),
    Case("MATH-500", "math500_stock", "math", "\\boxed{5}", "5", True, False, why="lm-eval's stock task never reads a box"),
    Case("GPQA", "gpqa", "choice", "The answer is (B).", B, True, True, FOUR),
    Case("GPQA", "gpqa", "choice", "\\boxed{B}", B, True, False, FOUR, "it reads only brackets"),
    Case("GPQA", "gpqa", "choice", "(C) is too large, so \\boxed{(B)}", B, True, False, FOUR, "the first bracket is taken"),
    Case("GPQA", "gpqa", "choice", "Not (B), which is too small: \\boxed{C}", B, False, True, FOUR, "the first bracket is taken"),
)  # fmt: skip


def official_verdict(case: Case) -> bool | None:
    """The verdict of the restated rule.

    For a choice it is given the right letter, or for MathVista the text of the right option.
    """
    gold = case.gold
    if case.kind == "choice":
        letter, text = json.loads(gold)
        gold = text if case.rule.startswith("mathvista_choice") else letter
    return getattr(official_rules, case.rule)(case.reply, gold, list(case.options))


def cases_table() -> str:
    """The cases as a table for the docs."""
    shown = {True: "right", False: "wrong", None: "judge or draw"}
    lines = ["| benchmark | reply | gold | ours | official | |", "|---|---|---|---|---|---|"]
    for case in CASES:
        gold = " / ".join(json.loads(case.gold)) if case.gold.startswith("[") else case.gold
        reply = f"`{case.reply}`".replace("\n", "` (line break) `") if case.reply else "(empty)"
        mark = "" if case.ours is case.official else "**differ**: "
        cells = [
            case.benchmark,
            reply,
            f"`{gold}`",
            shown[case.ours],
            shown[case.official],
            f"{mark}{case.why}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Counts:
    """How two graders judge the generated replies of a benchmark.

    Attributes:
        lost: replies that state the right answer and are not taken as right (ours, theirs).
        paid: other replies that are taken as right (ours, theirs).
    """

    replies: int
    both_right: int
    both_wrong: int
    only_ours: int
    only_theirs: int
    undecided: int
    lost: tuple[int, int]
    paid: tuple[int, int]


def counts(name: str) -> Counts:
    """Both graders on the generated replies of a row of `BENCHMARKS`."""
    from reassess.verifier import grade

    _, rule, questions, shapes = next(row for row in BENCHMARKS if row[0] == name)
    judged = []
    for reply in replies(questions, shapes):
        question = reply.question
        ours = grade(reply.text, question.gold, question.kind).correct
        theirs = getattr(official_rules, rule)(
            reply.text, question.official, list(question.options)
        )
        judged.append((ours, theirs, reply.right))
    pairs = [(ours, theirs) for ours, theirs, _ in judged]
    right = [pair for pair, (*_, stated) in zip(pairs, judged) if stated]
    wrong = [pair for pair, (*_, stated) in zip(pairs, judged) if not stated]
    return Counts(
        replies=len(pairs),
        both_right=pairs.count((True, True)),
        both_wrong=pairs.count((False, False)),
        only_ours=pairs.count((True, False)),
        only_theirs=pairs.count((False, True)),
        undecided=sum(theirs is None for _, theirs in pairs),
        lost=tuple(sum(pair[side] is False for pair in right) for side in (0, 1)),
        paid=tuple(sum(pair[side] is True for pair in wrong) for side in (0, 1)),
    )


def counts_table() -> str:
    """The counts of every benchmark as a table for the docs."""
    lines = [
        "| benchmark | replies | both right | both wrong | only ours right | only theirs right |"
        " theirs undecided | right answers lost: ours, theirs | wrong answers paid: ours, theirs |",
        "|---|" + "---:|" * 8,
    ]
    for name, *_ in BENCHMARKS:
        row = counts(name)
        cells = [
            row.replies,
            row.both_right,
            row.both_wrong,
            row.only_ours,
            row.only_theirs,
            row.undecided,
            "{}, {}".format(*row.lost),
            "{}, {}".format(*row.paid),
        ]
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def sources_table() -> str:
    """Where each rule is read: the first sentence and the last paragraph of its docstring."""
    lines = ["| benchmark | rule | read in |", "|---|---|---|"]
    for name, rule, *_ in BENCHMARKS:
        text = inspect.getdoc(getattr(official_rules, rule))
        first, source = text.split("\n")[0], text.rpartition("\nSource: ")[2]
        if source.startswith("as `"):
            source = "as above"
        lines.append(f"| {name} | {first} | {source} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


TABLES = {
    "conventions": conventions.table,
    "sources": sources_table,
    "counts": counts_table,
    "cases": cases_table,
}


def block(page: str, name: str) -> tuple[int, int]:
    """Where the table of a name starts and ends in the page."""
    start = page.index(f"<!-- {name} -->\n") + len(f"<!-- {name} -->\n")
    return start, page.index(f"<!-- end of {name} -->", start)


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text()
    for name, table in TABLES.items():
        start, end = block(page, name)
        page = page[:start] + table() + page[end:]
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
