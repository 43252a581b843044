"""Collecting the bundle: the scores, histories and manifests of all cells as tidy tables.

(Packing a bundle into an archive is `reassess.bundles.archive`.)
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import (
    BUDGETS,
    CATEGORIES,
    FORMAT,
    HISTORY,
    MANIFESTS,
    OPTIONAL_SCORES,
    SCORES,
    undecided_in,
)
from reassess.bundles.current import Gap, Golds, content_gap, gap, require_none, stale_data
from reassess.bundles.made import made
from reassess.bundles.stored_answers import (
    ANSWERS,
    SAMPLED,
    answers_by_cell,
    has_sampled,
    write_answers,
)
from reassess.bundles.stored_scores import (
    Cells,
    cells_of,
    rewrite_scores,
    settled,
    typed,
    write_scores,
)
from reassess.config.claims import contents, hash_of_claims
from reassess.config.schema import LOCAL
from reassess.core.errors import ReassessError
from reassess.core.files import (
    Json,
    canonical_json,
    parquet_columns,
    read_json,
    read_parquet,
    sha256_text,
    write_json,
    write_parquet,
)
from reassess.data.pool import SplitHashes, content_hashes
from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.methods import Method, source_of

Hours = Mapping[str, Mapping[str, float | int | None]]  # by rule: estimated and measured

FRAMES = {  # the small tables, and the order of their rows; scores and answers are apart
    "history": ["cell", "metric", "step"],
    "manifests": ["cell"],
}
COLUMNS = {"history": HISTORY, "manifests": MANIFESTS}
TEXTS = {"completion", "prompt_hash", "extracted", "answer", SAMPLED}  # of answers, not of scores
LAST_LINES = 5
# How a hash of rows begins if it is of their content (`reassess.training.content`, which needs
# torch). Older versions hashed their ids.
CONTENT = "content:"
SCORES_FILE = "scores.parquet"


def collect(grid: Grid, hours: Hours, partial: bool = False) -> None:
    """Collect every cell of the grid into the bundle.

    Args:
        grid: the grid.
        hours: by rule, the hours that jobs were estimated to take and took.
        partial: record cells without results of their present spec as failed, each with why,
            instead of stopping.

    Raises:
        ReassessError: a cell has no results of its present spec and `partial` is off; or cells that
            should share their rows do not.
    """
    pool, golds = _pool_hashes(grid), Golds()
    gaps = {
        cell.id: found for cell in grid.cells.values() if (found := _gap(grid, cell, pool, golds))
    }
    stale = stale_data(grid)
    if partial:
        for name, found in {**gaps, **stale}.items():
            print(f"left out: {name}: {found}")
    else:
        require_none({**gaps, **stale})
    histories, manifests = [], []
    for cell in grid.cells.values():
        folder = grid.paths.cell(cell.id)
        if cell.id in gaps:
            error = _why(grid, cell, gaps[cell.id])
            manifests.append({**axes_of(grid, cell), "status": "failed", "error": error})
            continue
        manifests.append(_manifest(grid, cell, folder))
        if grid.kind(cell) != "none":
            histories.append(read_parquet(folder / "history.parquet").assign(**axes_of(grid, cell)))
    frame = _frame(manifests, MANIFESTS).sort_values("cell")
    require_identical_rows(frame, row_draws=grid.config.row_draws)
    tables = {
        "history": _concat(histories, HISTORY),
        "manifests": frame,
    }
    traces = dict(_trace_reports(grid, stale))
    scored = [cell for cell in grid.cells.values() if cell.id not in gaps]
    write_scores(grid.paths.bundle / SCORES_FILE, *_all_scores(grid, scored))
    study = {**study_of(grid, hours, traces, pool), "made": made(grid)}
    write_bundle(grid.paths.bundle, tables, study)
    write_answers(
        grid.paths.bundle / ANSWERS,
        _answers(grid, scored),
        sampled=bool(grid.config.evaluation.samples),
    )


def write_bundle(folder: Path, tables: Mapping[str, pd.DataFrame], study: Json) -> None:
    """Write the tables of a bundle, sorted and typed, and the study's terms."""
    if "scores" in tables:
        scores = tables["scores"]
        write_scores(folder / SCORES_FILE, cells_of(scores), [*map(str, scores)])
    for name in FRAMES:
        if name in tables:
            _write(folder / f"{name}.parquet", typed(tables[name]))
    write_json(folder / "study.json", dict(study))


