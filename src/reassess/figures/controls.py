"""Where is the floor? Random choice, the base without its picture, and RL paid for form alone.

Controls. Random choice among the answers of a question family; the base model shown an even grey
picture; GRPO whose reward never looks at the answer. What an arm gains below these lines it did not
gain by reasoning on the picture.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from reassess.analysis.arms import ArmTraits
from reassess.analysis.bundle import Bundle
from reassess.figures._parts import (
    arms_of,
    benchmark_label,
    empty,
    grouped_points,
    heading,
    legend,
    models_of,
    sample_sizes,
    style_list,
)


def draw(bundle: Bundle) -> Figure:
    """Draw the controls: one panel a model, one group a benchmark."""
    cells = bundle.cells_of("controls")
    models, arms = models_of(bundle, cells), arms_of(bundle, cells)
    if not models:
        return empty("controls: none was run")
    names = bundle.benchmarks()
    columns = min(2, len(models))
    lines = -(-len(models) // columns)
    figure, panels = plt.subplots(
        lines, columns, figsize=(1.2 + 4.6 * columns, 1 + 2.6 * lines), squeeze=False, sharey=True
    )
    styles = style_list(bundle, arms)
    series = [(style, _where(bundle, cells, arm)) for style, arm in zip(styles, arms)]
    drawn = []
    for axes, model in zip(panels.flat, models):
        groups = [
            (benchmark_label(bundle, name), {"model": model, "benchmark": name}) for name in names
        ]
        drawn += grouped_points(axes, bundle, groups, series)
        axes.set_title(model)
        axes.set_ylim(0, 100)
    for axes in list(panels.flat)[len(models) :]:
        axes.set_visible(False)
    for row in panels:
        row[0].set_ylabel("accuracy (%)")
    heading(figure, f"Controls: {sample_sizes(drawn)}")
    legend(figure, styles)
    return figure


def _where(bundle: Bundle, cells: set[str], arm: ArmTraits) -> dict[str, object]:
    rows = bundle.manifests[bundle.manifests["cell"].isin(cells)]
    return {"method": arm.name, "cell": tuple(rows[rows["method"] == arm.name]["cell"])}
