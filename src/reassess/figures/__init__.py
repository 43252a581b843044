"""One file a figure, found by itself. Figures are drawn from a bundle and from nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def figure_names() -> list[str]:
    """Return the names of all figures: the modules of this folder that do not start with an underscore."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def caption(name: str) -> str:
    """Return a figure's caption: the docstring of its file, read without importing it."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or name
    return text.partition("\n\n")[2] or text


def draw_figures(bundle: Path, out: Path, names: list[str] | None = None) -> None:
    """Draw figures from the bundle in a folder as SVG, PDF and PNG; the same bundle gives the same bytes.

    Raises:
        ReassessError: no such figure, or the bundle is missing or damaged.
    """
    from reassess.figures._draw import draw

    draw(bundle, out, figure_names() if names is None else names)
