"""Drawing from a bundle: figures, tables and claims. Nothing else is read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

from reassess.figures import draw_figures, figure_names
from reassess.workflow.jobs.collect import BUNDLE_FILES, Collect, CollectKey
from reassess.workflow.jobs.job import Job, option
from reassess.workflow.resources import Resources

FORMATS = ("svg", "pdf", "png")
TABLES = ("main", "budgets", "costs", "cells", "deception", "sensitivity")
TABLE_FORMATS = ("html", "csv", "md")


@dataclass(frozen=True)
class DrawKey:
    """From where, and to where."""

    bundle: Path = option("the folder of the bundle to draw from")
    out: Path = option("where to write")
    record: Path | None = option(
        "where to record what it was drawn from (default: nowhere)", default=None, kw_only=True
    )


@dataclass(frozen=True)
class FigureKey(DrawKey):
    """One figure."""

    figure: str = option("the figure")


DrawKeyT = TypeVar("DrawKeyT", bound=DrawKey)


class DrawJob(Job[DrawKeyT]):
    """A job that reads a bundle. It needs no grid to run, only to know how large the bundle is."""

    reads_config = False
    group = "draw"
    follows = (Collect.name,)
    in_rule: ClassVar[Sequence[str]] = ()  # of its key, what is a wildcard of its rule

    @classmethod
    def wildcards(cls) -> list[str]:
        """Bundle and output folder are no wildcards: they follow from the files."""
        return list(cls.in_rule)

    def inputs(self, key: DrawKeyT) -> Sequence[Path]:
        """The tables of the bundle."""
        return [key.bundle / name for name in BUNDLE_FILES]

    def record(self, key: DrawKeyT) -> Path | None:
        """Where the key says, for want of a grid."""
        if self._grid is None:
            return key.record
        return self.grid.paths.record(self.name, *(getattr(key, name) for name in self.in_rule))

    def label(self, path: Path) -> str:
        """Its name: a bundle's files are the same wherever it lies."""
        return path.name

    def manifests(self) -> dict[Path, Path]:
        """No checkpoints are read."""
        return {}

    def resources(self, key: DrawKeyT) -> Resources:
        """The scores are held in memory."""
        return replace(Collect(self.grid).resources(CollectKey()), minutes=5)

    def shown(self, key: DrawKeyT) -> Sequence[Path]:
        """The files that `snakemake` makes by default."""
        return self.outputs(key)

    @abstractmethod
    def run(self, key: DrawKeyT) -> None:
        """Draw."""


class DrawFigure(DrawJob[FigureKey]):
    """One figure, in every format; the same bundle gives the same bytes."""

    name = "draw_figure"
    key = FigureKey
    in_rule = ("figure",)

    def needed(self) -> Iterator[FigureKey]:
        """Every figure."""
        folder = self.grid.paths.figure("all", "svg").parent
        return (FigureKey(self.grid.paths.bundle, folder, figure=name) for name in figure_names())

    def outputs(self, key: FigureKey) -> Sequence[Path]:
        """A file for each format."""
        return [key.out / f"{key.figure}.{kind}" for kind in FORMATS]

    def run(self, key: FigureKey) -> None:
        """Draw it."""
        draw_figures(key.bundle, key.out, [key.figure])


class Tabulate(DrawJob[DrawKey]):
    """All tables."""

    name = "tabulate"
    key = DrawKey

    def needed(self) -> Iterator[DrawKey]:
        """One."""
        yield DrawKey(self.grid.paths.bundle, self.grid.paths.table("all", "html").parent)

    def outputs(self, key: DrawKey) -> Sequence[Path]:
        """Every table in every format."""
        return [key.out / f"{table}.{kind}" for kind in TABLE_FORMATS for table in TABLES]

    def shown(self, key: DrawKey) -> Sequence[Path]:
        """One format stands for all."""
        return [key.out / f"{table}.html" for table in TABLES]

    def run(self, key: DrawKey) -> None:
        """Write them."""
        from reassess.analysis.tables import tabulate

        tabulate(key.bundle, key.out)


class TestClaims(DrawJob[DrawKey]):
    """What came of the claims: supported, contradicted, inconclusive, or not decided."""

    __test__ = False  # no test class

    name = "test_claims"
    key = DrawKey

    def needed(self) -> Iterator[DrawKey]:
        """One."""
        yield DrawKey(self.grid.paths.bundle, self.grid.paths.claims)

    def outputs(self, key: DrawKey) -> Sequence[Path]:
        """The verdicts, and a page of them."""
        return (key.out, key.out.with_suffix(".html"))

    def shown(self, key: DrawKey) -> Sequence[Path]:
        """The verdicts."""
        return (key.out,)

    def run(self, key: DrawKey) -> None:
        """Test them."""
        from reassess.analysis.bundle import Bundle
        from reassess.analysis.claims import test_claims

        test_claims(Bundle.load(key.bundle), key.out)
