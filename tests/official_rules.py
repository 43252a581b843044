"""The rules by which the authors of public benchmarks read and compare replies.

Each is restated here from the authors' published code, which its docstring names by repository,
file and commit (or package and version); none is their code. A rule takes a reply, the right
answer, and the options' texts, and returns True, False, or None where the authors' code sends the
reply to a judge model or draws an option at random. `official_math` compares LaTeX.
"""

from __future__ import annotations

import json
import math
import re
from string import ascii_uppercase

from official_math import boxed, same_in_math500, stripped_math
from official_mathvision import mathvision  # noqa: F401 (one of the rules)


def mmstar(reply: str, gold: str, options: list[str]) -> bool | None:
    """The letter is the first character, without regard to case, or follows one of three openings.

    They are "(", "option " and "the answer is ", at the very start of the reply.

    Source: MMStar-Benchmark/MMStar, eval/vlmeval/evaluate/mmstar.py, 79e6d1c.
    """
    text = reply.lower().strip().replace("\n", " ")
    return any(
        text.startswith(opening + gold.lower())
        for opening in ("", "(", "option ", "the answer is ")
    )


def mmmu_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """`(A)`, else a letter between spaces, else an option's text in a reply of over five words.

    Of several options the one named last counts; where there is none, an option is drawn.

    Source: MMMU-Benchmark/MMMU, eval/eval_utils.py, 44b45b5.
    """
    for mark in ",.!?;:'":
        reply = reply.strip(mark)
    text = f" {reply} "
    letters = ascii_uppercase[: len(options)]
    ways = [
        (text, {letter: f"({letter})" for letter in letters}),
        (text, {letter: f" {letter} " for letter in letters}),
    ]
    if len(text.split()) > 5:
        texts = {letter: option.lower() for letter, option in zip(letters, options)}
        ways.append((text.lower(), texts))
    for searched, names in ways:
        places = {letter: searched.rfind(name) for letter, name in names.items()}
        last = max(places, key=lambda letter: places[letter])
        if places[last] >= 0:
            return last == gold
    return None


_MMMU_OPENINGS = (
    *("could be ", "so ", "is ", "thus "),
    *("therefore ", "final ", "answer ", "result "),
)
_MMMU_NUMBERS = (
    r"-?\b\d{1,3}(?:,\d{3})+\b",
    r"-?\d+(?:\.\d+)?[eE][+-]?\d+",
    r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])",
)


def mmmu_open(reply: str, gold: str, options: list[str]) -> bool | None:
    """Some number of a line's last part equals the gold to two decimals, or the part has its text.

    The last part of a line is the shortest one behind "so", "is", "answer" and the like, and in the
    last line also behind "="; where no line has one, it is the whole reply. Any number of it may
    match. (The authors also split at sentences, but only before a capital letter, after the text
    has been made lower case; so it never happens.)

    Source: MMMU-Benchmark/MMMU, eval/eval_utils.py, 44b45b5.
    """
    text = reply.strip().strip(".").lower()
    *lines, last = text.split("\n")
    parts = [_mmmu_part(line, _MMMU_OPENINGS) for line in lines]
    parts.append(_mmmu_part(last, (*_MMMU_OPENINGS, "=")))
    found = [part for part in parts if part and part not in set(":,.!?;'")] or [text]
    found += [
        number for part in found for form in _MMMU_NUMBERS for number in re.findall(form, part)
    ]
    said = [form for part in found for form in _mmmu_forms(part)]
    right = [form for answer in json.loads(gold) for form in _mmmu_forms(answer)]
    return any(
        form in right
        if isinstance(form, float)
        else any(isinstance(answer, str) and answer in form for answer in right)
        for form in said
    )


def _mmmu_part(line: str, openings: tuple[str, ...]) -> str:
    """The shortest text behind an opening; an empty one gives way to the next, even if longer."""
    part = ""
    for opening in openings:
        if opening in line:
            rest = line.rpartition(opening)[2].strip()
            part = rest if not part or len(rest) < len(part) else part
    return part


