"""Does SFT or RL bring more, by model? Accuracy of each arm, and SFT minus RL with its interval.

Capacity. Left: accuracy on held-out in-distribution questions of the base model, after SFT and after GRPO, at the
largest data size both ran at. Right: SFT minus GRPO, paired by run and item. An interval that crosses 0 shows no
difference either way.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import difference, shared_size
from reassess.figures._parts import (
    arms_of,
    empty,
    grouped_points,
    legend,
    looks,
    models_of,
    point,
    resumed_note,
    sample_sizes,
    tier,
)
from reassess.figures._style import BLACK, Look, look


def draw(bundle: Bundle) -> Figure:
    """Draw the capacity study."""
    cells = bundle.cells_of("capacity")
    models, arms = models_of(bundle, cells), arms_of(bundle, cells)
    size = shared_size(bundle, "sft", "grpo", distribution="same-family") if cells else None
    if size is None:
        return empty("capacity: no model has both SFT and GRPO scores")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.6), width_ratios=[3, 2])
    where = {"size": size, "distribution": "same-family"}
    series = [
        (look(arm), {"method": arm, **({} if _untrained(bundle, arm) else where)}) for arm in arms
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
    for row, model in enumerate(reversed(models)):
        found = difference(
            bundle, {"method": "sft"}, {"method": "grpo"}, model=model, benchmark=main, **where
        )
        point(right, row, found, Look(BLACK, "o", ""), across=True)
        if found:
            right.annotate(
                f"{100 * found.value:+.0f}",
                (100 * found.value, row),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    right.axvline(0, color=BLACK, linewidth=0.8)
    right.set_yticks(range(len(models)), list(reversed(models)))
    right.set_ylim(-0.5, len(models) - 0.5)
    right.set_xlabel("SFT minus GRPO (points)\nright of 0: SFT ahead")
    right.set_title("paired difference")
    figure.suptitle(f"Capacity: {sample_sizes(drawn)}{resumed_note(bundle, cells)}", fontsize=9)
    legend(figure, looks(arms))
    return figure


def _untrained(bundle: Bundle, arm: str) -> bool:
    return bool((bundle.manifests[bundle.manifests["method"] == arm]["kind"] == "none").all())
