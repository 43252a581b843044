"""One file for each figure, discovered. Figures are drawn from a bundle and from nothing else."""

from __future__ import annotations

from pathlib import Path

from reassess.figures._names import caption, figure_names

__all__ = ["caption", "draw_figures", "figure_names"]


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