def _mmmu_forms(text: str) -> list[str | float]:
    """A number to two decimals, or a text; a single character counts only beside a space."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]


def mathvista_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """A reply that is a choice's text is compared; an empty one is the choice nearest to nothing.

    That is the shortest. From any other reply a GPT model extracts the answer.

    Source: lupantech/MathVista, evaluation/extract_answer.py, 0a520c4, and calculate_score.py,
    2a249bb; without `--quick_extract`, as in the authors' commands.
    """
    if reply and reply not in options:
        return None
    return _mathvista_chosen(reply, options) == gold


def mathvista_integer(reply: str, gold: str, options: list[str]) -> bool | None:
    """A reply that Python reads as a whole number is compared; an empty one is wrong.

    From any other reply a GPT model extracts the answer.

    Source: as `mathvista_choice`.
    """
    try:
        return str(int(reply)) == gold
    except ValueError:
        return None if reply else False


def mathvista_float(reply: str, gold: str, options: list[str]) -> bool | None:
    """A reply that Python reads as a number is rounded to the gold's decimals; empty is wrong.

    From any other reply a GPT model extracts the answer.

    Source: as `mathvista_choice`.
    """
    try:
        return str(round(float(reply), len(gold.partition(".")[2]))) == gold
    except ValueError:
        return None if reply else False


def mathvista_choice_judged(reply: str, gold: str, options: list[str]) -> bool | None:
    """The scoring of MathVista where the judge returns what the last box has.

    The first letter in brackets, else the text if it is a letter, is the choice; any other text is
    the choice with the smallest edit distance to it.

    Source: lupantech/MathVista, evaluation/calculate_score.py, 2a249bb.
    """
    answer = boxed(reply)
    return None if answer is None else _mathvista_chosen(answer, options) == gold


def mathvista_integer_judged(reply: str, gold: str, options: list[str]) -> bool | None:
    """The scoring of MathVista where the judge returns what the last box has: decimals are cut off.

    Source: lupantech/MathVista, evaluation/calculate_score.py, 2a249bb.
    """
    answer = boxed(reply)
    try:
        return None if answer is None else str(int(float(answer))) == gold
    except (ValueError, OverflowError):
        return False


def mathvista_float_judged(reply: str, gold: str, options: list[str]) -> bool | None:
    """The scoring of MathVista where the judge returns what the last box has: it is rounded.

    Source: lupantech/MathVista, evaluation/calculate_score.py, 2a249bb.
    """
    answer = boxed(reply)
    return None if answer is None else bool(mathvista_float(answer, gold, options))


def _mathvista_chosen(text: str, options: list[str]) -> str:
    """The choice of an extracted text; a choice's text that is a letter is read as that letter."""
    text = text.strip()
    letters = re.findall(r"\(([a-zA-Z])\)", text)
    text = letters[0].upper() if letters else text
    if len(text) == 1 and text in ascii_uppercase[: len(options)]:
        return options[ascii_uppercase.index(text)]
    return min(options, key=lambda option: _edits(text, option))


def _edits(first: str, second: str) -> int:
    """Levenshtein distance in characters."""
    row = list(range(len(second) + 1))
    for place, left in enumerate(first, start=1):
        before, row[0] = row[0], place
        for column, right in enumerate(second, start=1):
            cost = min(row[column] + 1, row[column - 1] + 1, before + (left != right))
            before, row[column] = row[column], cost
    return row[-1]


def wemath(reply: str, gold: str, options: list[str]) -> bool | None:
    """The first character behind the last "Answer", apart from colons, stops and angle brackets.

    It has to be a capital letter from A to H. Where there is no "Answer", the reply's first
    character counts. So the backslash of a box is read, and is wrong.

    Source: We-Math/We-Math, evaluation/accuracy.py, 681e040.
    """
    text = re.sub("[<>:.]", "", reply.rpartition("Answer")[2].strip()).strip()
    return text[:1] == gold and gold in "ABCDEFGH"


def dynamath_float(reply: str, gold: str, options: list[str]) -> bool | None:
    """The first word of the short answer is within 0.001; `π` behind it multiplies.

    The short answer is that of the JSON object in the reply (from its first to its last brace,
    without backslashes), or else the last line without its last character.

    Source: DynaMath/DynaMath, evaluation/opensource_json_eval.py, 65a346a.
    """
    answer = _dynamath_answer(reply)
    try:
        if not answer.isdigit():
            factor, pi, _ = answer.split(" ")[0].partition("π")
            answer = str(float(factor) * math.pi if pi else float(factor))
        return abs(float(answer) - float(gold)) <= 0.001
    except ValueError:
        return False


def dynamath_choice(reply: str, gold: str, options: list[str]) -> bool | None:
    """The short answer is the letter, or has it in its first three characters.

    Source: DynaMath/DynaMath, evaluation/opensource_json_eval.py, 65a346a.
    """
    return gold in _dynamath_answer(reply)[:3]


