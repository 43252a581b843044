"""One file for each figure, discovered. Figures are drawn from a bundle and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reassess.figures._bars import Bar
from reassess.figures._names import caption, figure_names

__all__ = ["Bar", "caption", "draw_figures", "draw_timeline", "figure_names"]


def draw_figures(bundle: Path, out: Path, names: list[str] | None = None) -> None:
    """Draw figures from a bundle as SVG, PDF and PNG; the same bundle gives the same bytes.

    Args:
        bundle: the folder of the bundle's tables.
        out: the folder of the figures.
        names: which figures; None: all.

    Raises:
        ReassessError: no such figure, or the bundle is missing or damaged.
    """
    from reassess.figures._draw import draw

    draw(bundle, out, figure_names() if names is None else names)


def draw_timeline(bars: Sequence[Bar], bound: float, title: str, path: Path) -> None:
    """Draw when jobs ran, and the least time that they could have taken.

    Args:
        bars: the jobs.
        bound: that time in seconds.
        title: what to write above it.
        path: the file; its name ends in .svg, .pdf or .png.

    Raises:
        ReassessError: the name ends otherwise, or the font of all figures is missing.
    """
    from reassess.figures._timeline import draw_bars

    draw_bars(bars, bound, title, path)
