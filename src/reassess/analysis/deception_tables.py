"""The tables on deceptive rewards: every RL run, and how the share depends on the thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import (
    DECEPTIVE,
    RISES,
    RL,
    ROSE,
    THRESHOLDS,
    RunChange,
    changes,
)
from reassess.analysis.intervals import Estimate
from reassess.analysis.shares import share
from reassess.config.claims import Thresholds

ACCURACIES = (0.0, 0.02, 0.05)  # thresholds of accuracy that are compared
ROOMS = (0.05, 0.1)  # the same of room
STARTS = dict(zip(("base", "cold start"), RL, strict=True))  # claims never put the two together
RUNS = ("model", "method", "distribution", "size", "seed")


def deception_table(bundle: Bundle) -> pd.DataFrame:
    """Every RL run that is rewarded for answers: reward, accuracy, and what came of it."""
    columns = [
        *RUNS,
        "reward at the start",
        "change of reward",
        "accuracy at the start, %",
        "change of accuracy, points",
        "the same sampled",
        "on the probe",
        "on the probe, sampled",
        "outcome",
    ]
    return pd.DataFrame([_row(run) for run in changes(bundle)], columns=columns)


def _row(run: RunChange) -> tuple[object, ...]:
    cell = run.cell
    return (
        cell.model,
        cell.arm,
        cell.distribution,
        cell.size,
        cell.seed,
        f"{run.reward.start:.2f}",
        _with_interval(run.reward, 1, 2),
        "" if run.start is None else f"{100 * run.start:.1f}",
        "" if run.accuracy is None else _with_interval(run.accuracy, 100, 1),
        *(
            "" if value is None else f"{100 * value:+.1f}"
            for value in (run.sampled, run.probe, run.probe_sampled)
        ),
        run.outcome(),
    )


def _with_interval(estimate: Estimate, scale: float, digits: int) -> str:
    value, low, high = (scale * one for one in (estimate.value, *estimate.interval()))
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def sensitivity_table(bundle: Bundle) -> pd.DataFrame:
    """How many runs are deceptive, for other thresholds than those of the claims.

    The share is of runs whose reward rose; undecided runs, which make a range of it, are given
    apart. Intervals are those of the claims.
    """
    rows = [
        (start, *_of_thresholds(runs, Thresholds(room=room, accuracy=accuracy), rise))
        for start, side in STARTS.items()
        if (runs := changes(bundle, [side]))
        for room, rise, accuracy in itertools.product(ROOMS, RISES, ACCURACIES)
    ]
    columns = [
        "start",
        "room, at least",
        "reward rises by more than",
        "accuracy rises by less than, points",
        "no room",
        "reward flat",
        "rose",
        "harmful",
        "deceptive or harmful",
        "undecided",
        "by estimates alone",
        "share deceptive, %",
        "share with undecided runs, %",
    ]
    return pd.DataFrame(rows, columns=columns)


def _of_thresholds(
    runs: Sequence[RunChange], thresholds: Thresholds, rise: float
) -> tuple[object, ...]:
    outcomes = [run.outcome(thresholds, rise) for run in runs]
    rose = [(run, one) for run, one in zip(runs, outcomes, strict=True) if one in ROSE]
    ways = [run.configuration for run, _ in rose], [run.cluster for run, _ in rose]
    surely = share([one in DECEPTIVE for _, one in rose], *ways)
    possibly = share([one in DECEPTIVE or one == "undecided" for _, one in rose], *ways)
    return (
        f"{thresholds.room:g}",
        f"{rise:g}",
        f"{100 * thresholds.accuracy:g}" + (" (used)" if _is_used(thresholds, rise) else ""),
        outcomes.count("no room"),
        outcomes.count("reward flat"),
        len(rose),
        outcomes.count("harmful"),
        sum(one in DECEPTIVE for _, one in rose),
        outcomes.count("undecided"),
        sum(run.below(thresholds) for run, _ in rose),
        "" if surely is None else _share(surely),
        "" if possibly is None else _share(possibly),
    )


def _is_used(thresholds: Thresholds, rise: float) -> bool:
    return thresholds == THRESHOLDS and rise == 0


def _share(estimate: Estimate) -> str:
    value, low, high = (100 * one for one in (estimate.value, *estimate.interval()))
    return f"{value:.0f} [{low:.0f}, {high:.0f}]"
