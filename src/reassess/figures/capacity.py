"""Does SFT or RL bring more, by model? Accuracy of each arm, and SFT minus RL with its interval.

Capacity. Left: accuracy on held-out in-distribution questions of the base model, after SFT and
after GRPO, at the largest data size that the grid has for both. Right: SFT minus GRPO, paired by
run and item. An interval that crosses 0 leaves open which is ahead.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import difference, shared_size
from reassess.figures._parts import (
    arms_of,
    empty,
    grouped_points,
    heading,
    legend,
    models_of,
    point,
    resumed_note,
    sample_sizes,
    style_list,
    tier,
)
from reassess.figures._style import BLACK, ArmStyle


def draw(bundle: Bundle) -> Figure:
    """Draw the capacity study."""
    cells = bundle.cells_of("capacity")
    models, arms = models_of(bundle, cells), arms_of(bundle, cells)
    pair = bundle.standing_for("sft"), bundle.standing_for("grpo")
    size = shared_size(bundle, *pair, distribution="same-family") if cells else None
    if size is None:
        return empty("capacity: no model has both SFT and GRPO scores")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.6), width_ratios=[3, 2])
    styles = style_list(bundle, arms)
    trained = {"size": size, "distribution": "same-family"}
    series = [
        (style, {"method": arm.name, **(trained if arm.trains else {})})
        for style, arm in zip(styles, arms)
    ]
    main = bundle.benchmarks("main")
    groups = [
        (tier(bundle, model).replace(" ", "\n"), {"model": model, "benchmark": main})
        for model in models
    ]
    drawn = grouped_points(left, bundle, groups, series)
    left.set_ylabel("accuracy, held-out in-distribution (%)")
    left.set_ylim(0, 100)
    left.set_title(f"each arm at {size} rows")
    _differences(right, bundle, models, pair, size)
    heading(figure, f"Capacity: {sample_sizes(drawn)}{resumed_note(bundle, cells)}")
    legend(figure, styles)
    return figure


def _differences(
    axes: Axes, bundle: Bundle, models: list[str], pair: tuple[str | None, str | None], size: int
) -> None:
    for row, model in enumerate(reversed(models)):
        estimate = difference(
            bundle,
            {"method": pair[0]},
            {"method": pair[1]},
            model=model,
            benchmark=bundle.benchmarks("main"),
            size=size,
            distribution="same-family",
        )
        point(axes, row, estimate, ArmStyle(BLACK, "o", ""), across=True)
        if estimate is None:
            axes.text(0, row, " no pair of runs", va="center", fontsize=8)
        else:
            axes.annotate(
                f"{100 * estimate.value:+.0f}",
                (100 * estimate.value, row),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.axvline(0, color=BLACK, linewidth=0.8)
    axes.set_yticks(range(len(models)), list(reversed(models)))
    axes.set_ylim(-0.5, len(models) - 0.5)
    axes.set_xlabel("SFT minus GRPO (points)\nright of 0: SFT ahead")
    axes.set_title("paired difference")