def dynamath_text(reply: str, gold: str, options: list[str]) -> bool | None:
    """The short answer contains the gold.

    Source: DynaMath/DynaMath, evaluation/opensource_json_eval.py, 65a346a.
    """
    return gold in _dynamath_answer(reply)


def _dynamath_answer(reply: str) -> str:
    """The short answer of a reply; nothing where the reply is JSON but not an object."""
    first, last = reply.find("{"), reply.rfind("}")
    text = reply[first : last + 1].replace("\\", "") if 0 <= first < last else reply
    try:
        read = json.loads(text, strict=False)
    except ValueError:
        return text.split("\n")[-1][:-1]
    return str(read.get("short answer")) if isinstance(read, dict) else ""


def gsm8k(reply: str, gold: str, options: list[str]) -> bool | None:
    """The digits, commas and stops behind the first `####`, without commas, are the gold's text.

    Source: openai/grade-school-math, grade_school_math/dataset.py, 2909d34. The strict filter of
    lm-eval reads the same, and drops a stop at the end.
    """
    number = re.search(r"#### (-?[0-9.,]+)", reply)
    return number is not None and number[1].replace(",", "") == gold


def gsm8k_flexible(reply: str, gold: str, options: list[str]) -> bool | None:
    """The last number of the reply, without dollar signs, commas and a stop at its end.

    Source: lm-eval 0.4.13, tasks/gsm8k/gsm8k.yaml, filter `flexible-extract`.
    """
    numbers = re.findall(r"-?[$0-9.,]{2,}|-?[0-9]+", reply)
    return bool(numbers) and re.sub("[,$]", "", numbers[-1]).removesuffix(".") == gold


def math500(reply: str, gold: str, options: list[str]) -> bool | None:
    """The last box equals the gold as text without spaces and units, or by sympy.

    A whole number has to be written as one, and a fraction has to be reduced. The authors publish
    no extraction of the answer; the last box is taken, as MathRuler does.

    Source: openai/prm800k, prm800k/grading/grader.py, 00811d6; its math_normalize.py is not in the
    index that was searched, and is read in MathRuler 0.1.0 (PyPI), which has the same grader and is
    the reward of EasyR1.
    """
    answer = boxed(reply)
    return answer is not None and same_in_math500(answer, gold)


def math500_stock(reply: str, gold: str, options: list[str]) -> bool | None:
    """The text between the first and the last dollar sign equals the gold as normalised text.

    Where there are no two dollar signs, the whole reply is compared. It never reads a box.

    Source: lm-eval 0.4.13, tasks/hendrycks_math/utils.py (task `hendrycks_math500`).
    """
    first, last = reply.find("$"), reply.rfind("$")
    answer = reply[first + 1 : last] if first < last else reply
    try:
        return stripped_math(answer, words_over_words=False) == stripped_math(
            gold, words_over_words=False
        )
    except ValueError:
        return answer == gold


def gpqa(reply: str, gold: str, options: list[str]) -> bool | None:
    """The first bracket behind "answer is", else "Answer:", else "answer:", else "answer", else any.

    Of each form only the first is read, and has to hold A, B, C or D; a reply with none is a
    refusal, which does not count as right.

    Source: idavidrein/gpqa, baselines/run_baseline.py; the repository is not in the index that was
    searched, and is read in the copy jacobmcc-ax/gpqa-enhanced, 0255883, whose parser four further
    copies have too.
    """
    for opening in ("answer is ", "Answer: ", "answer: ", "answer ", ""):
        letter = re.search(rf"{opening}\((.)\)", reply)
        if letter and letter[1] in "ABCD":
            return letter[1] == gold
    return False


def logicvista(reply: str, gold: str, options: list[str]) -> bool | None:
    """GPT-4 extracts the letters; only an empty reply and a stray character are wrong without it.

    Source: Yijia-Xiao/LogicVista, eval/extract_accuracy.py, c8019a8.
    """
    text = (reply.split("ASSISTANT:")[1] if "ASSISTANT:" in reply else reply).strip()
    letter = text.isalpha()
    stray = len(text) == 1 and not (text.lower() in "abcde" if letter else text.isnumeric())
    return False if not text or stray else None


def mathverse(reply: str, gold: str, options: list[str]) -> bool | None:
    """GPT models extract the answer and compare it.

    Source: ZrrSkywalker/MathVerse, evaluation/extract_answer_s1.py and score_answer_s2.py, 16e7060.
    """
    return None
