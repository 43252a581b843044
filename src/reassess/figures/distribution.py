"""What do traces from elsewhere cost? SFT on same-family and foreign traces of the same questions.

Distribution. SFT on traces sampled from a teacher of the same family against SFT on traces that
spell out the same steps in other words; the same questions, the same budget. Right of the dotted
line the benchmark differs from the training data.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import pick
from reassess.figures._parts import (
    Series,
    benchmark_label,
    empty,
    grouped_points,
    heading,
    legend,
    models_of,
    sample_sizes,
)
from reassess.figures._style import BLUE, GREY, PURPLE, ArmStyle


def draw(bundle: Bundle) -> Figure:
    """Draw the distribution study: one panel a model, one group a benchmark."""
    cells = bundle.cells_of("distribution")
    models = models_of(bundle, cells)
    sft = bundle.standing_for("sft")
    foreign = pick(bundle.scored, method=sft, distribution="foreign")["size"]
    if not len(foreign):
        return empty("distribution: no arm on foreign traces was run")
    size = int(foreign.max())
    series: list[Series] = [
        (ArmStyle(GREY, "o", "base"), {"method": bundle.standing_for("base")}),
        (
            ArmStyle(BLUE, "s", "SFT, same-family traces"),
            {"method": sft, "distribution": "same-family", "size": size},
        ),
        (
            ArmStyle(PURPLE, "X", "SFT, foreign traces"),
            {"method": sft, "distribution": "foreign", "size": size},
        ),
    ]
    figure, panels = plt.subplots(
        1, len(models), figsize=(1.2 + 5.2 * len(models), 3.6), squeeze=False, sharey=True
    )
    drawn = []
    names = bundle.benchmarks("main") + bundle.benchmarks("shifted")
    for axes, model in zip(panels[0], models):
        groups = [
            (benchmark_label(bundle, name), {"model": model, "benchmark": name}) for name in names
        ]
        drawn += grouped_points(axes, bundle, groups, series)
        axes.axvline(len(bundle.benchmarks("main")) - 0.5, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_title(model)
    panels[0][0].set_ylabel("accuracy (%)")
    panels[0][0].set_ylim(0, 100)
    heading(
        figure,
        f"Distribution, {size} rows; right of the dotted line: out of distribution. "
        f"{sample_sizes(drawn)}",
    )
    legend(figure, [style for style, _ in series])
    return figure