def rewrite(folder: Path, into: Path) -> None:
    """Write the tables of a bundle again, as they are written when cells are collected.

    Raises:
        ReassessError: a table is missing or damaged.
    """
    rewrite_scores(folder / SCORES_FILE, into / SCORES_FILE)
    for table in (f"{name}.parquet" for name in FRAMES):
        _write(into / table, typed(read_parquet(folder / table)))
    answers = folder / ANSWERS
    rows = (rows for _, rows in answers_by_cell(answers))
    write_answers(into / ANSWERS, rows, sampled=has_sampled(answers))


def axes_of(grid: Grid, cell: Cell) -> Json:
    """The labels of a cell, by column; they follow from its id and the config."""
    model = grid.config.models[cell.model]
    return {
        "cell": cell.id,
        "model": cell.model,
        "tier": model.tier,
        "family": model.family,
        "distribution": cell.distribution,
        "size": cell.size,
        "method": cell.arm,
        "kind": grid.kind(cell),
        "seed": cell.seed,
    }


def _all_scores(grid: Grid, cells: Sequence[Cell]) -> tuple[Cells, list[str]]:
    """The scores of cells, read when they are used, and their columns."""
    cells = sorted(cells, key=lambda cell: cell.id)
    optional = [name for name in OPTIONAL_SCORES if cells and name in _scores(grid, cells[0])]
    return lambda: (_scores(grid, cell) for cell in cells), [*SCORES, *optional]


def _scores(grid: Grid, cell: Cell) -> pd.DataFrame:
    folder = grid.paths.cell(cell.id)
    path = folder / "predictions.parquet"
    frame = read_parquet(path, [name for name in parquet_columns(path) if name not in TEXTS])
    if grid.config.evaluation.judge:
        judged = read_parquet(folder / "judged.parquet")[["benchmark", "id", "judged"]]
        frame = frame.merge(judged, on=["benchmark", "id"], validate="one_to_one")
    frame = frame.rename(columns={"id": "item", "family": "item_family"})
    frame["undecided"] = undecided_in(frame)
    return frame[[name for name in (*SCORES, *OPTIONAL_SCORES) if name in frame]].assign(
        **axes_of(grid, cell)
    )


def _answers(grid: Grid, cells: Iterable[Cell]) -> Iterator[pd.DataFrame]:
    """Yield the answers of each cell."""
    for cell in sorted(cells, key=lambda cell: cell.id):
        answers = read_parquet(grid.paths.predictions(cell.id))
        yield answers.rename(columns={"id": "item"}).assign(cell=cell.id)


def _manifest(grid: Grid, cell: Cell, folder: Path) -> Json:
    evaluated = read_json(folder / "scores.json")["manifest"]
    trained = read_json(folder / "train.json") if grid.kind(cell) != "none" else {}
    return {
        **axes_of(grid, cell),
        "status": "done",
        "error": None,
        "spec_hash": grid.specs.train_hash(cell),
        **{name: trained.get(name) for name in ("rows_hash", *BUDGETS)},
        "resumed": bool(trained.get("resumed", False)),
        "manifest": canonical_json({"train": trained, "evaluate": evaluated}),
    }


def _gap(grid: Grid, cell: Cell, pool: Mapping[str, SplitHashes], golds: Golds) -> Gap | None:
    return gap(grid, cell) or content_gap(grid, cell, pool, golds)


def _why(grid: Grid, cell: Cell, found: Gap) -> str:
    """What is recorded of a gap; of a failure the job's own record and its log's last lines."""
    if not found.unfinished:
        return f"left out: {found}; it has not been run again since"
    lines = [] if found.problem == "no scores" else [str(found)]
    record = grid.paths.failure(cell.id)
    if record.is_file():
        lines.append(str(read_json(record)["error"]))
    rule = "evaluate" if grid.paths.train_manifest(cell.id).is_file() else "train"
    log = grid.paths.log(rule, cell.id)
    if log.is_file():
        lines += log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
    return "\n".join(lines) or (
        "it left neither scores nor a log: it may have been killed, or the cell it starts from "
        "failed"
    )


