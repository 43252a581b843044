"""Collecting the bundle: the scores, histories and manifests of all cells as tidy tables.

(Packing a bundle into an archive is `reassess.bundles.archive`.)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
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
from reassess.bundles.stored_answers import ANSWERS, KEYS, write_answers
from reassess.core.errors import ReassessError
from reassess.core.files import (
    Json,
    canonical_json,
    read_json,
    read_parquet,
    sha256_text,
    write_json,
    write_parquet,
)
from reassess.grid.cells import Cell
from reassess.grid.study import Grid

Hours = Mapping[str, Mapping[str, float | int | None]]  # by rule: estimated and measured

FRAMES = {  # the tables, and the order of their rows; answers are apart
    "scores": KEYS,
    "history": ["cell", "metric", "step"],
    "manifests": ["cell"],
}
LAST_LINES = 5


def collect(grid: Grid, hours: Hours, partial: bool = False) -> None:
    """Collect every cell of the grid into the bundle.

    Args:
        grid: the grid.
        hours: by rule, the hours that jobs were estimated to take and took.
        partial: record cells without scores as failed, with the last lines of their log, instead of
            stopping.

    Raises:
        ReassessError: a cell has no scores and `partial` is off; or cells that should share their
            rows do not.
    """
    scores, histories, manifests = [], [], []
    for cell in grid.cells.values():
        folder = grid.paths.cell(cell.id)
        if not (folder / "scores.json").is_file():
            if not partial:
                raise ReassessError(
                    f"cell {cell.id} has no scores; run it, or collect with --partial"
                )
            manifests.append({**axes_of(grid, cell), "status": "failed", "error": _why(grid, cell)})
            continue
        scores.append(_scores(grid, cell, folder))
        manifests.append(_manifest(grid, cell, folder))
        if grid.kind(cell) != "none":
            histories.append(read_parquet(folder / "history.parquet").assign(**axes_of(grid, cell)))
    frame = _frame(manifests, MANIFESTS).sort_values("cell")
    require_identical_rows(frame)
    tables = {
        "scores": _concat(scores, [*SCORES, *_having(scores, OPTIONAL_SCORES)]),
        "history": _concat(histories, HISTORY),
        "manifests": frame,
    }
    write_bundle(grid.paths.bundle, tables, study_of(grid, hours))
    write_answers(
        grid.paths.bundle / ANSWERS,
        _answers(grid),
        sampled=bool(grid.config.evaluation.samples),
    )


def write_bundle(folder: Path, tables: Mapping[str, pd.DataFrame], study: Json) -> None:
    """Write the tables of a bundle, sorted and typed, and the study's terms."""
    for name, order in FRAMES.items():
        if name in tables:
            _write(folder / f"{name}.parquet", _typed(tables[name]), order)
    write_json(folder / "study.json", dict(study))


def axes_of(grid: Grid, cell: Cell) -> Json:
    """The labels of a cell, by column."""
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


def _having(frames: list[pd.DataFrame], columns: list[str]) -> list[str]:
    return [column for column in columns if frames and column in frames[0]]


def _scores(grid: Grid, cell: Cell, folder: Path) -> pd.DataFrame:
    frame = read_parquet(folder / "predictions.parquet")
    if grid.config.evaluation.judge:
        judged = read_parquet(folder / "judged.parquet")[["benchmark", "id", "judged"]]
        frame = frame.merge(judged, on=["benchmark", "id"], validate="one_to_one")
    frame = frame.rename(columns={"id": "item", "family": "item_family"})
    frame["undecided"] = undecided_in(frame)
    frame = frame[[name for name in (*SCORES, *OPTIONAL_SCORES) if name in frame]].assign(
        **axes_of(grid, cell)
    )
    # Every cell has the same strings: keep one object of each, not one a cell.
    for name in ("benchmark", "item", "item_family"):
        frame[name] = frame[name].map(sys.intern, na_action="ignore")
    return frame


def _answers(grid: Grid) -> Iterator[pd.DataFrame]:
    """Yield the answers of every scored cell."""
    for cell in sorted(grid.cells.values(), key=lambda cell: cell.id):
        if grid.paths.scores(cell.id).is_file():
            yield (
                read_parquet(grid.paths.predictions(cell.id))
                .rename(columns={"id": "item"})
                .assign(cell=cell.id)
            )


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


def _why(grid: Grid, cell: Cell) -> str:
    """What is recorded of a failure: the job's own record and the last lines of its log."""
    record = grid.paths.failure(cell.id)
    lines = [str(read_json(record)["error"])] if record.is_file() else []
    rule = "evaluate" if grid.paths.train_manifest(cell.id).is_file() else "train"
    log = grid.paths.log(rule, cell.id)
    if log.is_file():
        lines += log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
    return "\n".join(lines) or (
        "it left neither scores nor a log: it may have been killed, or the cell it starts from "
        "failed"
    )


def require_identical_rows(manifests: pd.DataFrame) -> None:
    """Refuse to compare cells that were trained on different rows.

    Raises:
        ReassessError: names two such cells.
    """
    trained = manifests.dropna(subset=["rows_hash"])
    for axes, group in trained.groupby(["family", "distribution", "size"], dropna=False):
        if group["rows_hash"].nunique() > 1:
            first = group.drop_duplicates("rows_hash")["cell"].tolist()[:2]
            raise ReassessError(
                f"cells {first[0]} and {first[1]} should share the rows of {axes} but were "
                "trained on different ones"
            )


def study_of(grid: Grid, hours: Hours) -> Json:
    """The terms of a grid's study, as a bundle holds them in `study.json`."""
    config = grid.config.model_dump(mode="json", exclude={"results", "scratch"})
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
        "arms": {
            name: arm.settings.model_dump() | {"method": arm.method.name}
            for name, arm in grid.arms.items()
        },
        "arm_order": list(grid.arms),
        "traces": dict(_trace_reports(grid)),
        "costs": hours,
        "config": config,
        "config_hash": sha256_text(canonical_json(config)),
    }


def _trace_reports(grid: Grid) -> Iterator[tuple[str, Json]]:
    """Yield the report on the traces of each family and distribution.

    Their seconds are left out: they differ from run to run.
    """
    for family in grid.config.teachers:
        for name in grid.config.distributions:
            path = grid.paths.traces(family, name).with_suffix(".json")
            if path.is_file():
                report = read_json(path)
                report.pop("seconds", None)
                yield f"{family}/{name}", report


def _frame(rows: list[Json], columns: list[str]) -> pd.DataFrame:
    return _typed(pd.DataFrame(rows, columns=columns))


def _concat(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return _typed(pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    types = {
        "size": "Int64",
        "seed": "int64",
        "length": "Int32",
        "hops": "Int8",
        "filled": "Int8",
        "updates": "Int64",
    }
    return frame.astype({name: kind for name, kind in types.items() if name in frame.columns})


def _write(path: Path, frame: pd.DataFrame, order: list[str]) -> None:
    frame = frame.sort_values(order, kind="stable").reset_index(drop=True)
    for name in set(CATEGORIES) & set(frame.columns):
        frame[name] = pd.Categorical(frame[name], categories=sorted(frame[name].dropna().unique()))
    write_parquet(path, frame)
