"""Whether the files of a cell belong together and to the grid's present specs.

What does not is left out of a bundle by name, never taken for what the config now says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json, read_parquet, sha256_file
from reassess.data.pool import GOLDS, SplitHashes, golds_hash
from reassess.grid.cells import Cell
from reassess.grid.study import Grid

if TYPE_CHECKING:
    import pandas as pd

# Of a checkpoint, as training and evaluation each recorded them.
HASHES = ("weights_hash", "checkpoint_hash")


@dataclass(frozen=True)
class Gap:
    """Why a cell cannot be in a bundle.

    Attributes:
        problem: the kind of problem; cells that share it are named together.
        detail: what was found, where there is more to say.
        unfinished: whether its job failed or never ran, so that a log may say why.
    """

    problem: str
    detail: str = ""
    unfinished: bool = False

    def __str__(self) -> str:
        """Both, on one line."""
        return f"{self.problem} ({self.detail})" if self.detail else self.problem


def gap(grid: Grid, cell: Cell) -> Gap | None:
    """What is missing of a cell, or of another spec; None if it is complete by its manifests.

    Only small files are read; `content_gap` reads the rest.
    """
    return next(_gaps(grid, cell), None)


def _gaps(grid: Grid, cell: Cell) -> Iterator[Gap]:
    paths, specs = grid.paths, grid.specs
    for path in (paths.scores(cell.id), paths.predictions(cell.id)):
        if not path.is_file():
            yield Gap("no scores", "" if path.name == "scores.json" else f"no {path.name}", True)
    scores = read_json(paths.scores(cell.id))
    evaluated = scores.get("manifest", {})
    if grid.kind(cell) != "none":
        for path in (paths.train_manifest(cell.id), paths.history(cell.id)):
            if not path.is_file():
                yield Gap(f"no {path.name}", "its training failed or was not finished", True)
        trained = read_json(paths.train_manifest(cell.id))
        yield from _other_spec("trained", trained, specs.train_hash(cell))
        yield from _other_spec("scored", scores, specs.evaluation_hash(cell))
        yield from _other_weights(grid, cell, trained, evaluated)
        for name, found in _stale_data(grid, grid.family(cell.model), str(cell.distribution)):
            yield Gap(f"trained on data that was since {found.problem}", name)
    else:
        yield from _other_spec("scored", scores, specs.evaluation_hash(cell))
    if grid.config.evaluation.judge:
        yield from _judge_gaps(grid, cell, evaluated)


def _other_spec(what: str, recorded: Json, present: str) -> Iterator[Gap]:
    found = str(recorded.get("spec_hash"))
    if found != present:
        yield Gap(f"{what} under another spec", f"{found[:12]}; the grid's is {present[:12]}")


def _other_weights(grid: Grid, cell: Cell, trained: Json, evaluated: Json) -> Iterator[Gap]:
    """Weights that training wrote, evaluation read, and the training of its start wrote."""
    for name in HASHES:
        if _differ(trained, name, evaluated, name):
            yield Gap("scored with other weights than it trained", name)
    start = grid.start(cell)
    if start is not None and (manifest := grid.paths.train_manifest(start.id)).is_file():
        begun = read_json(manifest)
        if _differ(trained, "start_weights_hash", begun, "weights_hash"):
            yield Gap("trained from other weights than those of its start", start.id)


def _differ(first: Json, first_name: str, second: Json, second_name: str) -> bool:
    """Whether two hashes differ that are both recorded; older versions record fewer."""
    one, other = first.get(first_name), second.get(second_name)
    return one is not None and other is not None and one != other


def _judge_gaps(grid: Grid, cell: Cell, evaluated: Json) -> Iterator[Gap]:
    from reassess.evaluation.judge import VERSION, prompt_hash

    paths, judge = grid.paths, grid.config.evaluation.judge
    for path in (paths.judged_scores(cell.id), paths.judged(cell.id)):
        if not path.is_file():
            yield Gap("not judged", f"no {path.name}", True)
    judged = read_json(paths.judged_scores(cell.id))
    if judged.get("judge") != judge:
        yield Gap("judged by another model", f"{judged.get('judge')}; the grid's is {judge}")
    if (judged.get("version"), judged.get("prompt_hash")) != (VERSION, prompt_hash()):
        yield Gap("judged with another prompt", f"version {judged.get('version')}")
    made = judged.get("manifest", {})
    yield from _other_spec("judged", made, grid.specs.evaluation_hash(cell))
    if _differ(made, "predictions_hash", evaluated, "predictions_hash"):
        yield Gap("judged by other answers than were scored")


class Golds:
    """The hashes of the right answers in tables of answers, by benchmark.

    Most cells are scored on the same items, in the same order: these are hashed once.
    """

    def __init__(self) -> None:
        """Start with no table."""
        self._last: pd.DataFrame | None = None
        self._hashes: dict[str, str] = {}

    def of(self, path: Path) -> Mapping[str, str]:
        """The hashes of a table's right answers.

        Raises:
            ReassessError: the file is missing or damaged.
        """
        answers = read_parquet(path, ["benchmark", *GOLDS])
        if self._last is None or not self._last.equals(answers):
            self._last = answers
            self._hashes = {
                str(benchmark): golds_hash(rows[list(GOLDS)].itertuples(index=False, name=None))
                for benchmark, rows in answers.groupby("benchmark", sort=False)
            }
        return self._hashes


def content_gap(
    grid: Grid, cell: Cell, pool: Mapping[str, SplitHashes], golds: Golds
) -> Gap | None:
    """Whether the answers of a complete cell are those that were scored, and to the pool's items.

    Args:
        grid: the grid.
        cell: a cell without a `gap`.
        pool: the hashes of the pool's splits, as far as they are there.
        golds: hashes the right answers.
    """
    files = [(grid.paths.predictions(cell.id), grid.paths.scores(cell.id), "predictions_hash")]
    if grid.config.evaluation.judge:
        files.append((grid.paths.judged(cell.id), grid.paths.judged_scores(cell.id), "judged_hash"))
    for path, report, name in files:
        recorded = read_json(report).get("manifest", {})
        if name in recorded and recorded[name] != sha256_file(path):
            return Gap(f"{path.name} is not the file that {report.name} was written with")
    for benchmark, held in golds.of(grid.paths.predictions(cell.id)).items():
        split = pool.get(benchmark)
        if split is not None and held != split["golds_hash"]:
            return Gap("scored on other items than the pool's", benchmark)
    return None


def require_none(gaps: Mapping[str, Gap]) -> None:
    """Refuse to go on with gaps.

    Raises:
        ReassessError: names every cell, those with the same problem together.
    """
    if not gaps:
        return
    cells: dict[str, list[str]] = {}
    for name, found in gaps.items():
        cells.setdefault(found.problem, []).append(name)
    named = "; ".join(f"{problem}: {', '.join(names)}" for problem, names in cells.items())
    raise ReassessError(
        f"{len(gaps)} results cannot be collected: {named}. `reassess run` makes them again; "
        "`collect --partial` leaves them out by name"
    )


def stale_data(grid: Grid) -> dict[str, Gap]:
    """Traces and rows of another spec than the grid's, by the file of their report."""
    return {
        name: found
        for family in grid.config.teachers
        for distribution in grid.config.distributions
        for name, found in _stale_data(grid, family, distribution)
    }


def _stale_data(grid: Grid, family: str, distribution: str) -> Iterator[tuple[str, Gap]]:
    """Yield what is stale of a family and distribution; older reports on rows have no spec."""
    paths, specs = grid.paths, grid.specs
    for table, present in (
        (paths.traces(family, distribution), specs.traces_hash(family, distribution)),
        (paths.rows(family, distribution), specs.rows_hash(family, distribution)),
    ):
        report = table.with_suffix(".json")
        recorded = read_json(report) if report.is_file() else {}
        if "spec_hash" in recorded:
            for found in _other_spec("made", recorded, present):
                yield report.relative_to(paths.results).as_posix(), found
