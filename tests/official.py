"""Official rules of public benchmarks, for comparison with our verifier.

Each is restated in a few lines from what the benchmark's authors publish. None is their code, and
what one leaves out is stated with it. A rule returns True, False, or None where it needs a judge
model or draws at random.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass


def mmstar(reply: str, gold: str, options: list[str]) -> bool | None:
    """The first character is the option."""
    return reply.strip()[:1].upper() == gold


def mmmu_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """`(A)`, else a lone `A`, else `A.`, else an option's text in a reply of more than five words.

    The last of several counts; where there is none, an option is drawn.
    """
    text = f" {reply.strip(',.!?;:')} "
    letters = [chr(ord("A") + place) for place in range(len(options))]
    for shape in ("({})", " {} ", "{}."):
        places = {
            letter: text.rfind(shape.format(letter))
            for letter in letters
            if shape.format(letter) in text
        }
        if places:
            return max(places, key=lambda letter: places[letter]) == gold
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
    """A number in the reply's last line equals the gold to two decimals, or it contains the gold."""
    golds = json.loads(gold)
    last = reply.strip().splitlines()[-1] if reply.strip() else ""
    numbers = {
        round(float(digits.replace(",", "")), 2) for digits in re.findall(r"-?\d[\d,]*\.?\d*", last)
    }
    for right in golds:
        try:
            if round(float(right), 2) in numbers:
                return True
        except ValueError:
            if right.lower() in last.lower():
                return True
    return False


def mathvision(reply: str, gold: str, options: list[str]) -> bool | None:
    """The last box equals, in lower case, the letter, the option's text, or the number.

    Numbers are compared to two decimals. Without a box, what follows "answer is" is taken, or else
    the whole reply.
    """
    boxes = re.findall(r"\\boxed\{([^{}]*)\}", reply)
    answer = (boxes[-1] if boxes else re.split(r"answer is", reply)[-1]).strip(" .").lower()
    if not answer:
        return False
    golds = {gold.lower()} | ({options[ord(gold) - ord("A")].lower()} if options else set())
    if answer in golds:
        return True
    try:
        return any(round(float(answer), 2) == round(float(right), 2) for right in golds)
    except ValueError:
        return False


def mathvista_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """A reply that is a choice is compared; from any other, a judge model extracts the answer.

    Without a judge the extraction is empty, and the choice nearest to it is taken: the shortest.
    """
    if reply in options:
        return reply == gold
    return None


def wemath(reply: str, gold: str, options: list[str]) -> bool | None:
    """What follows the last "Answer": its first character from A to H."""
    after = reply.rpartition("Answer")[2]
    letter = re.search(r"[A-H]", after)
    return bool(letter) and letter.group() == gold


def dynamath_float(reply: str, gold: str, options: list[str]) -> bool | None:
    """The short answer of a JSON reply, within 0.001; any other reply goes to a judge model."""
    try:
        return abs(float(json.loads(reply)["short answer"]) - float(gold)) <= 0.001
    except (ValueError, KeyError, TypeError):
        return None


def gsm8k(reply: str, gold: str, options: list[str]) -> bool | None:
    """What follows `####`, without commas (lm-eval's strict filter)."""
    number = re.search(r"#### (-?[0-9.,]+)", reply)
    return bool(number) and number.group(1).replace(",", "").rstrip(".") == gold


def math500(reply: str, gold: str, options: list[str]) -> bool | None:
    """The text between the first and the last dollar sign equals the gold (lm-eval's stock task).

    Where there are no two dollar signs, the whole reply is compared.
    """
    first, last = reply.find("$"), reply.rfind("$")
    answer = reply if first == last else reply[first + 1 : last]
    return answer.strip().replace("The answer is ", "").rstrip(".") == gold


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
B = json.dumps(["B", "40°"])
HALF = json.dumps(["0.5", "1/2"])

