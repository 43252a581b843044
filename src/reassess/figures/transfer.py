"""What does training on pictures do to the same task in text? Change from the base, in both.

Transfer. Change from the base model after training on pictures: tested on pictures (left) and on
the same scenes in words (right).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import difference, shared_size
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
from reassess.figures._style import BLACK
from reassess.grid.benchmarks import Role

PANELS: dict[Role, str] = {
    "main": "trained on pictures, tested on pictures",
    "text": "trained on pictures, tested in words",
}


def draw(bundle: Bundle) -> Figure:
    """Draw the transfer study."""
    cells = bundle.cells_of("transfer")
    models, base = models_of(bundle, cells), bundle.standing_for("base")
    arms = [arm for arm in arms_of(bundle, cells) if arm.trains]
    names = [arm.name for arm in arms]
    size = shared_size(bundle, *names, distribution="same-family") if arms else None
    if size is None:
        return empty("transfer: the arms share no data size")
    figure, panels = plt.subplots(1, 2, figsize=(8.2, 3.4), sharey=True)
    styles = style_list(bundle, arms)
    drawn = []
    for axes, (role, title) in zip(panels, PANELS.items()):
        for place, model in enumerate(models):
            for number, (arm, style) in enumerate(zip(names, styles)):
                trained = {"method": arm, "size": size, "distribution": "same-family"}
                estimate = difference(
                    bundle,
                    trained,
                    {"method": base},
                    model=model,
                    benchmark=bundle.benchmarks(role),
                )
                point(axes, place + (number - (len(arms) - 1) / 2) * 0.25, estimate, style)
                drawn += [estimate] if estimate else []
        axes.axhline(0, color=BLACK, linewidth=0.8)
        axes.set_xticks(range(len(models)), models)
        axes.set_xlim(-0.5, len(models) - 0.5)
        axes.set_title(title)
        axes.grid(visible=False, axis="x")
    panels[0].set_ylabel("change from base (points)")
    heading(
        figure,
        f"Transfer, {size} rows: {sample_sizes(drawn)}{resumed_note(bundle, cells)}",
    )
    legend(figure, styles)
    return figure