def require_identical_rows(manifests: pd.DataFrame, *, row_draws: bool) -> None:
    """Refuse to compare cells that were trained on different rows.

    Hashes of the rows' content and hashes of their ids, of older versions, are compared each with
    their like.

    Args:
        manifests: a row for each cell.
        row_draws: whether seeds draw their rows, so that only cells of one seed share them.

    Raises:
        ReassessError: names two such cells.
    """
    trained = manifests.dropna(subset=["rows_hash"])
    of_content = trained["rows_hash"].astype(str).str.startswith(CONTENT).rename("of_content")
    shared = ["family", "distribution", "size", *(["seed"] if row_draws else [])]
    for (*axes, _), group in trained.groupby([*shared, of_content], dropna=False):
        if group["rows_hash"].nunique() > 1:
            first = group.drop_duplicates("rows_hash")["cell"].tolist()[:2]
            raise ReassessError(
                f"cells {first[0]} and {first[1]} should share the rows of {tuple(axes)} but were "
                "trained on different ones"
            )


def study_of(
    grid: Grid,
    hours: Hours,
    traces: Mapping[str, Json] | None = None,
    pool: Mapping[str, SplitHashes] | None = None,
) -> Json:
    """The terms of a grid's study, as a bundle holds them in `study.json`. Only claims are read.

    Args:
        grid: the grid.
        hours: by rule, the hours that jobs were estimated to take and took.
        traces: the reports on traces, by `family/distribution`.
        pool: the hashes of the pool's splits, by name.
    """
    config = grid.config.model_dump(mode="json", exclude=LOCAL)
    bases = grid.config.world.bases
    return {
        "format": FORMAT,
        "grid": grid.config.grid,
        "studies": {
            name: {
                "question": grid.config.studies[name].question,
                "cells": [cell.id for cell in cells],
            }
            for name, cells in grid.study_cells.items()
        },
        "benchmarks": [
            {"name": name, "label": benchmark.label, "role": benchmark.role}
            for name, benchmark in grid.benchmarks.items()
        ],
        "models": {name: model.model_dump() for name, model in grid.config.models.items()},
        **({"bases": bases} if bases > 1 else {}),
        "arms": {
            name: arm.settings.model_dump() | _method(arm.method) for name, arm in grid.arms.items()
        },
        "arm_order": list(grid.arms),
        "traces": dict(traces or {}),
        "pool": dict(pool or {}),
        "claims": contents(grid.claims),
        "claims_hash": hash_of_claims(grid.claims),
        "costs": hours,
        "config": config,
        "config_hash": sha256_text(canonical_json(config)),
    }


def _method(method: type[Method]) -> Json:
    """The method of an arm, and of a plug-in its source."""
    source = source_of(method)
    return {"method": method.name, **({} if source is None else {"plugin": source})}


def _pool_hashes(grid: Grid) -> dict[str, SplitHashes]:
    """The hashes of the splits whose file is there."""
    paths = {split: grid.paths.pool(split) for split in grid.splits}
    return {split: content_hashes(path) for split, path in paths.items() if path.is_file()}


def _trace_reports(grid: Grid, stale: Container[str]) -> Iterator[tuple[str, Json]]:
    """Yield the report on the traces of each family and distribution that are not stale.

    Their seconds are left out: they differ from run to run.
    """
    for family in grid.config.teachers:
        for name in grid.config.distributions:
            path = grid.paths.traces(family, name).with_suffix(".json")
            if path.is_file() and path.relative_to(grid.paths.results).as_posix() not in stale:
                report = read_json(path)
                report.pop("seconds", None)
                yield f"{family}/{name}", report


def _frame(rows: list[Json], columns: list[str]) -> pd.DataFrame:
    return typed(pd.DataFrame(rows, columns=columns))


def _concat(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return typed(pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns))


def _write(path: Path, frame: pd.DataFrame) -> None:
    """Write a table in the order of its rows and columns, with types that follow from its values.

    So a table that is read and written again has the same bytes.
    """
    columns = dict.fromkeys([*COLUMNS[path.stem], *frame])
    frame = frame[[name for name in columns if name in frame]]
    frame = frame.sort_values(FRAMES[path.stem], kind="stable").reset_index(drop=True)
    names = [name for name in frame.columns if name in CATEGORIES]
    values = {name: sorted(frame[name].dropna().unique()) for name in names}
    write_parquet(path, settled(frame, values))
