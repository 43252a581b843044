"""How much data does each need? Accuracy against rows, updates, tokens and FLOPs.

Scale. First column: accuracy at the end of the run against the number of training rows; every arm takes the same
number of updates at every size, so more rows mean fewer repetitions. Other columns: accuracy on the held-out probe
along the run against updates, tokens processed (rollouts included) and training FLOPs, because equal rows are not
equal budgets.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import accuracy, pick
from reassess.analysis.statistics import Estimate
from reassess.figures._parts import (
    arms_of,
    empty,
    legend,
    looks,
    models_of,
    resumed_note,
    sample_sizes,
)
from reassess.figures._style import GREY, look

BUDGETS = {"updates": "updates", "tokens": "tokens processed", "flops": "training FLOPs"}


def draw(bundle: Bundle) -> Figure:
    """Draw the scale study: one row of panels a model."""
    cells = bundle.cells_of("scale")
    models, arms = (
        models_of(bundle, cells),
        [arm for arm in arms_of(bundle, cells) if arm != "base"],
    )
    if not arms:
        return empty("scale: nothing was run")
    figure, grid = plt.subplots(
        len(models), 4, figsize=(10.5, 0.7 + 2.7 * len(models)), squeeze=False, sharey="row"
    )
    drawn = []
    for row, model in zip(grid, models):
        drawn += _by_size(row[0], bundle, model, arms)
        for axes, budget in zip(row[1:], BUDGETS):
            _by_budget(axes, bundle, model, arms, budget)
        base = accuracy(bundle, model=model, method="base", benchmark=bundle.benchmarks("main"))
        if base:
            row[0].axhspan(100 * base.low, 100 * base.high, color=GREY, alpha=0.15, linewidth=0)
            row[0].axhline(100 * base.value, color=GREY, linewidth=1, linestyle=":")
        row[0].set_ylabel(f"{model}\naccuracy (%)")
    for axes, label in zip(grid[-1], ["training rows (band: base)", *BUDGETS.values()]):
        axes.set_xlabel(label)
    grid[0][0].set_title("held-out in-distribution, end of run")
    for axes in grid[0][1:]:
        axes.set_title("probe, along the run")
    note = (
        f"Scale: {sample_sizes(drawn)}; along the run: mean over seeds, line width grows with rows"
    )
    figure.suptitle(note + resumed_note(bundle, cells), fontsize=9)
    legend(figure, looks(arms), lines=True)
    return figure


def _by_size(axes: Axes, bundle: Bundle, model: str, arms: list[str]) -> list[Estimate]:
    drawn, main = [], bundle.benchmarks("main")
    for number, arm in enumerate(arms):
        shown = look(arm)
        rows = pick(bundle.scored, model=model, method=arm, distribution="same-family")
        found = [(size, accuracy(bundle, model=model, method=arm, distribution="same-family", size=size, benchmark=main))
                 for size in sorted(rows["size"].dropna().unique())]  # fmt: skip
        known = [
            (float(size) * 1.06 ** (number - len(arms) / 2), one) for size, one in found if one
        ]
        if not known:
            continue
        values = np.array([one.value for _, one in known])
        errors = [
            [one.value - one.low for _, one in known],
            [one.high - one.value for _, one in known],
        ]
        axes.errorbar(
            [size for size, _ in known],
            100 * values,
            yerr=100 * np.array(errors),
            color=shown.colour,
            marker=shown.marker,
            capsize=2,
        )
        drawn += [one for _, one in known]
    axes.set_xscale("log")
    sizes = sorted(
        {
            int(size)
            for size in pick(bundle.scored, model=model, method=tuple(arms))["size"].dropna()
        }
    )
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    return drawn


def _by_budget(axes: Axes, bundle: Bundle, model: str, arms: list[str], budget: str) -> None:
    sizes = sorted({int(size) for size in pick(bundle.history, model=model)["size"].dropna()})
    for arm in arms:
        for size in sizes:
            rows = pick(
                bundle.history, model=model, method=arm, distribution="same-family", size=size
            )
            curve = _curve(rows, budget)
            if len(curve):
                width = 0.7 + 0.7 * sizes.index(size)
                axes.plot(
                    curve["budget"], 100 * curve["value"], color=look(arm).colour, linewidth=width
                )
    if budget != "updates":
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())


def _curve(rows: pd.DataFrame, budget: str) -> pd.DataFrame:
    """Return probe accuracy against a running total, both averaged over seeds at equal steps; the start has spent nothing."""
    table = rows.pivot_table(index=["seed", "step"], columns="metric", values="value")
    if "probe_accuracy" not in table:
        return pd.DataFrame()
    spent = (
        table.index.get_level_values("step").astype(float) if budget == "updates" else table[budget]
    )
    table = table.assign(budget=spent, value=table["probe_accuracy"]).dropna(
        subset=["budget", "value"]
    )
    curve = table.groupby(level="step")[["budget", "value"]].mean()
    return curve if budget == "updates" else curve[curve["budget"] > 0]
