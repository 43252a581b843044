"""What a claim estimates: its estimand, measured on a bundle.

Every measurement names the runs and models that it rests on, and the planned cells that are
missing. It says why where it is none, or where too few runs are there to decide anything.
"""

from __future__ import annotations

from collections.abc import Callable

from reassess.analysis.bundle import Bundle
from reassess.analysis.measurement import Measurement
from reassess.analysis.paired_arms import (
    accuracy_difference,
    improving_difference,
    ratio_of_spreads,
)
from reassess.analysis.planned import NotPlanned
from reassess.analysis.rewarded import deceptive_difference, deceptive_share
from reassess.config.claims import Estimand, Quantity

MEASURES: dict[Quantity, Callable[[Bundle, Estimand], Measurement]] = {
    "accuracy difference": accuracy_difference,
    "spread ratio": ratio_of_spreads,
    "difference of improving shares": improving_difference,
    "deceptive share": deceptive_share,
    "difference of deceptive shares": deceptive_difference,
}


def measure(bundle: Bundle, estimand: Estimand) -> Measurement:
    """Measure an estimand.

    Raises:
        ReassessError: cells that are compared were not scored on the same items; names them.
    """
    try:
        return MEASURES[estimand.quantity](bundle, estimand)
    except NotPlanned as absent:
        return Measurement("not run", f"not in this grid: {absent}")