CASES = (
    Case("MMStar", "mmstar", "option", "B", "B", False, True, why="ours needs a box or a tag, for which the prompt asks"),
    Case("MMStar", "mmstar", "option", "\\boxed{B}", "B", True, False, why="the official rule takes the backslash"),
    Case("MMStar", "mmstar", "option", THOUGHT + "\\boxed{B}", "B", True, False, why="it takes the first bracket, which is in the thought"),
    Case("MMStar", "mmstar", "option", "A triangle is not it: \\boxed{B}", "A", False, True, why="a word's first letter counts as A"),
    Case("MMStar", "mmstar", "option", "\\boxed{C}", "B", False, False),
    Case("MMMU, options", "mmmu_choice", "choice", "The answer is (B). \\boxed{B}", B, True, True, FOUR),
    Case("MMMU, options", "mmmu_choice", "choice", "\\boxed{B}", B, True, None, FOUR, "it does not read boxes and draws an option"),
    Case("MMMU, options", "mmmu_choice", "choice", "<answer>B</answer>", B, True, None, FOUR, "it does not read tags either"),
    Case("MMMU, options", "mmmu_choice", "choice", THOUGHT + "\\boxed{B}", B, True, False, FOUR, "(C) in the thought is taken before the box"),
    Case("MMMU, options", "mmmu_choice", "choice", "I cannot tell.", B, False, None, FOUR, "no answer: it draws an option, and ours is wrong"),
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
    Case("MathVista, choice", "mathvista_choice", "choice", "40°", B, False, True, FOUR, "ours needs a box or a tag"),
    Case("MathVista, choice", "mathvista_choice", "choice", "\\boxed{40°}", B, True, None, FOUR, "it needs a judge model to read a box"),
    Case("MathVista, choice", "mathvista_choice", "choice", "", B, False, None, FOUR, "without a judge the nearest choice is taken"),
    Case("We-Math", "wemath", "option", "Answer: B", "B", True, True),
    Case("We-Math", "wemath", "option", "Answer: \\boxed{B}", "B", True, True),
    Case("We-Math", "wemath", "option", "\\boxed{B}", "B", True, True),
    Case("We-Math", "wemath", "option", "A square, so \\boxed{B}", "B", True, False, why="the first capital letter is taken"),
    Case("We-Math", "wemath", "option", "Answer: C", "B", False, False),
    Case("DynaMath, number", "dynamath_float", "near", "\\boxed{0.3335}", "0.333", True, None, why="it needs JSON, and a judge model for any other reply"),
    Case("DynaMath, number", "dynamath_float", "near", '{"solution": "", "short answer": "0.3335"}', "0.333", False, True,
         why="our prompt asks for a box, not for JSON"),
    Case("GSM8K", "gsm8k", "number", "#### 1,234 \\boxed{1234}", "1234", True, True),
    Case("GSM8K", "gsm8k", "number", "\\boxed{1234}", "1234", True, False, why="it reads only what follows `####`"),
    Case("GSM8K", "gsm8k", "number", "#### 12 \\boxed{12}", "1234", False, False),
    Case("MATH-500", "math500", "math", "$5$ \\boxed{5}", "5", True, True),
    Case("MATH-500", "math500", "math", "\\boxed{5}", "5", True, False, why="it never reads a box"),
    Case("MATH-500", "math500", "math", "$\\boxed{\\frac{1}{2}}$", "0.5", True, False, why="it does not compare as mathematics either"),
    Case("MATH-500", "math500", "math", "$6$ \\boxed{6}", "5", False, False),
)  # fmt: skip


def official_verdict(case: Case) -> bool | None:
    """The verdict of the restated rule.

    For a choice it is given the right letter, or for MathVista the text of the right option.
    """
    gold = case.gold
    if case.kind == "choice":
        letter, text = json.loads(gold)
        gold = text if case.rule == "mathvista_choice" else letter
    return globals()[case.rule](case.reply, gold, list(case.options))


def as_table() -> str:
    """The cases as a table for the docs."""
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
