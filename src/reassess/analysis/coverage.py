"""The result of `reassess coverage`: its file, and the table of docs/statistics.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from reassess.analysis.simulated_runs import designs
from reassess.analysis.simulation import REPLICATES, SEED, Coverage, Design, designs_of, simulate
from reassess.analysis.statistics import VERSION
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json, write_text
from reassess.core.pages import between_marks
from reassess.core.project import ROOT

COMMITTED = ROOT / "docs" / "coverage.json"
PAGE = ROOT / "docs" / "statistics.md"
START, END = "<!-- start of the simulated table -->", "<!-- end of the simulated table -->"
COMMAND = "reassess coverage --write-docs"


@dataclass(frozen=True)
class Result:
    """What designs came to.

    Attributes:
        designs: by design.
        date: when they were simulated, as in ISO 8601.
        seed: of the simulation.
        statistics: the version of the estimators.
        versions: of the packages that draw and compute.
    """

    designs: tuple[Coverage, ...]
    date: str
    seed: int
    statistics: int
    versions: dict[str, str]


def measure(only: Sequence[str] = (), replicates: int = REPLICATES) -> Result:
    """Simulate designs.

    Raises:
        ReassessError: there is no such design, or no replicate.
    """
    if replicates < 1:
        raise ReassessError(f"{replicates} replicates say nothing: take at least 1")
    return Result(
        tuple(simulate(one, replicates) for one in designs_of(only, designs())),
        datetime.now(UTC).date().isoformat(),
        SEED,
        VERSION,
        {name: version(name) for name in ("numpy", "scipy")},
    )


def read_result(path: Path = COMMITTED) -> Result:
    """Read a result.

    Raises:
        ReassessError: there is none at `path`.
    """
    if not path.is_file():
        raise ReassessError(f"{path}: there is no such result; make one: {COMMAND}")
    try:
        content = read_json(path)
        return Result(tuple(Coverage(**one) for one in content.pop("designs")), **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ReassessError(f"{path} is no result of `{COMMAND}`: {error}") from error


def table(result: Result) -> str:
    """A result as Markdown, by estimator.

    Raises:
        ReassessError: it has a design that there is no more.
    """
    by_name = {one.name: one for one in designs()}
    if unknown := [one.name for one in result.designs if one.name not in by_name]:
        raise ReassessError(f"there is no design {unknown[0]!r}: simulate again: {COMMAND}")
    packages = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    replicates = " or ".join(f"{n:,}" for n in sorted({one.replicates for one in result.designs}))
    lines = [
        f"{result.date}, statistics version {result.statistics}, {packages};",
        f"{replicates} replicates a row, plus or minus the binomial standard error:",
        "",
        "| estimator | data | coverage | false verdicts | half-width |",
        "|---|---|---|---|---|",
    ]
    for group, rows in groupby(result.designs, key=lambda one: by_name[one.name].group):
        for number, one in enumerate(rows):
            lines.append(_row("" if number else group, by_name[one.name], one))
    return "\n".join(lines)


def _row(group: str, design: Design, one: Coverage) -> str:
    share = f"{one.share:.3f} ± {one.error(one.covered):.3f}"
    wrong = f"{one.false_verdicts / one.replicates:.3f} ± {one.error(one.false_verdicts):.3f}"
    cells = [
        group,
        design.what,
        share if design.covers else "",
        wrong if design.decides else "none: no verdict",
        f"{one.half_width:.3f}" if design.covers else "",
    ]
    return f"| {' | '.join(cells)} |"


def write_result(result: Result, path: Path) -> None:
    """Write a result as JSON."""
    write_json(path, asdict(result))


def write_docs(result: Result) -> None:
    """Write a result into docs/coverage.json, and its table into docs/statistics.md."""
    write_result(result, COMMITTED)
    write_text(PAGE, with_table(PAGE.read_text(encoding="utf-8"), result))


def with_table(page: str, result: Result) -> str:
    """A page with the table of a result between its marks.

    Raises:
        ReassessError: the page has no such marks.
    """
    return between_marks(page, PAGE, START, END, table(result))
