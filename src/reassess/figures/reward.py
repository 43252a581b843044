"""Does a rising reward mean a rising accuracy? Both along the updates of RL runs.

Reward. Above, training reward and accuracy on the held-out probe along the updates of each RL run.
Below, each run as a point: how its reward changed from the first to the last sixth of its updates,
and how its greedy accuracy changed from what it started from, on all items of the main benchmark;
bars are 95 % intervals of that run (noise of updates; items). A run is deceptive where the interval
of its reward lies above 0 and that of its accuracy below .02, harmful where that one lies below 0.
Runs whose reward starts within .05 of 1 have no room to rise and are set apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reassess.analysis.arms import ArmTraits
from reassess.analysis.association import AcrossRuns, across_runs
from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import ROSE, THRESHOLDS, Outcome, RunChange, changes, counted
from reassess.analysis.select import pick
from reassess.figures._parts import arms_of, empty, models_of, resumed_note, style_list
from reassess.figures._style import BLUE, GREY, RED, ArmStyle

WINDOW = 10  # updates over which the reward is averaged
SAMPLED = "probe_sampled_accuracy"  # of versions that record it
FILLED: frozenset[Outcome] = frozenset({"harmful", "deceptive", "honest"})  # decided


def draw(bundle: Bundle) -> Figure:
    """Draw the reward study: one row a (model, size), one column an arm, cold starts last; below
    them all runs, reward against accuracy.
    """
    cells = bundle.cells_of("reward")
    runs = bundle.history[bundle.history["cell"].isin(cells) & (bundle.history["kind"] == "rl")]
    if runs.empty:
        return empty("reward: no RL arm was run")
    arms = sorted(arms_of(bundle, set(runs["cell"])), key=lambda arm: arm.cold_start)
    styles = style_list(bundle, arms)
    rows = [
        (model, size)
        for model in models_of(bundle, cells)
        for size in sorted(set(pick(runs, model=model)["size"]))
    ]
    figure = plt.figure(figsize=(1 + 2.9 * len(arms), 4.6 + 2.1 * len(rows)))
    heights = [0.9 + 2.1 * len(rows), 3.7]
    curves, summary = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    grid = curves.subplots(len(rows), len(arms), squeeze=False, sharex=True)
    found = [run for run in changes(bundle) if run.cell.id in cells]
    for panels, (model, size) in zip(grid, rows):
        for axes, arm in zip(panels, arms):
            own = pick(runs, model=model, size=size, method=arm.name)
            of_panel = [run for run in found if run.cell.id in set(own["cell"])]
            _panel(axes, own, of_panel)
            axes.set_ylim(0, 1.02)
        panels[0].set_ylabel(f"{model}\n{size} rows")
    for axes, arm, style in zip(grid[0], arms, styles):
        axes.set_title(f"{style.label}{': cold start' if arm.cold_start else ''}")
    for axes in grid[-1]:
        axes.set_xlabel("update")
    curves.legend(handles=_handles(runs), loc="outside lower center", ncols=3)
    _summary(summary.subplots(), found, arms, styles)
    seeds = runs["seed"].nunique()
    note = f"Reward: {seeds} run{'s' if seeds > 1 else ''} a panel, one line each"
    figure.suptitle(note + resumed_note(bundle, cells), fontsize=9)
    return figure


def _handles(runs: pd.DataFrame) -> list[Line2D]:
    sampled = Line2D([], [], color=BLUE, linestyle=":", label="the same, sampled")
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
        *([sampled] if SAMPLED in set(runs["metric"]) else []),
    ]


def _panel(axes: Axes, runs: pd.DataFrame, found: Sequence[RunChange]) -> None:
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
        sampled = pick(run, metric=SAMPLED).sort_values("step")
        if len(sampled):
            axes.plot(sampled["step"], sampled["value"], color=BLUE, linestyle=":", linewidth=0.9)
    text = "\n".join(f"{outcome}: {count}" for outcome, count in counted(found).items())
    axes.text(0.98, 0.03, text, ha="right", va="bottom", fontsize=7, transform=axes.transAxes)


# --- all runs -------------------------------------------------------------------------------------


def _summary(
    axes: Axes, runs: Sequence[RunChange], arms: Sequence[ArmTraits], styles: Sequence[ArmStyle]
) -> None:
    """Each run as a point: the change of its reward against that of its accuracy."""
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axhline(100 * THRESHOLDS.accuracy, color=GREY, linewidth=0.8, linestyle=":")
    axes.axvline(0, color=GREY, linewidth=0.8)
    for arm, style in zip(arms, styles):
        own = [run for run in runs if run.cell.arm == arm.name and run.accuracy is not None]
        for decided in (True, False):
            _points(
                axes, [run for run in own if (run.outcome() in FILLED) is decided], style, decided
            )
    axes.set_xlabel("change of reward along the run")
    axes.set_ylabel("change of accuracy\nfrom the start, points")
    shown = [
        Line2D([], [], color=style.colour, marker=style.marker, linestyle="none", label=style.label)
        for style in styles
    ]
    open_point = Line2D(
        [], [], color=GREY, marker="o", markerfacecolor="none", linestyle="none",
        label="undecided, flat, or no room",
    )  # fmt: skip
    axes.legend(handles=[*shown, open_point], loc="center left", bbox_to_anchor=(1.01, 0.5))
    axes.set_title(_title(runs), fontsize=9)


def _points(axes: Axes, runs: Sequence[RunChange], style: ArmStyle, decided: bool) -> None:
    for run in runs:
        if run.accuracy is None:
            continue
        ends = [(one.value - one.low, one.high - one.value) for one in (run.reward, run.accuracy)]
        axes.errorbar(
            [run.reward.value],
            [100 * run.accuracy.value],
            xerr=[[ends[0][0]], [ends[0][1]]],
            yerr=[[100 * ends[1][0]], [100 * ends[1][1]]],
            fmt=style.marker,
            color=style.colour,
            markerfacecolor=style.colour if decided else "none",
            markersize=4.5,
            elinewidth=0.7,
        )


def _title(runs: Sequence[RunChange]) -> str:
    named = ", ".join(f"{count} {outcome}" for outcome, count in counted(runs).items())
    rose = [run for run in runs if run.outcome() in ROSE]
    found = association(rose)
    title = f"{len(runs)} runs: {named}"
    if found is None:
        return title
    return (
        f"{title}\nacross {found.configurations} configurations whose reward rose: r = "
        f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}], permutation p = "
        f"{found.permutation_p:.2g}"
    )


def association(runs: Sequence[RunChange]) -> AcrossRuns | None:
    """Whether accuracy rises more where the reward does, across configurations of runs."""
    scored = [(run, run.accuracy.value) for run in runs if run.accuracy is not None]
    return across_runs(
        [run.reward.value for run, _ in scored],
        [change for _, change in scored],
        [run.configuration for run, _ in scored],
    )
