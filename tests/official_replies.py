"""Model-like replies, generated: every shape of reply filled with every question's answers.

Nothing is drawn at random. A shape is filled once with a right answer and once with a wrong one;
hedges, replies that were cut off and replies without an answer are filled once, and are never
right. `Reply.right` says what a careful reader would take the reply to answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What the replies to a question are made of.

    Attributes:
        kind: how our verifier compares.
        gold: the right answer as our verifier has it.
        official: the right answer as the benchmark's data have it.
        right: right answers; the first is used in all shapes, the others in few.
        wrong: wrong answers, likewise.
        options: texts of the options, where the benchmark's rule gets them.
    """

    kind: str
    gold: str
    official: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """A reply, its question, and whether a reader takes it as right."""

    text: str
    question: Question
    right: bool


# ANS stands for the answer that the reply states, ALT for another one.
COMMON = (
    r"\boxed{ANS}",
    r"So the answer is \boxed{ANS}.",
    r"Therefore $\boxed{ANS}$.",
    r"Answer: \boxed{ANS}",
    r"\boxed{ANS.}",
    "<answer>ANS</answer>",
    "<think>It could be ALT, but that does not fit.</think>\nThe result is \\boxed{ANS}.",
    "<think>First I try ALT. No, it is ANS.</think>\n<answer>ANS</answer>",
    "<think>\\boxed{ALT} is too large.</think>\nWe add the sides. \\boxed{ANS}",
    "Answer: ANS",
    "**Answer:** ANS",
    "## Solution\n\nWe compare the two lengths.\n\n**Final answer:** ANS",
    "The answer is ANS.",
    "The answer is ANS",
    "The sides give 12 + 7 = 19, and half of it is 9.5. The answer is ANS.",
    "The correct answer is ANS.\n\nThis follows from the figure.",
    "ANS",
    "ANS.",
    "**ANS**",
    "ANS\nThe other values do not fit the figure.",
    "A first guess is ALT, since 12 + 7 = 19. The figure shows otherwise, so \\boxed{ANS}",
    "\\boxed{ALT}? Wait, that is not right. \\boxed{ANS}",
    "12 + 7 = 19\n#### ANS",
    '{"solution": "see the figure", "short answer": "ANS"}',
)
UNDECIDED = (
    r"\boxed{ANS} or \boxed{ALT}",
    r"\boxed{ANS or ALT}",
    "The answer is ANS or ALT.",
    "ANS or ALT",
    "<think>It could be ANS, let me",
    "We add the two sides. It looks like ANS, but first we",
    "So the answer is \\boxed{ANS",
)
EMPTY = ("I cannot tell from the figure.", "")
FEW = (r"\boxed{ANS}", "The answer is ANS.", "Answer: ANS", "ANS")
LETTERS = (
    r"\boxed{\text{ANS}}",
    r"\boxed{(ANS)}",
    "(ANS)",
    "The answer is (ANS).",
    "The answer is (ANS).\n\n\\boxed{ANS}",
    "Answer: (ANS)",
    "Option ANS",
    "Option ANS is correct.",
    "(ALT) is wrong, so \\boxed{ANS}",
    "A triangle has three sides. \\boxed{ANS}",
    "Comparing (A), (B), (C) and (D), I choose \\boxed{ANS}.",
)
NUMBERS = (
    r"\boxed{\text{ANS}}",
    r"\boxed{x = ANS}",
    r"\boxed{ANS\text{ cm}}",
    r"\boxed{ANS \text{ cm}}",
    "x = ANS",
    "Answer: ANS cm",
    "The length is ANS cm.",
    "So x is ANS.",
)


def _letters(letters: str, kind: str, options: tuple[str, ...] = ()) -> tuple[Question, ...]:
    """Questions with these right letters; the letter's lower case and text are further forms."""
    questions = []
    for letter in letters:
        other = "ABCD"[("ABCD".index(letter) + 1) % 4]
        right, wrong = [letter, letter.lower()], [other, other.lower()]
        gold = letter
        if options:
            text, text_of_other = options["ABCD".index(letter)], options["ABCD".index(other)]
            right += [text, f"{letter}. {text}", f"({letter}) {text}"]
            wrong += [text_of_other, f"{other}. {text_of_other}", f"({other}) {text_of_other}"]
            gold = json.dumps([letter, text]) if kind == "choice" else letter
        questions.append(Question(kind, gold, letter, tuple(right), tuple(wrong), options))
    return tuple(questions)


