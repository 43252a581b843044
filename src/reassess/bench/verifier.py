"""The speed of grading: what rewards and scores cost."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from reassess.bench.common import PAIRS, Measurement, Repeat, seconds_of
from reassess.grid.study import Grid
from reassess.verifier import grade_all
from reassess.verifier.math_worker import available_workers, stop

COMPLETIONS = 20_000
SYMBOLIC_SHARE = 20  # one completion of so many needs a symbolic comparison
Pair = tuple[str, str, str]  # an answer as a model gives it, the right one, and its kind


def verifier(grid: Grid) -> list[Measurement]:
    """Grading completions of which one in twenty is symbolic, against math-verify alone on those.

    No two completions are the same, so that no verdict is remembered; workers start in the time
    that is taken.
    """
    about = "math-verify on the 5 % symbolic ones, one after another in one process"
    limit = f"the same, divided without loss among {available_workers()} workers"
    repeats = tuple(_repeat(number * COMPLETIONS) for number in range(PAIRS))
    return [Measurement("grading 20,000 completions", "s", repeats, about, limit)]


def _repeat(first: int) -> Repeat:
    """Grade completions whose numbers begin with `first`."""
    symbolic = [_symbolic(first + number) for number in range(COMPLETIONS // SYMBOLIC_SHARE)]
    plain = [_plain(first + number) for number in range(COMPLETIONS - len(symbolic))]
    pairs = symbolic + plain
    pairs.sort(key=str)  # a batch mixes them
    completions = [f"<think>So it is.</think> \\boxed{{{answer}}}." for answer, _, _ in pairs]
    golds, kinds = [gold for _, gold, _ in pairs], [kind for _, _, kind in pairs]
    stop()
    ours = seconds_of(lambda: grade_all(completions, golds, kinds))
    alone = seconds_of(lambda: _by_math_verify(symbolic))
    return Repeat(ours, alone, alone / available_workers())


def _symbolic(number: int) -> Pair:
    """A pair whose comparison needs algebra or numerical evaluation, right or wrong."""
    wrong = number % 7 == 0
    size = number + 2
    forms = (
        (rf"{size}\sqrt{{3}}", rf"\sqrt{{{3 * size * size + wrong}}}"),
        (f"(x+{size})(x-1)", f"x^2+{size - 1 + wrong}x-{size}"),
        (rf"\frac{{{size}\pi}}{{{size + 1}}}", rf"\pi-\frac{{\pi}}{{{size + 1 + wrong}}}"),
        (rf"{size}\cos^2 x", rf"{size + wrong}-{size}\sin^2 x"),
        (rf"\frac{{x}}{{{size}}}+\frac{{y}}{{2}}", rf"\frac{{2x+{size + wrong}y}}{{{2 * size}}}"),
    )
    return (*forms[number % len(forms)], "math")


def _plain(number: int) -> Pair:
    """A pair that its types decide, right or wrong."""
    forms: tuple[Pair, ...] = (
        (str(number), str(number + number % 3), "integer"),
        ("ABCD"[number % 4], "B", "option"),
        (f"{number}.25", f"{number}.3", "number"),
        (rf"\frac{{{2 * number}}}{{14}}", rf"\frac{{{number}}}{{7}}", "math"),
        (rf"{number}\text{{ cm}}", f"{number}", "math"),
        (f"({number}, {number + 1})", f"({number},{number + 1})", "math"),
        (rf"{number}\%", f"{number}", "near"),
    )
    return forms[number % len(forms)]


def _by_math_verify(pairs: Sequence[Pair]) -> None:
    from math_verify import parse, verify

    for part in ("parser", "grader"):  # they warn of having no time limit
        logging.getLogger(f"math_verify.{part}").setLevel(logging.ERROR)
    for answer, gold, _ in pairs:
        parsed = [parse(f"${text}$", parsing_timeout=None) for text in (gold, answer)]
        verify(*parsed, timeout_seconds=None)
