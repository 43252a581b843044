"""A timeline of jobs: a lane for each core, a colour for each rule, and the shortest possible time.

No figure of the study: it is drawn from the records of a run, not from a bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reassess.core.errors import ReassessError
from reassess.core.files import replacing
from reassess.figures._bars import Bar
from reassess.figures._draw import METADATA, font_file
from reassess.figures._style import BLACK, BLUE, GREEN, GREY, OLIVE, ORANGE, PURPLE, RED, SKY, STYLE

COLOURS = {
    "fetch": OLIVE,
    "build_pool": OLIVE,
    "build_tokenizer": OLIVE,
    "build_base": ORANGE,
    "build_teacher": PURPLE,
    "sample_shard": GREEN,
    "gather_traces": OLIVE,
    "freeze_rows": OLIVE,
    "prepare_rows": OLIVE,
    "train": RED,
    "evaluate": BLUE,
    "judge": SKY,
}
DATA, DRAWN = "data", "bundle and figures"


def draw_bars(bars: Sequence[Bar], bound: float, title: str, path: Path) -> None:
    """Draw jobs to a file, in the style of all figures.

    Raises:
        ReassessError: the file is of no known format, or the font of all figures is missing.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in METADATA:
        raise ReassessError(f"{path}: a timeline is drawn as one of {', '.join(METADATA)}")
    font_file()
    with mpl.rc_context():
        mpl.rcdefaults()
        plt.style.use(STYLE)
        figure = _figure(bars, bound, title)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=METADATA[kind])
        plt.close(figure)


def _figure(bars: Sequence[Bar], bound: float, title: str) -> Figure:
    lanes = 1 + max(bar.lane for bar in bars)
    figure, axes = plt.subplots(figsize=(9, 1.7 + 0.45 * min(lanes, 24)))
    for bar in bars:
        axes.barh(
            bar.lane,
            bar.seconds,
            left=bar.start,
            height=0.8,
            color=_colour(bar.rule),
            edgecolor=BLACK if bar.critical else "white",
            linewidth=1.1 if bar.critical else 0.4,
            zorder=3 if bar.critical else 2,
        )
    axes.axvline(bound, color=BLACK, linestyle="--", linewidth=1.1, zorder=4)
    axes.set_yticks(range(lanes), [f"core {lane + 1}" for lane in range(lanes)])
    axes.set_ylim(lanes - 0.5, -0.5)
    axes.set_xlim(0, 1.01 * max(bound, *(bar.start + bar.seconds for bar in bars)))
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds since the first job")
    axes.set_title(title)
    names = {_label(bar.rule): _colour(bar.rule) for bar in bars}
    handles: list[Patch | Line2D] = [
        Patch(color=colour, label=name) for name, colour in names.items()
    ]
    handles += [
        Patch(facecolor="white", edgecolor=BLACK, label="longest chain"),
        Line2D([], [], color=BLACK, linestyle="--", label="bound"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _colour(rule: str) -> str:
    return COLOURS.get(rule, GREY)


def _label(rule: str) -> str:
    colour = _colour(rule)
    return {OLIVE: DATA, GREY: DRAWN}.get(colour, rule)