def _texts(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """The same questions for a rule whose gold is the right option's text."""
    return tuple(
        Question(q.kind, q.gold, json.loads(q.gold)[1], q.right, q.wrong, q.options)
        for q in questions
    )


def _numbers(kind: str, *rows: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[Question, ...]:
    """Questions whose first right answer is the gold."""
    return tuple(Question(kind, right[0], right[0], right, wrong) for right, wrong in rows)


def _any(*rows: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]) -> tuple[Question, ...]:
    """Questions with several golds."""
    return tuple(
        Question("any", json.dumps(golds), json.dumps(golds), right, wrong)
        for golds, right, wrong in rows
    )


ANGLES = ("30°", "40°", "50°", "60°")
WORDS = ("a square", "a circle", "a rhombus", "an ellipse")
CHOICES = _letters("BD", "choice", ANGLES) + _letters("AC", "choice", WORDS)
INTEGERS = _numbers(
    "number",
    (("14", "14.0"), ("15", "14.7", "41", "-14")),
    (("8",), ("3", "8.9", "80")),
    (("1234", "1,234"), ("1243", "1234.5", "12,34")),
    (("120",), ("12", "121", "0")),
)
FLOATS = _numbers(
    "number",
    (("0.47", "0.474"), ("0.57", "0.48", "0.4")),
    (("3.14", "3.142"), ("3.2", "3.15", "31.4")),
    (("12.5",), ("12.6", "13", "12")),
)

# name of the row, rule, questions, further shapes
BENCHMARKS = (
    ("MMStar", "mmstar", _letters("ABCD", "option"), LETTERS),
    ("MMMU, options", "mmmu_choice", CHOICES, LETTERS),
    (
        "MMMU, open",
        "mmmu_open",
        _any(
            (("0.5", "1/2"), ("0.5", "1/2", "\\frac{1}{2}"), ("0.7", "1/3", "0.25")),
            (("24.32",), ("24.32", "24.3201"), ("24.23", "24.3", "32.24")),
            (("1200",), ("1200", "1,200"), ("1300", "120", "12,000")),
            (("Mitosis",), ("mitosis", "Mitosis"), ("meiosis", "no mitosis")),
        ),
        NUMBERS,
    ),
    ("MathVision, options", "mathvision", CHOICES, LETTERS),
    (
        "MathVision, free",
        "mathvision",
        _numbers(
            "math",
            (("14", "14.0"), ("15", "41", "14.01")),
            (("0.33", "33/100"), ("0.34", "0.333", "33")),
            (("\\frac{3}{4}", "0.75", "3/4"), ("\\frac{4}{3}", "0.751", "3")),
            (("(2,3)", "(2, 3)"), ("(3,2)", "(2,4)")),
        ),
        NUMBERS,
    ),
    ("MathVista, choice", "mathvista_choice", _texts(CHOICES), LETTERS),
    ("MathVista, integer", "mathvista_integer", INTEGERS, NUMBERS),
    ("MathVista, decimal", "mathvista_float", FLOATS, NUMBERS),
    ("MathVista, choice, ideal judge", "mathvista_choice_judged", _texts(CHOICES), LETTERS),
    ("MathVista, integer, ideal judge", "mathvista_integer_judged", INTEGERS, NUMBERS),
    ("MathVista, decimal, ideal judge", "mathvista_float_judged", FLOATS, NUMBERS),
    ("MathVerse", "mathverse", _letters("BD", "option"), LETTERS),
    ("We-Math", "wemath", CHOICES, LETTERS),
    (
        "DynaMath, number",
        "dynamath_float",
        _numbers(
            "near",
            (("0.333", "0.3335", "1/3"), ("0.433", "0.335", "0.3")),
            (("12.000", "12", "12.0"), ("13.000", "12.01", "21")),
            (("1.571", "\\frac{\\pi}{2}", "0.5π", "1.57"), ("1.671", "1.5", "\\pi")),
        ),
        NUMBERS,
    ),
    ("DynaMath, options", "dynamath_choice", _letters("ABCD", "option"), LETTERS),
    (
        "DynaMath, text",
        "dynamath_text",
        _numbers(
            "math",
            (("yes", "Yes"), ("no",)),
            (("red",), ("blue", "dark blue")),
            (("increasing",), ("decreasing", "not increasing")),
        ),
        (),
    ),
    ("LogicVista", "logicvista", _letters("AD", "options"), LETTERS),
    ("GSM8K", "gsm8k", INTEGERS, NUMBERS),
    ("GSM8K, lm-eval's flexible filter", "gsm8k_flexible", INTEGERS, NUMBERS),
    ("GPQA", "gpqa", CHOICES, LETTERS),
)
MATH = _numbers(
    "math",
    (("5", "5.0", "x=5", "+5"), ("6", "5.5", "-5", "\\frac{5}{2}")),
    (("\\frac{1}{2}", "0.5", "1/2", "\\dfrac12", "\\frac{2}{4}"), ("\\frac{1}{3}", "2", "0.51")),
    (
        ("3\\sqrt{13}", "\\sqrt{117}", "3 \\sqrt{13}", "\\sqrt{13}\\cdot 3"),
        ("13\\sqrt{3}", "3\\sqrt{31}", "3"),
    ),
    (
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})", "(3, \\pi/2)"),
        ("\\left( \\frac{\\pi}{2}, 3 \\right)", "(3,\\pi)", "[3,\\frac{\\pi}{2}]"),
    ),
    (("(-\\infty,3]", "(-\\infty, 3]"), ("(-\\infty,3)", "(-\\infty,2]", "[3,\\infty)")),
    (("x^2+2x", "2x+x^2", "x(x+2)"), ("x^2-2x", "x^2+2", "2x^2+x")),
    (("70", "70\\%", "70^\\circ", "70\\text{ cm}"), ("71", "7", "700")),
    (("11,\\!100", "11100", "11,100"), ("11,\\!200", "1110", "11")),
)
BENCHMARKS += (
    ("MATH-500", "math500", MATH, NUMBERS),
    ("MATH-500, lm-eval's stock task", "math500_stock", MATH, NUMBERS),
)


