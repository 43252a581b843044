"""Official rules of public benchmarks, restated in a few lines each from what their authors publish, to hold ours against.

They are restatements and not the authors' code: what they leave out is said with each. A rule returns True, False, or None where
it asks a judge model or draws at random.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass


def mmstar(reply: str, gold: str, options: list[str]) -> bool | None:
    """The first character is the option."""
    return reply.strip()[:1].upper() == gold


def mmmu_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """`(A)`, else a lone `A`, else `A.`, else an option's text in a reply of more than five words; the last of several; else a draw."""
    text = f" {reply.strip(',.!?;:')} "
    letters = [chr(ord("A") + place) for place in range(len(options))]
    for shape in ("({})", " {} ", "{}."):
        found = {
            letter: text.rfind(shape.format(letter))
            for letter in letters
            if shape.format(letter) in text
        }
        if found:
            return max(found, key=lambda letter: found[letter]) == gold
    if len(reply.split()) > 5:
        named = {
            letter: text.lower().rfind(option.lower())
            for letter, option in zip(letters, options)
            if option.lower() in text.lower()
        }
        if named:
            return max(named, key=lambda letter: named[letter]) == gold
    return None


def mmmu_open(reply: str, gold: str, options: list[str]) -> bool | None:
    """A number of the reply's last part equals the gold to two decimals, or the gold's words stand in it."""
    golds = json.loads(gold)
    last = reply.strip().splitlines()[-1] if reply.strip() else ""
    numbers = {
        round(float(one.replace(",", "")), 2) for one in re.findall(r"-?\d[\d,]*\.?\d*", last)
    }
    for one in golds:
        try:
            if round(float(one), 2) in numbers:
                return True
        except ValueError:
            if one.lower() in last.lower():
                return True
    return False


def mathvision(reply: str, gold: str, options: list[str]) -> bool | None:
    """The last box (the whole reply where there is none) is, in lower case, the letter, the option's text, or the number to two decimals."""
    boxes = re.findall(r"\\boxed\{([^{}]*)\}", reply)
    said = (boxes[-1] if boxes else re.split(r"answer is", reply)[-1]).strip(" .").lower()
    if not said:
        return False
    right = {gold.lower()} | ({options[ord(gold) - ord("A")].lower()} if options else set())
    if said in right:
        return True
    try:
        return any(round(float(said), 2) == round(float(one), 2) for one in right)
    except ValueError:
        return False


def mathvista_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """A judge extracts; without one the extraction is empty, and empty goes to the choice that is nearest to it: the shortest."""
    if reply in options:
        return reply == gold
    return None


def wemath(reply: str, gold: str, options: list[str]) -> bool | None:
    """What follows the last "Answer": its first character from A to H."""
    after = reply.rpartition("Answer")[2]
    found = re.search(r"[A-H]", after)
    return bool(found) and found.group() == gold


def dynamath_float(reply: str, gold: str, options: list[str]) -> bool | None:
    """The short answer of a JSON reply, within 0.001; a reply that is no JSON goes to a judge."""
    try:
        return abs(float(json.loads(reply)["short answer"]) - float(gold)) <= 0.001
    except (ValueError, KeyError, TypeError):
        return None


def gsm8k(reply: str, gold: str, options: list[str]) -> bool | None:
    """What follows `####`, without commas (lm-eval's strict filter)."""
    found = re.search(r"#### (-?[0-9.,]+)", reply)
    return bool(found) and found.group(1).replace(",", "").rstrip(".") == gold


def math500(reply: str, gold: str, options: list[str]) -> bool | None:
    """The text between the first and the last dollar sign, the whole where there are none, equals the gold (lm-eval's stock task)."""
    first, last = reply.find("$"), reply.rfind("$")
    said = reply if first == last else reply[first + 1 : last]
    return said.strip().replace("The answer is ", "").rstrip(".") == gold


@dataclass(frozen=True)
class Case:
    """A reply, and what both rules say of it."""

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
B = json.dumps(["B", "40°"])
HALF = json.dumps(["0.5", "1/2"])

