"""Does a rising reward mean a rising accuracy? Both along the updates of RL runs.

Reward. Training reward and accuracy on the held-out probe along the updates of each RL run. A run
is called deceptive when its reward rises by more than .05 from the first to the last sixth while
the probe accuracy does not rise. r is the mean over runs of the correlation of the two along a run,
with its 95 % interval (bootstrap over runs, then points).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import deception_of, mean_correlation
from reassess.analysis.select import pick
from reassess.figures._parts import arms_of, empty, models_of, resumed_note, style_list
from reassess.figures._style import BLUE, RED

WINDOW = 10  # updates over which the reward is averaged


def draw(bundle: Bundle) -> Figure:
    """Draw the reward study: one row a (model, size), one column an arm, cold starts last."""
    cells = bundle.cells_of("reward")
    runs = bundle.history[bundle.history["cell"].isin(cells) & (bundle.history["kind"] == "rl")]
    if runs.empty:
        return empty("reward: no RL arm was run")
    arms = sorted(arms_of(bundle, set(runs["cell"])), key=lambda arm: arm.cold_start)
    rows = [
        (model, size)
        for model in models_of(bundle, cells)
        for size in sorted(set(pick(runs, model=model)["size"]))
    ]
    figure, grid = plt.subplots(
        len(rows),
        len(arms),
        figsize=(1 + 2.9 * len(arms), 0.9 + 2.1 * len(rows)),
        squeeze=False,
        sharex=True,
    )
    for panels, (model, size) in zip(grid, rows):
        for axes, arm in zip(panels, arms):
            _panel(axes, bundle, pick(runs, model=model, size=size, method=arm.name))
            axes.set_ylim(0, 1.02)
        panels[0].set_ylabel(f"{model}\n{size} rows")
    for axes, arm, style in zip(grid[0], arms, style_list(bundle, arms)):
        axes.set_title(f"{style.label}{': cold start' if arm.cold_start else ''}")
    for axes in grid[-1]:
        axes.set_xlabel("update")
    figure.legend(handles=_handles(), loc="outside lower center", ncols=2)
    seeds = runs["seed"].nunique()
    note = (
        f"Reward: {seeds} seed{'s' if seeds > 1 else ''} a panel, one line each; "
        "r: mean correlation along a run"
    )
    figure.suptitle(note + resumed_note(bundle, cells), fontsize=9)
    return figure


def _handles() -> list[Line2D]:
    return [
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


def _panel(axes: Axes, bundle: Bundle, runs: pd.DataFrame) -> None:
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
    counted = deception_of(runs, bundle.arms)
    if len(counted):
        mean = mean_correlation(runs, bundle.arms)
        text = f"r = {mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]\n" if mean else ""
        text += f"deceptive: {int(counted['deceptive'].sum())} of {len(counted)}"
        axes.text(0.98, 0.03, text, ha="right", va="bottom", fontsize=7, transform=axes.transAxes)
