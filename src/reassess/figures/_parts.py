"""Pieces that several figures share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reassess.analysis.arms import ArmTraits
from reassess.analysis.bundle import Bundle
from reassess.analysis.select import accuracy
from reassess.analysis.statistics import MeanEstimate
from reassess.figures._style import ArmStyle, styles_of

CHARACTERS = 14  # of a title, that an inch takes
OPEN = "white"  # the face of a marker whose interval covers items only
ALONE = {"bars": "open and dotted", "±": "in brackets"}  # how these are shown

Series = tuple[ArmStyle, Mapping[str, object]]  # how it is drawn, and where its scores are
Group = tuple[str, Mapping[str, object]]  # its label, and where its scores are


def models_of(bundle: Bundle, cells: set[str]) -> list[str]:
    """The models of those cells, weak before strong."""
    rows = bundle.manifests[bundle.manifests["cell"].isin(cells)]
    rows = rows[["model", "tier"]].drop_duplicates()
    rows = rows.assign(strong=rows["tier"] == "strong").sort_values(["strong", "model"])
    return [str(name) for name in rows["model"]]


def arms_of(bundle: Bundle, cells: set[str]) -> list[ArmTraits]:
    """The arms of those cells in the order of the config."""
    present = set(bundle.manifests[bundle.manifests["cell"].isin(cells)]["method"])
    return [arm for arm in bundle.arms.values() if arm.name in present]


def benchmark_label(bundle: Bundle, benchmark: str) -> str:
    """A benchmark's label, a word a line, drawn as it is written: `$` begins no formula."""
    return bundle.label(benchmark).replace(" ", "\n").replace("$", r"\$")


def tier(bundle: Bundle, model: str) -> str:
    """A model's name with its tier."""
    return f"{model} ({bundle.study['models'][model]['tier']})"


def point(
    axes: Axes,
    place: float,
    estimate: MeanEstimate | None,
    style: ArmStyle,
    *,
    scale: float = 100,
    across: bool = False,
) -> None:
    """Draw an estimate with its interval at `place` on the x axis (`across`: on the y axis).

    The marker is open, and the interval dotted, where it covers items only.
    """
    if estimate is None:
        return
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    spread = [[scale * below], [scale * above]]
    value = [scale * estimate.value]
    _, _, bars = axes.errorbar(
        value if across else [place],
        [place] if across else value,
        xerr=spread if across else None,
        yerr=None if across else spread,
        fmt=style.marker,
        color=style.colour,
        capsize=2.5,
        elinewidth=1.1,
        markersize=5.5,
        markerfacecolor=style.colour if estimate.covers_runs else OPEN,
    )
    if not estimate.covers_runs:
        for bar in bars:
            bar.set_linestyle(":")


def grouped_points(
    axes: Axes, bundle: Bundle, groups: Sequence[Group], series: Sequence[Series]
) -> list[MeanEstimate]:
    """Draw accuracy with intervals, series side by side in each group; return what was drawn.

    Args:
        axes: where to draw.
        bundle: the source of the scores.
        groups: one for each place on the x axis.
        series: one for each colour.
    """
    step = 0.7 / max(1, len(series))
    drawn = []
    for place, (_, group_axes) in enumerate(groups):
        for number, (style, series_axes) in enumerate(series):
            estimate = accuracy(bundle, **{**group_axes, **series_axes})
            point(axes, place + (number - (len(series) - 1) / 2) * step, estimate, style)
            drawn += [estimate] if estimate else []
    axes.set_xticks(range(len(groups)), [label for label, _ in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.grid(visible=False, axis="x")
    return drawn


def legend(figure: Figure, styles: Sequence[ArmStyle], *, lines: bool = False) -> None:
    """Put one legend below the whole figure."""
    handles = [
        Line2D(
            [],
            [],
            color=style.colour,
            marker=style.marker,
            linestyle="-" if lines else "none",
            label=style.label,
        )
        for style in styles
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))


def sample_sizes(estimates: Sequence[MeanEstimate], bars: str = "bars") -> str:
    """How many runs and items the intervals rest on and what they cover, for a title."""
    if not estimates:
        return "no scores"
    runs = sorted({estimate.runs for estimate in estimates})
    items = sorted({estimate.items for estimate in estimates})
    sizes = f"{_span(runs)} run{'s' * (runs[-1] > 1)} × {_span(items)} items"
    covering = [one for one in estimates if one.covers_runs]
    if not covering:
        return f"{sizes}; {bars}: 95 % over items only, one run"
    words = " or ".join(sorted({one.coverage for one in covering}))
    alone = f"; {ALONE[bars]}: items only, one run" if len(covering) < len(estimates) else ""
    return f"{sizes}; {bars}: 95 % over {words}{alone}"


def heading(figure: Figure, text: str) -> None:
    """Write a title above the whole figure, in as many lines as its width takes."""
    width = int(CHARACTERS * figure.get_figwidth())
    figure.suptitle("\n".join(textwrap.wrap(text, width)), fontsize=9)


def _span(values: list[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def resumed_note(bundle: Bundle, cells: set[str]) -> str:
    """A note on runs that were interrupted and resumed; empty if there were none."""
    rows = bundle.manifests[bundle.manifests["cell"].isin(cells)]
    resumed = rows[rows["resumed"] & (rows["kind"] == "rl")]
    return f"; {len(resumed)} RL runs were resumed (not bit-identical)" if len(resumed) else ""


def style_list(bundle: Bundle, arms: Iterable[ArmTraits]) -> list[ArmStyle]:
    """How arms are drawn, in their order."""
    styles = styles_of(bundle.arms)
    return [styles[arm.name] for arm in arms]


def empty(message: str) -> Figure:
    """A figure that states why there is nothing to draw."""
    figure, axes = plt.subplots(figsize=(5, 1.5))
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, ha="center", va="center")
    return figure
