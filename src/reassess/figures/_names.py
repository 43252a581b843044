"""Which figures there are, found without importing them."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def figure_names() -> list[str]:
    """The names of all figures: modules of this folder that do not start with an underscore."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def caption(name: str) -> str:
    """A figure's caption: the docstring of its file after the first line."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or name
    return text.partition("\n\n")[2] or text