CASES = (
    Case("MMStar", "mmstar", "option", "B", "B", False, True, why="ours wants a box or a tag: the prompt asks for it"),
    Case("MMStar", "mmstar", "option", "\\boxed{B}", "B", True, False, why="the official rule reads a backslash"),
    Case("MMStar", "mmstar", "option", THOUGHT + "\\boxed{B}", "B", True, False, why="it reads the thought's bracket"),
    Case("MMStar", "mmstar", "option", "A triangle is not it: \\boxed{B}", "A", False, True, why="a word's first letter counts as A"),
    Case("MMStar", "mmstar", "option", "\\boxed{C}", "B", False, False),
    Case("MMMU, options", "mmmu_choice", "choice", "The answer is (B). \\boxed{B}", B, True, True, FOUR),
    Case("MMMU, options", "mmmu_choice", "choice", "\\boxed{B}", B, True, None, FOUR, "a box is unknown to it: it draws an option"),
    Case("MMMU, options", "mmmu_choice", "choice", "<answer>B</answer>", B, True, None, FOUR, "so is a tag"),
    Case("MMMU, options", "mmmu_choice", "choice", THOUGHT + "\\boxed{B}", B, True, False, FOUR, "the thought's (C) wins over the box"),
    Case("MMMU, options", "mmmu_choice", "choice", "I cannot tell.", B, False, None, FOUR, "no answer: it draws an option, ours is wrong"),
    Case("MMMU, options", "mmmu_choice", "choice", "\\boxed{C} that is (C)", B, False, False, FOUR),
    Case("MMMU, open", "mmmu_open", "any", "\\boxed{0.5}", HALF, True, True),
    Case("MMMU, open", "mmmu_open", "any", "\\boxed{0.7}", HALF, False, False),
    Case("MMMU, open", "mmmu_open", "any", "0.5 or 0.7, so \\boxed{0.7}", HALF, False, True, why="any number in the last line may match"),
    Case("MathVision", "mathvision", "choice", "\\boxed{B}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{40°}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{A} no, \\boxed{B}", B, True, True, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{C}", B, False, False, FOUR),
    Case("MathVision", "mathvision", "choice", "\\boxed{(B)}", B, True, False, FOUR, "it compares the box as it stands"),
    Case("MathVision", "mathvision", "math", "\\boxed{0.333}", "0.33", False, True, why="it rounds to two decimals; ours rounds only where "
         "the benchmark states a precision"),
    Case("MathVision", "mathvision", "math", "\\boxed{7}", "7", True, True),
    Case("MathVista, choice", "mathvista_choice", "choice", "40°", B, False, True, FOUR, "ours wants a box or a tag"),
    Case("MathVista, choice", "mathvista_choice", "choice", "\\boxed{40°}", B, True, None, FOUR, "it needs a judge model to read a box"),
    Case("MathVista, choice", "mathvista_choice", "choice", "", B, False, None, FOUR, "without a judge the nearest choice is taken"),
    Case("We-Math", "wemath", "option", "Answer: B", "B", True, True),
    Case("We-Math", "wemath", "option", "Answer: \\boxed{B}", "B", True, True),
    Case("We-Math", "wemath", "option", "\\boxed{B}", "B", True, True),
    Case("We-Math", "wemath", "option", "A square, so \\boxed{B}", "B", True, False, why="the first capital letter is taken"),
    Case("We-Math", "wemath", "option", "Answer: C", "B", False, False),
    Case("DynaMath, number", "dynamath_float", "near", "\\boxed{0.3335}", "0.333", True, None, why="it wants JSON, and asks a judge without"),
    Case("DynaMath, number", "dynamath_float", "near", '{"solution": "", "short answer": "0.3335"}', "0.333", False, True,
         why="our prompt asks for a box, not for JSON"),
    Case("GSM8K", "gsm8k", "number", "#### 1,234 \\boxed{1234}", "1234", True, True),
    Case("GSM8K", "gsm8k", "number", "\\boxed{1234}", "1234", True, False, why="it reads `####` alone"),
    Case("GSM8K", "gsm8k", "number", "#### 12 \\boxed{12}", "1234", False, False),
    Case("MATH-500", "math500", "math", "$5$ \\boxed{5}", "5", True, True),
    Case("MATH-500", "math500", "math", "\\boxed{5}", "5", True, False, why="it never reads a box"),
    Case("MATH-500", "math500", "math", "$\\boxed{\\frac{1}{2}}$", "0.5", True, False, why="nor does it compare as mathematics"),
    Case("MATH-500", "math500", "math", "$6$ \\boxed{6}", "5", False, False),
)  # fmt: skip


def official_verdict(case: Case) -> bool | None:
    """Return what the restated rule says; for a choice it is given the letter, or for MathVista the option's text."""
    gold = case.gold
    if case.kind == "choice":
        letter, text = json.loads(gold)
        gold = text if case.rule == "mathvista_choice" else letter
    return globals()[case.rule](case.reply, gold, list(case.options))


def as_table() -> str:
    """Return the cases as a table for the docs."""
    shown = {True: "right", False: "wrong", None: "judge or draw"}
    lines = ["| benchmark | reply | gold | ours | official | |", "|---|---|---|---|---|---|"]
    for case in CASES:
        gold = " / ".join(json.loads(case.gold)) if case.gold.startswith("[") else case.gold
        reply = f"`{case.reply}`" if case.reply else "(empty)"
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
