"""Pieces that several figures draw alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import accuracy
from reassess.analysis.statistics import Estimate
from reassess.figures._style import Look, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def models_of(bundle: Bundle, cells: set[str]) -> list[str]:
    """Return the models of those cells, weak before strong."""
    rows = bundle.manifests[bundle.manifests["cell"].isin(cells)][
        ["model", "tier"]
    ].drop_duplicates()
    return [
        str(name)
        for name in rows.assign(strong=rows["tier"] == "strong").sort_values(["strong", "model"])[
            "model"
        ]
    ]


def arms_of(bundle: Bundle, cells: set[str]) -> list[str]:
    """Return the arms of those cells in the order of the config."""
    present = set(bundle.manifests[bundle.manifests["cell"].isin(cells)]["method"])
    return [arm for arm in bundle.study["arm_order"] if arm in present]


def tier(bundle: Bundle, model: str) -> str:
    """Return a model's name with its tier."""
    return f"{model} ({bundle.study['models'][model]['tier']})"


def point(
    axes: Axes,
    place: float,
    estimate: Estimate | None,
    shown: Look,
    *,
    scale: float = 100,
    across: bool = False,
) -> None:
    """Draw an estimate with its interval at `place` on the x axis (`across`: on the y axis)."""
    if estimate is None:
        return
    value, below, above = (
        estimate.value,
        estimate.value - estimate.low,
        estimate.high - estimate.value,
    )
    spread = [[scale * below], [scale * above]]
    style: dict[str, Any] = {
        "fmt": shown.marker,
        "color": shown.colour,
        "capsize": 2.5,
        "elinewidth": 1.1,
        "markersize": 5.5,
    }
    if across:
        axes.errorbar([scale * value], [place], xerr=spread, **style)
    else:
        axes.errorbar([place], [scale * value], yerr=spread, **style)


def grouped_points(
    axes: Axes,
    bundle: Bundle,
    groups: Sequence[tuple[str, dict[str, Any]]],
    series: Sequence[tuple[Look, dict[str, Any]]],
) -> list[Estimate]:
    """Draw accuracy with intervals: one group a place on the x axis, one series a colour, side by side. Return what was drawn."""
    step = 0.7 / max(1, len(series))
    drawn = []
    for place, (_, where) in enumerate(groups):
        for number, (shown, which) in enumerate(series):
            found = accuracy(bundle, **{**where, **which})
            point(axes, place + (number - (len(series) - 1) / 2) * step, found, shown)
            drawn += [found] if found else []
    axes.set_xticks(range(len(groups)), [name for name, _ in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.grid(visible=False, axis="x")
    return drawn


def legend(figure: Figure, shown: Sequence[Look], *, lines: bool = False) -> None:
    """Put one legend below the whole figure."""
    handles = [
        Line2D(
            [],
            [],
            color=one.colour,
            marker=one.marker,
            linestyle="-" if lines else "none",
            label=one.label,
        )
        for one in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))


def sample_sizes(estimates: Sequence[Estimate]) -> str:
    """Return the words for what the intervals rest on."""
    if not estimates:
        return "no scores"
    runs = sorted({one.seeds for one in estimates})
    items = sorted({one.items for one in estimates})
    return f"{_span(runs)} run{'s' if runs[-1] > 1 else ''} × {_span(items)} items; bars: 95 % intervals"


def _span(values: list[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def resumed_note(bundle: Bundle, cells: set[str]) -> str:
    """Return a note on runs that were interrupted and resumed; empty if there were none."""
    rows = bundle.manifests[bundle.manifests["cell"].isin(cells)]
    resumed = rows[rows["resumed"] & (rows["kind"] == "rl")]
    return f"; {len(resumed)} RL runs were resumed (not bit-identical)" if len(resumed) else ""


def looks(arms: Sequence[str]) -> list[Look]:
    """Return the looks of arms."""
    return [look(arm) for arm in arms]


def empty(message: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure, axes = plt.subplots(figsize=(5, 1.5))
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, ha="center", va="center")
    return figure
