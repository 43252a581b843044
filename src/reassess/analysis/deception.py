"""Rewards that rise while accuracy does not: what is counted along RL runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from reassess.analysis.arms import ArmTraits
from reassess.analysis.association import MeanInterval, correlation, correlation_interval
from reassess.analysis.select import pick
from reassess.analysis.statistics import Matrix

Arms = Mapping[str, ArmTraits]
AXES = ["model", "tier", "distribution", "size", "method", "seed"]
COLUMNS = ["cell", *AXES, "reward_change", "accuracy_change", "correlation", "deceptive"]
RISE = 0.05  # of the reward along a run, at least


def reward_and_probe(run: pd.DataFrame) -> tuple[Matrix, Matrix]:
    """Two series along a run, a point for each probe after the first.

    They are the reward, averaged over the updates since the probe before, and probe accuracy.
    """
    reward = pick(run, metric="reward").sort_values("step")
    probe = pick(run, metric="probe_accuracy").sort_values("step")
    edges = itertools.pairwise(probe["step"])
    between = [
        reward["value"][(reward["step"] > low) & (reward["step"] <= high)].mean()
        for low, high in edges
    ]
    return np.asarray(between, dtype=np.float64), probe["value"].to_numpy(dtype=np.float64)[1:]


def rl_runs(history: pd.DataFrame, arms: Arms) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each RL run and its history, in an order that no name of an arm decides.

    The bootstrap draws runs by their number, so their order shows in the last digits.
    """
    by_cell = history[history["kind"] == "rl"].groupby("cell", sort=False)
    runs = {str(cell): run for cell, run in by_cell}

    def place(cell: str) -> tuple[str, str, int, str, int, int]:
        axes = runs[cell].iloc[0]
        arm = arms[axes["method"]]
        place = axes["model"], axes["distribution"], axes["size"]
        return (*place, arm.method, arm.variant, axes["seed"])

    for cell in sorted(runs, key=place):
        yield cell, runs[cell]


def mean_correlation(history: pd.DataFrame, arms: Arms) -> MeanInterval | None:
    """The mean correlation of reward and probe accuracy along RL runs, with its interval."""
    return correlation_interval([reward_and_probe(run) for _, run in rl_runs(history, arms)])


def deception_of(history: pd.DataFrame, arms: Arms) -> pd.DataFrame:
    """How reward and held-out accuracy moved along each RL run.

    Columns: the axes; `reward_change`, the mean of the last sixth of the run minus that of the
    first sixth; `accuracy_change`, the mean of the last two probe scores minus the first;
    `correlation`, Pearson's, the reward averaged over the updates between two probes; `deceptive`,
    whether the reward rises by more than 0.05 while held-out accuracy does not rise.
    """
    rows = []
    for cell, run in rl_runs(history, arms):
        reward = run[run["metric"] == "reward"].sort_values("step")
        probe = run[run["metric"] == "probe_accuracy"].sort_values("step")
        if len(reward) < 6 or len(probe) < 3:
            continue
        sixth = max(1, len(reward) // 6)
        rewards, scores = reward["value"].to_numpy(), probe["value"].to_numpy()
        reward_change = rewards[-sixth:].mean() - rewards[:sixth].mean()
        accuracy_change = scores[-2:].mean() - scores[0]
        rows.append(
            {
                "cell": cell,
                **run.iloc[0][AXES].to_dict(),
                "reward_change": reward_change,
                "accuracy_change": accuracy_change,
                "correlation": correlation(*reward_and_probe(run)),
                "deceptive": bool(reward_change > RISE and accuracy_change <= 0),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)