_NUMBER = re.compile(r"-?[0-9.]+")


def replies(questions: tuple[Question, ...], shapes: tuple[str, ...]) -> Iterator[Reply]:
    """The replies to the questions in the common shapes and these; units only beside numbers."""
    for question in questions:
        seen = set()
        numeric = all(_NUMBER.fullmatch(texts[0]) for texts in (question.right, question.wrong))
        apt = shapes if numeric or shapes is not NUMBERS else ()
        for reply in _replies(question, apt):
            if reply.text not in seen:
                seen.add(reply.text)
                yield reply


def _replies(question: Question, shapes: tuple[str, ...]) -> Iterator[Reply]:
    right, wrong = question.right[0], question.wrong[0]
    for shape in (*COMMON, *shapes):
        yield Reply(_filled(shape, right, wrong), question, True)
        yield Reply(_filled(shape, wrong, right), question, False)
    for shape in FEW:
        for answers, stated in ((question.right[1:], True), (question.wrong[1:], False)):
            yield from (Reply(_filled(shape, text, text), question, stated) for text in answers)
    for shape in UNDECIDED:
        yield Reply(_filled(shape, right, wrong), question, False)
    yield from (Reply(text, question, False) for text in EMPTY)


def _filled(shape: str, answer: str, other: str) -> str:
    escaped = [json.dumps(text, ensure_ascii=False)[1:-1] for text in (answer, other)]
    first, second = escaped if shape.startswith("{") else (answer, other)
    return shape.replace("ANS", first).replace("ALT", second)
