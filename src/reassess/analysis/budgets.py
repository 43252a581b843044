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


def unmatched(bundle: Bundle, axis: Budget, sides: Sequence[Budgets], cells: Iterable[str]) -> str:
    """Why two sides are not on the budget of a claim; empty if they are.

    Args:
        bundle: the results of a study.
        axis: the budget that the claim names.
        sides: what each side cost.
        cells: the cells of both sides.
    """
    if axis == "own":
        return ""
    if axis == "plateau":
        rising = [cell for cell in cells if _rise(bundle, cell) > PLATEAU]
        return f"not at a plateau yet: {', '.join(rising)}" if rising else ""
    spent = [float(getattr(one, axis)) for one in sides]
    if max(spent) - min(spent) <= WITHIN[axis] * max(spent):
        return ""
    return f"the sides differ in {axis}: {' and '.join(f'{one:.4g}' for one in spent)}"


def _rise(bundle: Bundle, cell: str) -> float:
    """How much probe accuracy rises from the middle to the last third of a run."""
    history = bundle.history[bundle.history["cell"] == cell]
    values = pick(history, metric="probe_accuracy").sort_values("step")["value"].to_numpy()
    if len(values) < 3:
        return 0.0
    _, middle, last = np.array_split(values, 3)
    return float(last.mean() - middle.mean())
