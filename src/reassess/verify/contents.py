"""The level that asks whether a bundle contradicts itself, its config or its pool.

Everything that follows from something else is derived again and compared: labels, specs and seeds
from cell and config, items and prompts from the pool, lengths from texts, manifests from histories,
the study's terms from the config. Nothing is drawn, graded or trained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened
from reassess.bundles.checksums import tampered
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED
from reassess.data.items import Item
from reassess.grid.study import Grid
from reassess.verify.cells import check_cells, check_manifests, check_specs
from reassess.verify.claims import check_claims
from reassess.verify.configs import notes_on_configs
from reassess.verify.described import check_descriptions
from reassess.verify.encoding import check_encoding
from reassess.verify.histories import check_histories
from reassess.verify.items import Items
from reassess.verify.made import check_made
from reassess.verify.report import VerifyReport, listed
from reassess.verify.schema import check_files, check_tables
from reassess.verify.stored import Stored, grids_of
from reassess.verify.terms import check_terms

AGREEMENT = "consistent with themselves, the config and the pool"
LEAVES_OPEN = (
    "that these models wrote these completions, that these curves, times and weights are those of "
    "the runs, and that no cells were left out together with their part of the config: whoever "
    "packed the bundle states that, and `verify train` trains again"
)


def verify_contents(path: Path, *, trust: bool = False) -> VerifyReport:
    """Derive again what can be derived of a bundle, and compare; each difference names its place.

    Args:
        path: the bundle.
        trust: whether plug-ins and further files that its config names are loaded.

    Raises:
        ReassessError: the bundle is damaged or of a newer version.
    """
    report = VerifyReport(agreement=AGREEMENT, leaves_open=LEAVES_OPEN)
    with opened(path) as root, tempfile.TemporaryDirectory(prefix="reassess-none-") as nowhere:
        report.add(tampered(root))
        folder = root / "bundle"
        problems = [*check_files(folder), *check_tables(folder)]
        report.add(problems)
        report.checked = "tables"
        if problems:
            report.unchecked.append("the values in the tables, until the tables are right")
            return report
        _part(report, "the tables", lambda: check_encoding(folder, report.notes))
        bundle = Bundle.load(folder)
        _part(report, "the files beside the tables", lambda: check_descriptions(root))
        failed = bundle.failed["cell"].tolist()
        if failed:
            report.notes.append(f"{len(failed)} cells have no results ({listed(failed)})")
        report.checked = (
            f"{len(bundle.manifests)} cells, {len(bundle.scores)} scores, {len(bundle.history)} "
            "values of histories"
        )
        try:
            grids = grids_of(bundle.study, path, Path(nowhere), trust)
        except (ReassessError, *MALFORMED) as error:
            report.unchecked.append(f"the cells, because the config is not loaded: {error}")
            return report
        _check(report, Stored(folder, bundle, grids))
    return report


def _check(report: VerifyReport, stored: Stored) -> None:
    """Run every part that needs the config."""
    items = Items(stored)

    def splits_of(grid: Grid) -> Mapping[str, Sequence[Item]] | None:
        return items.pool_of(grid).splits

    parts: dict[str, Callable[[], Iterable[str]]] = {
        "study.json": lambda: check_terms(stored, splits_of),
        "what was made": lambda: check_made(stored),
        "the claims": lambda: check_claims(stored, report.notes),
        "the cells": lambda: check_cells(stored, report.notes),
        "the specs": lambda: check_specs(stored, report.notes),
        "the manifests": lambda: check_manifests(stored, report.notes),
        "the histories": lambda: check_histories(stored, splits_of, report.notes),
        "scores and answers": items.check,
    }
    for name, part in parts.items():
        _part(report, name, part)
    report.notes += [*notes_on_configs(stored), *items.notes]


def _part(report: VerifyReport, name: str, part: Callable[[], Iterable[str]]) -> None:
    """Add what a part finds; what it cannot read is a difference too."""
    found: list[str] = []
    try:
        for difference in part():
            found.append(difference)
    except ReassessError as error:
        found.append(str(error))
    except MALFORMED as error:
        found.append(f"{name}: not as this version writes them ({type(error).__name__}: {error})")
    report.add(found)
