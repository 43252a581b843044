"""Drawing figures to files: a bundle gives the same bytes in any process, on any day."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.figure import Figure

from reassess.analysis.bundle import AXES, Bundle
from reassess.core.errors import ReassessError, unknown
from reassess.core.files import replacing
from reassess.core.text import printable
from reassess.figures._names import figure_names
from reassess.figures._style import STYLE

# A creation date would make every drawing differ from the last.
METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def draw(bundle_dir: Path, out: Path, names: Sequence[str]) -> None:
    """Draw the named figures of a bundle into `out`."""
    existing = figure_names()
    for name in names:
        if name not in existing:
            raise ReassessError(unknown("figure", name, existing))
    bundle = Bundle.load(bundle_dir)
    _require_printable(bundle, bundle_dir)
    font_file()
    os.environ.pop("SOURCE_DATE_EPOCH", None)
    for name in names:
        module = importlib.import_module(f"reassess.figures.{name}")
        _save(cast("Callable[[Bundle], Figure]", module.draw), bundle, out / name)


def _require_printable(bundle: Bundle, folder: Path) -> None:
    """Refuse names that a drawing cannot hold as they are.

    Raises:
        ReassessError: a name of a cell, an arm or a benchmark has characters that are not seen.
    """
    names = {str(value) for axis in AXES for value in bundle.manifests[axis].dropna().unique()}
    names |= {str(benchmark["label"]) for benchmark in bundle.study["benchmarks"]}
    for name in sorted(names):
        if printable(name) != name:
            raise ReassessError(
                f"{folder}: the name '{printable(name)}' has characters that cannot be drawn"
            )


def font_file() -> str:
    """The file of the font that all figures are set in.

    Raises:
        ReassessError: it is not installed; matplotlib would use another one and only log a warning.
    """
    (family,) = mpl.rc_params_from_file(STYLE, use_default_template=False)["font.family"]
    try:
        return str(font_manager.findfont(family, fallback_to_default=False))
    except ValueError as error:
        raise ReassessError(
            f"the font {family!r}, in which all figures are set, is not found; it ships with "
            "matplotlib: reinstall that"
        ) from error


def _save(make: Callable[[Bundle], Figure], bundle: Bundle, stem: Path) -> None:
    with mpl.rc_context():
        mpl.rcdefaults()  # of matplotlib itself: the working folder may hold a matplotlibrc
        plt.style.use(STYLE)
        figure = make(bundle)
        failed = len(bundle.failed)
        if failed:
            figure.text(
                0.995,
                0.002,
                f"{failed} cells of the grid failed and are missing here",
                ha="right",
                va="bottom",
                fontsize=7,
            )
        for kind, metadata in METADATA.items():
            with replacing(stem.with_suffix(f".{kind}")) as temporary:
                figure.savefig(temporary, format=kind, metadata=metadata)
        plt.close(figure)
