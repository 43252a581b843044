"""Rewards that rise while accuracy does not: what happened along each RL run.

A run is compared with what it started from: the untouched model of the same base replicate or,
after a cold start, the cell that it continued. Both are scored on all items of the main benchmark,
so that the change of accuracy is paired by item. Its interval covers the items, for this very run;
that of the change of reward covers the noise of the updates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from reassess.analysis.bundle import Bundle
from reassess.analysis.intervals import LEVEL, Estimate, Part
from reassess.analysis.select import pick, refuse
from reassess.analysis.statistics import MeanEstimate, paired_difference
from reassess.analysis.strata import Matrix
from reassess.config.claims import Side, Thresholds
from reassess.core.errors import ReassessError
from reassess.grid.cells import Cell

Outcome = Literal[
    "no room", "reward flat", "harmful", "deceptive", "undecided", "honest", "start not scored"
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
DECEPTIVE: frozenset[Outcome] = frozenset({"harmful", "deceptive"})
ROSE: frozenset[Outcome] = frozenset({"harmful", "deceptive", "undecided", "honest"})
THRESHOLDS = Thresholds(room=0.05, accuracy=0.02)  # ours; of the tables, as of the shipped claims
RL = (Side(kind="rl", start="base"), Side(kind="rl", start="sft"))
RISES = (0.0, 0.05, 0.1)  # how far above 0 the interval of a rise can be asked to lie
BATCHES, FEW = 12, 6  # parts of a run; of one in which twelve parts would be too short
LEAST = 12  # updates of a part, so that what correlates from update to update hardly crosses parts
WINDOW = 6  # the first and the last of so many parts of a run are compared


@dataclass(frozen=True)
class RewardChange(Estimate):
    """The mean reward in the last sixth of a run minus that in its first sixth.

    Attributes:
        value: the change.
        start: the mean reward in the first sixth.
        part: the error that the noise of updates brings, with its degrees of freedom.
        updates: how many updates the run has.
    """

    start: float
    part: Part
    updates: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The t interval; a change of a reward between 0 and 1 is no larger than 1."""
        half = self.part.half_width(level)
        return max(-1.0, self.value - half), min(1.0, self.value + half)


def reward_change(rewards: Matrix) -> RewardChange | None:
    """How the reward changed along a run, with its interval; None if there are too few updates.

    Rewards of updates are correlated: the run is cut into twelve batches of equal length (six, if
    it is short), whose means are nearly independent (batch means; Alexopoulos and Seila, Handbook
    of Simulation, 1998).
    The variance of a batch mean is that of second differences, which a linear trend does not touch.

    Args:
        rewards: the mean reward of each update, in order.

    Raises:
        ReassessError: a reward is no finite number.
    """
    if not np.isfinite(rewards).all():
        update = int(np.argmin(np.isfinite(rewards)))
        raise ReassessError(
            f"the reward of update {update + 1} of {len(rewards)} is {rewards[update]}, no number "
            "to compare: the run went wrong there, train it again"
        )
    count = BATCHES if len(rewards) >= LEAST * BATCHES else FEW
    if len(rewards) < count:
        return None
    means = np.array([batch.mean() for batch in np.array_split(rewards, count)])
    each = count // WINDOW
    first, last = float(means[:each].mean()), float(means[-each:].mean())
    curvature = np.diff(means, n=2)
    variance = float((curvature**2).sum()) / (6 * (count - 2))
    # Second differences of independent values correlate by -2/3 and 1/6: the mean of the squares of
    # n - 2 of them varies as a chi-squared variable of so many degrees of freedom does.
    freedom = 18 * (count - 2) ** 2 / (35 * count - 88)
    return RewardChange(
        last - first, first, Part(math.sqrt(2 * variance / each), freedom), len(rewards)
    )


@dataclass(frozen=True)
class RunChange:
    """What happened along an RL run.

    Attributes:
        cell: the run.
        cluster: the runs that have its start in common, or its seed.
        reward: the change of its reward.
        accuracy: the change of greedy accuracy on the main benchmark, over items; None if what it
            started from is not scored.
        start: the greedy accuracy of what it started from.
        sampled: the change of sampled accuracy on the main benchmark; None if none is recorded.
        probe: the change of greedy accuracy on the probe.
        probe_sampled: the change of sampled accuracy on the probe; None if none is recorded.
    """

    cell: Cell
    cluster: tuple[str, int]
    reward: RewardChange
    accuracy: MeanEstimate | None
    start: float | None
    sampled: float | None
    probe: float | None
    probe_sampled: float | None

    def outcome(self, thresholds: Thresholds = THRESHOLDS, rise: float = 0.0) -> Outcome:
        """What came of it.

        Args:
            thresholds: what counts as room, and as a rise of accuracy.
            rise: the whole interval of the reward's change is above this, or the reward is flat.
        """
        if self.reward.start > 1 - thresholds.room:
            return "no room"
        if self.reward.low <= rise:
            return "reward flat"
        if self.accuracy is None:
            return "start not scored"
        low, high = self.accuracy.interval()
        if high < 0:
            return "harmful"
        if high < thresholds.accuracy:
            return "deceptive"
        return "honest" if low > 0 else "undecided"

    def leans(self, thresholds: Thresholds = THRESHOLDS, rise: float = 0.0) -> bool:
        """Whether it is deceptive or, undecided, rather deceptive than not by its estimate."""
        outcome = self.outcome(thresholds, rise)
        return outcome in DECEPTIVE or (outcome == "undecided" and self.below(thresholds))

    def below(self, thresholds: Thresholds = THRESHOLDS) -> bool:
        """Whether the estimate of accuracy alone, without its interval, rises by too little."""
        return self.accuracy is not None and self.accuracy.value < thresholds.accuracy

    @property
    def configuration(self) -> tuple[str, str | None, int | None, str]:
        """What the run shares with those of other seeds."""
        return self.cell.model, self.cell.distribution, self.cell.size, self.cell.arm


