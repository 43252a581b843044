"""Does a rising reward mean a rising accuracy? Training reward and held-out accuracy along the updates of RL runs.

Reward. Training reward and accuracy on the held-out probe along the updates of each RL run. A run is called deceptive
when its reward rises by more than .05 from the first to the last sixth while the probe accuracy does not rise. r is
the mean over runs of the correlation of the two along a run, with its 95 % interval (bootstrap over runs, then points).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reassess.analysis.bundle import Bundle
from reassess.analysis.claims import correlation_of, deception_of
from reassess.analysis.select import pick
from reassess.figures._parts import empty, models_of, resumed_note
from reassess.figures._style import BLUE, LABELS, RED

WINDOW = 10  # updates over which the reward is averaged


def draw(bundle: Bundle) -> Figure:
    """Draw the reward study: one row a (model, size), one column an arm, the cold start last."""
    cells = bundle.cells_of("reward")
    runs = bundle.history[bundle.history["cell"].isin(cells) & (bundle.history["kind"] == "rl")]
    if runs.empty:
        return empty("reward: no RL arm was run")
    arms = [arm for arm in bundle.study["arm_order"] if arm in set(runs["method"])]
    arms.sort(key=lambda arm: arm.startswith("sft-"))
    rows = [
        (model, size)
        for model in models_of(bundle, cells)
        for size in sorted(set(pick(runs, model=model)["size"]))
    ]
    found = deception_of(runs)
    figure, grid = plt.subplots(
        len(rows),
        len(arms),
        figsize=(1 + 2.9 * len(arms), 0.9 + 2.1 * len(rows)),
        squeeze=False,
        sharex=True,
    )
    for panels, (model, size) in zip(grid, rows):
        for axes, arm in zip(panels, arms):
            _panel(
                axes,
                pick(runs, model=model, size=size, method=arm),
                pick(found, model=model, size=size, method=arm),
            )
            axes.set_ylim(0, 1.02)
        panels[0].set_ylabel(f"{model}\n{size} rows")
    for axes, arm in zip(grid[0], arms):
        cold = ": cold start" if arm.startswith("sft-") else ""
        axes.set_title(LABELS.get(arm, arm) + cold)
    for axes in grid[-1]:
        axes.set_xlabel("update")
    handles = [
        Line2D([], [], color=RED, label=f"training reward (mean of {WINDOW} updates)"),
        Line2D(
            [],
            [],
            color=BLUE,
            linestyle="--",
            marker="o",
            markersize=3,
            label="held-out accuracy (probe)",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    seeds = runs["seed"].nunique()
    note = f"Reward: {seeds} seed{'s' if seeds > 1 else ''} a panel, one line each; r: mean correlation along a run"
    figure.suptitle(note + resumed_note(bundle, cells), fontsize=9)
    return figure


def _panel(axes: Axes, runs: pd.DataFrame, found: pd.DataFrame) -> None:
    if runs.empty:
        axes.text(0.5, 0.5, "not run", ha="center", va="center", transform=axes.transAxes)
        return
    for _, run in runs.groupby("seed"):
        reward = pick(run, metric="reward").sort_values("step")
        probe = pick(run, metric="probe_accuracy").sort_values("step")
        smooth = reward["value"].rolling(WINDOW, min_periods=1).mean()
        axes.plot(reward["step"], smooth, color=RED, linewidth=1.1)
        axes.plot(
            probe["step"],
            probe["value"],
            color=BLUE,
            linestyle="--",
            marker="o",
            markersize=2.5,
            linewidth=1.1,
        )
    if len(found):
        deceptive = int(found["deceptive"].sum())
        known = correlation_of(runs)
        words = f"r = {known.value:.2f} [{known.low:.2f}, {known.high:.2f}]\n" if known else ""
        words += f"deceptive: {deceptive} of {len(found)}"
        axes.text(0.98, 0.03, words, ha="right", va="bottom", fontsize=7, transform=axes.transAxes)
