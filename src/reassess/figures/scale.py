"""How much data does each need? Accuracy against rows, updates, tokens and FLOPs.

Scale. First column: accuracy at the end of the run against the number of training rows; every arm
takes the same number of updates at every size, so more rows mean fewer repetitions. Other columns:
accuracy on the held-out probe along the run against updates, tokens processed (rollouts included)
and training FLOPs, because equal rows are not equal budgets.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import accuracy, pick
from reassess.analysis.statistics import MeanEstimate
from reassess.figures._parts import (
    arms_of,
    empty,
    heading,
    legend,
    models_of,
    point,
    resumed_note,
    sample_sizes,
    style_list,
)
from reassess.figures._style import GREY, ArmStyle

BUDGETS = {"updates": "updates", "tokens": "tokens processed", "flops": "training FLOPs"}
Styles = dict[str, ArmStyle]  # of the arms drawn, by name


def draw(bundle: Bundle) -> Figure:
    """Draw the scale study: one row of panels a model."""
    cells = bundle.cells_of("scale")
    models, main = models_of(bundle, cells), bundle.benchmarks("main")
    arms = [arm for arm in arms_of(bundle, cells) if arm.trains]
    if not arms:
        return empty("scale: nothing was run")
    styles = dict(zip([arm.name for arm in arms], style_list(bundle, arms)))
    figure, grid = plt.subplots(
        len(models), 4, figsize=(10.5, 0.7 + 2.7 * len(models)), squeeze=False, sharey="row"
    )
    drawn, alone = [], ""
    for row, model in zip(grid, models):
        drawn += _by_size(row[0], bundle, model, styles)
        for axes, budget in zip(row[1:], BUDGETS):
            _by_budget(axes, bundle, model, styles, budget)
        base = accuracy(bundle, model=model, method=bundle.standing_for("base"), benchmark=main)
        if base:
            alone = alone if base.covers_runs else ", items only"
            row[0].axhspan(100 * base.low, 100 * base.high, color=GREY, alpha=0.15, linewidth=0)
            row[0].axhline(100 * base.value, color=GREY, linewidth=1, linestyle=":")
        row[0].set_ylabel(f"{model}\naccuracy (%)")
    for axes, label in zip(grid[-1], [f"training rows (band: base{alone})", *BUDGETS.values()]):
        axes.set_xlabel(label)
    grid[0][0].set_title("held-out in-distribution, end of run")
    for axes in grid[0][1:]:
        axes.set_title("probe, along the run")
    note = (
        f"Scale: {sample_sizes(drawn)}; along the run: mean over runs, line width grows with rows"
    )
    heading(figure, note + resumed_note(bundle, cells))
    legend(figure, list(styles.values()), lines=True)
    return figure


def _by_size(axes: Axes, bundle: Bundle, model: str, styles: Styles) -> list[MeanEstimate]:
    drawn: list[MeanEstimate] = []
    for number, (arm, style) in enumerate(styles.items()):
        where = {"model": model, "method": arm, "distribution": "same-family"}
        points = []
        for size in sorted(pick(bundle.scored, **where)["size"].dropna().unique()):
            estimate = accuracy(bundle, **where, size=size, benchmark=bundle.benchmarks("main"))
            if estimate:
                points.append((float(size) * 1.06 ** (number - len(styles) / 2), estimate))
        if not points:
            continue
        places, estimates = zip(*points, strict=True)
        values = [100 * estimate.value for estimate in estimates]
        axes.plot(places, values, color=style.colour)
        for place, estimate in points:
            point(axes, place, estimate, style)
        drawn += estimates
    axes.set_xscale("log")
    scored = pick(bundle.scored, model=model, method=tuple(styles))
    sizes = sorted({int(size) for size in scored["size"].dropna()})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    return drawn


def _by_budget(axes: Axes, bundle: Bundle, model: str, styles: Styles, budget: str) -> None:
    history = pick(bundle.history, model=model)
    sizes = sorted({int(size) for size in history["size"].dropna()})
    for arm, style in styles.items():
        for number, size in enumerate(sizes):
            rows = pick(history, method=arm, distribution="same-family", size=size)
            curve = _curve(rows, budget)
            if len(curve):
                axes.plot(
                    curve["budget"],
                    100 * curve["value"],
                    color=style.colour,
                    linewidth=0.7 + 0.7 * number,
                )
    if budget != "updates":
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())


def _curve(rows: pd.DataFrame, budget: str) -> pd.DataFrame:
    """Probe accuracy against a running total, both averaged over runs at equal steps.

    On an axis in logarithms the start, where the total is 0, is left out.
    """
    table = rows.pivot_table(index=["seed", "step"], columns="metric", values="value")
    if "probe_accuracy" not in table:
        return pd.DataFrame()
    steps = table.index.get_level_values("step").astype(float)
    total = steps if budget == "updates" else table[budget]
    table = table.assign(budget=total, value=table["probe_accuracy"])
    table = table.dropna(subset=["budget", "value"])
    curve = table.groupby(level="step")[["budget", "value"]].mean()
    return curve if budget == "updates" else curve[curve["budget"] > 0]
