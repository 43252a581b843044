"""Everything that is drawn from a bundle: figures, tables and claims, and what they depend on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from reassess.analysis.bundle import Bundle
from reassess.core.files import sha256_file, sha256_text, write_json
from reassess.figures import draw_figures

DRAWN = ("figures", "tables")  # folders of what is drawn from the bundle
CLAIMS = ("claims.json", "claims.html")
DRAWN_WITH = "drawn-with.json"
# Figures and tables that archives of earlier versions lack, because they are newer.
NEWER = frozenset({"tables/deception", "tables/sensitivity"})
# Published runs whose figures, tables and claims rest on statistics of an earlier version, which
# this version cannot draw again: their digest by `digest_of`.
EARLIER = frozenset({"bb0b3ce38e2fbe0a2d34a7a0d90eeaefa633ab64b87c68a8d983ba9f549b5719"})


def draw_all(bundle: Path, root: Path) -> None:
    """Draw figures, tables and claims of a bundle into `root`, and record the versions used."""
    from reassess.analysis.claims import test_claims
    from reassess.analysis.tables import tabulate

    draw_figures(bundle, root / "figures")
    tabulate(bundle, root / "tables")
    test_claims(Bundle.load(bundle), root / "claims.json")
    write_json(root / DRAWN_WITH, drawn_with())


def digest_of(root: Path, names: Iterable[str]) -> str:
    """The digest of files below `root`, their names included; the order of names decides nothing.

    Raises:
        OSError: a file cannot be read.
    """
    return sha256_text("".join(f"{sha256_file(root / name)}  {name}\n" for name in sorted(names)))


def drawn_with() -> dict[str, str]:
    """Everything that can change a drawn byte: versions, font, kind of machine."""
    import matplotlib
    from matplotlib import font_manager, ft2font

    from reassess.analysis.statistics import VERSION
    from reassess.figures._draw import font_file

    names = ("matplotlib", "seaborn", "numpy", "pandas", "pillow", "scipy")
    return {
        **{name: version(name) for name in names},
        "statistics": str(VERSION),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "freetype": ft2font.__freetype_version__,
        "font": font_manager.FontProperties(fname=font_file()).get_name(),
        "font_sha256": sha256_file(Path(font_file())),
        "machine": platform.machine(),
        "backend": matplotlib.get_backend().lower(),
    }