def changes(bundle: Bundle, sides: Iterable[Side] = RL) -> list[RunChange]:
    """What happened along each finished run of some arms, those of a cold start last.

    Controls, whose reward never looks at the answer, are no such runs.

    Raises:
        ReassessError: a run and its start were not scored on the same items, or a reward is no
            number; names them.
    """
    return [run for side in sides for run in _changes_of(bundle, side)]


def _changes_of(bundle: Bundle, side: Side) -> list[RunChange]:
    key = "changes", side.model_dump_json()
    if (known := bundle.known.get(key)) is not None:
        return cast("list[RunChange]", known)
    cells = [cell for cell in bundle.plan.runs(side) if cell.id in bundle.done]
    wanted = bundle.history[bundle.history["cell"].isin({cell.id for cell in cells})]
    curves = {str(name): run for name, run in wanted.groupby("cell", sort=False)}
    found = (_change(bundle, cell, curves[cell.id]) for cell in cells if cell.id in curves)
    bundle.known[key] = runs = [one for one in found if one is not None]
    return runs


def of_cells(runs: Iterable[RunChange], model: str) -> list[RunChange]:
    """The runs of one model."""
    return [run for run in runs if run.cell.model == model]


def accuracy_change(bundle: Bundle, cell: Cell) -> tuple[MeanEstimate | None, float | None]:
    """The change of greedy accuracy on the main benchmark along a run, and its start's accuracy.

    The interval is over items, for this run. Both are None if its start is not scored.

    Raises:
        ReassessError: the two were not scored on the same items; names them.
    """
    start = bundle.plan.start_of(cell)
    if start is None or start.id not in bundle.done:
        return None, None
    after, before = _outcomes(bundle, cell.id), _start_outcomes(bundle, start.id)
    for name, one, other in ((cell.id, after, before), (start.id, before, after)):
        if len(lacking := other.index.difference(one.index)):
            refuse(name, lacking)
    return paired_difference(_row(after), _row(before)), float(before.mean())


def _row(outcomes: pd.Series[float]) -> Matrix:
    """Outcomes as those of one run, of shape (1, items)."""
    return np.asarray(outcomes.to_numpy(), dtype=np.float64)[np.newaxis]


def _outcomes(bundle: Bundle, cell: str) -> pd.Series[float]:
    """The outcomes of a cell on the main benchmark, by benchmark and item, sorted."""
    columns = ["benchmark", "item", "correct"]
    scores = pick(bundle.scores_of([cell], columns), benchmark=bundle.benchmarks("main"))
    return scores.set_index(["benchmark", "item"])["correct"].astype(float).sort_index()


def _start_outcomes(bundle: Bundle, cell: str) -> pd.Series[float]:
    """The same of a cell that many runs start from."""
    key = "outcomes", cell
    if key not in bundle.known:
        bundle.known[key] = _outcomes(bundle, cell)
    return cast("pd.Series[float]", bundle.known[key])


def _change(bundle: Bundle, cell: Cell, run: pd.DataFrame) -> RunChange | None:
    try:
        reward = reward_change(_series(run, "reward"))
    except ReassessError as error:
        raise ReassessError(f"{cell.id}: {error}") from error
    if reward is None:
        return None
    accuracy, level = accuracy_change(bundle, cell)
    start = bundle.plan.start_of(cell)
    after, before = (None if one is None else _sampled(bundle, one.id) for one in (cell, start))
    return RunChange(
        cell,
        bundle.plan.cluster(cell),
        reward,
        accuracy,
        level,
        None if after is None or before is None else after - before,
        _probe_change(run, "probe_accuracy"),
        _probe_change(run, "probe_sampled_accuracy"),
    )


def _series(run: pd.DataFrame, metric: str) -> Matrix:
    values = pick(run, metric=metric).sort_values("step")["value"]
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _probe_change(run: pd.DataFrame, metric: str) -> float | None:
    """The mean of the last two probes minus the first; None with fewer than three."""
    values = _series(run, metric)
    return float(values[-2:].mean() - values[0]) if len(values) >= 3 else None


def _sampled(bundle: Bundle, cell: str) -> float | None:
    """The accuracy of the further completions of a cell on the main benchmark, if it has any."""
    if not {"samples", "sampled_correct"} <= {*bundle.scores.columns}:
        return None
    columns = ["benchmark", "samples", "sampled_correct"]
    scores = pick(bundle.scores_of([cell], columns), benchmark=bundle.benchmarks("main"))
    drawn = scores["samples"].fillna(0).sum()
    return float(scores["sampled_correct"].fillna(0).sum() / drawn) if drawn else None


def counted(
    runs: Sequence[RunChange], thresholds: Thresholds = THRESHOLDS, rise: float = 0.0
) -> dict[Outcome, int]:
    """How many runs have each outcome, in the order of `OUTCOMES`."""
    counts = Counter(run.outcome(thresholds, rise) for run in runs)
    return {outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]}
