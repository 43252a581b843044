"""What did every arm reach on every benchmark? The main table as a heat map.

Main. Accuracy in per cent of every arm (rows) on every benchmark (columns), by model, plus
or minus the distance to the farther end of its 95 % interval. In brackets this covers items only,
because there is one run. Darker is higher; the scale is the same for all models.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import accuracy
from reassess.analysis.tables import Row, arms_of_bundle
from reassess.figures._parts import benchmark_label, empty, heading, sample_sizes, tier
from reassess.figures._style import BLACK, BLUE, styles_of

DARKEST = 160  # per cent: beyond the maximum, so that black text is legible on every square


def draw(bundle: Bundle) -> Figure:
    """Draw the main table: one panel a model, weak models first."""
    arms = arms_of_bundle(bundle)
    if not arms:
        return empty("main: no cell has scores")
    models = sorted(
        {str(arm["model"]) for arm in arms},
        key=lambda name: (bundle.study["models"][name]["tier"] == "strong", name),
    )
    rows = {model: [arm for arm in arms if arm["model"] == model] for model in models}
    names, heights = bundle.benchmarks(), [len(rows[model]) for model in models]
    size = (2.6 + 1.05 * len(names), 1.2 + 0.36 * sum(heights) + 0.3 * len(models))
    figure, panels = plt.subplots(
        len(models), 1, figsize=size, height_ratios=heights, squeeze=False, sharex=True
    )
    drawn = []
    for axes, model in zip(panels[:, 0], models):
        estimates = [
            [accuracy(bundle, **arm, benchmark=name) for name in names] for arm in rows[model]
        ]
        values = [[100 * one.value if one else np.nan for one in line] for line in estimates]
        texts = [[one.in_percent() if one else "" for one in line] for line in estimates]
        sns.heatmap(
            np.array(values),
            ax=axes,
            annot=np.array(texts),
            fmt="",
            vmin=0,
            vmax=DARKEST,
            cmap=sns.light_palette(BLUE, as_cmap=True),
            cbar=False,
            linewidths=0.5,
            annot_kws={"fontsize": 7, "color": BLACK},
            xticklabels=[benchmark_label(bundle, name) for name in names],
            yticklabels=[_name(bundle, arm) for arm in rows[model]],
        )
        axes.tick_params(length=0, labelrotation=0)
        axes.set_title(tier(bundle, model), loc="left")
        drawn += [one for line in estimates for one in line if one]
    heading(figure, f"Accuracy (%): {sample_sizes(drawn, '±')}")
    return figure


def _name(bundle: Bundle, arm: Row) -> str:
    label = styles_of(bundle.arms)[str(arm["method"])].label
    if arm["size"] is None:
        return label
    foreign = "" if arm["distribution"] == "same-family" else f", {arm['distribution']}"
    return f"{label}, {arm['size']} rows{foreign}"
