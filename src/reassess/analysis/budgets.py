"""What the runs of each side of a comparison cost, and whether the sides are on one budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import pick
from reassess.config.claims import Budget

AXES = ("updates", "samples", "tokens", "flops")
WITHIN = {"updates": 0.01, "flops": 0.1}  # the largest relative difference that is matched; ours
PLATEAU = 0.05  # the largest rise of probe accuracy from the middle to the last third; ours


@dataclass(frozen=True)
class Budgets:
    """The mean budget of the runs of a side.

    Attributes:
        side: its name, `first` or `second`.
        updates: optimizer updates.
        samples: rows or completions trained on.
        tokens: tokens processed.
        flops: estimated floating-point operations.
    """

    side: str
    updates: float
    samples: float
    tokens: float
    flops: float


def budgets_of(bundle: Bundle, side: str, cells: Iterable[str]) -> Budgets:
    """The mean budget of some cells; not a number where there are none."""
    rows = pick(bundle.scored, cell={*cells})
    return Budgets(side, *(float(rows[name].astype(float).mean()) for name in AXES))


def unmatched(bundle: Bundle, axis: Budget, runs: Sequence[tuple[str, str]]) -> str:
    """Why runs that are compared are not on the budget of a claim; empty if all are.

    Args:
        bundle: the results of a study.
        axis: the budget that the claim names.
        runs: the cells of both sides of each pair.
    """
    if axis == "own":
        return ""
    if axis == "plateau":
        rises = {cell: _rise(bundle, cell) for pair in runs for cell in pair}
        if unknown := [cell for cell, rise in rises.items() if rise is None]:
            return f"whether at a plateau is not recorded: {', '.join(unknown)}"
        rising = [cell for cell, rise in rises.items() if rise is not None and rise > PLATEAU]
        return f"not at a plateau yet: {', '.join(rising)}" if rising else ""
    spent = bundle.scored.set_index("cell")[axis].astype(float)
    for pair in runs:
        one, other = (float(spent[cell]) for cell in pair)
        if not abs(one - other) <= WITHIN[axis] * max(one, other):
            return f"{pair[0]} and {pair[1]} differ in {axis}: {one:.4g} and {other:.4g}"
    return ""


def _rise(bundle: Bundle, cell: str) -> float | None:
    """How much probe accuracy rises from the middle to the last third of a run, where recorded."""
    history = bundle.history[bundle.history["cell"] == cell]
    values = pick(history, metric="probe_accuracy").sort_values("step")["value"].to_numpy()
    if len(values) < 3:
        return None
    _, middle, last = np.array_split(values, 3)
    return float(last.mean() - middle.mean())
