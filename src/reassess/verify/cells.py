"""Whether the cells of a bundle are those of its config: their labels, specs and manifests."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from reassess.analysis.bundle import AXES, BUDGETS
from reassess.bundles.collect import axes_of
from reassess.core.files import Json
from reassess.core.seeds import derive_seed
from reassess.grid.cells import Cell
from reassess.grid.specs import Spec
from reassess.grid.study import Grid
from reassess.training.settings import TrainedSettings
from reassess.verify.fields import check_fields
from reassess.verify.stored import Stored, differing, hash_of, shown
from reassess.verify.versions import present_versions
from reassess.worlds.base import Reader, world_of

SHARED = ("rows_hash", *BUDGETS)  # columns that repeat fields of the training manifest
SHIPPED = "reassess.methods."  # modules of methods whose trainers are known
CONTENT = ":"  # in a hash of rows: it covers more than their ids


def is_shipped(grid: Grid, cell: Cell) -> bool:
    """Whether a cell's method is one of ours, so that it is known what its training records."""
    return grid.arms[cell.arm].method.__module__.startswith(SHIPPED)


# --- which cells, under which labels --------------------------------------------------------------


def check_cells(stored: Stored) -> Iterator[str]:
    """Yield cells that are missing or too many, and labels that their ids do not have."""
    cells = {name: (grid, cell) for grid in stored.grids for name, cell in grid.cells.items()}
    held = set(stored.rows)
    for name in sorted({*cells} - held):
        yield f"{name}: a cell of the config, but not of the manifests"
    for name in sorted(held - {*cells}):
        yield f"{name}: in the manifests, but no cell of the config"
    labels = {name: axes_of(grid, cell) for name, (grid, cell) in cells.items()}
    for table in ("manifests", "scores", "history"):
        yield from _labels(getattr(stored.bundle, table), table, labels)
    done = {name for name, row in stored.rows.items() if row["status"] == "done"}
    trained = {name for name in done if stored.rows[name]["kind"] != "none"}
    yield from _presence("scores", set(stored.bundle.scores["cell"]), done)
    yield from _presence("history", set(stored.bundle.history["cell"]), trained)


def _labels(frame: pd.DataFrame, table: str, labels: Mapping[str, Json]) -> Iterator[str]:
    """Yield the labels that a cell has in a table and that are not its own."""
    plain = frame[AXES].drop_duplicates()
    plain = plain.astype(object).where(plain.notna(), None)
    for row in plain.to_dict("records"):
        cell = str(row["cell"])
        if cell not in labels:
            if table != "manifests":
                yield f"{cell}: in {table}, but no cell of the config"
            continue
        for axis, derived in labels[cell].items():
            if row[axis] != derived:
                yield (
                    f"{cell}: {axis} is {shown(row[axis])} in {table}, derived as {shown(derived)}"
                )


def _presence(table: str, held: set[str], due: set[str]) -> Iterator[str]:
    for cell in sorted(due - held):
        yield f"{cell}: done by its manifest, but without rows in {table}"
    for cell in sorted(held - due):
        yield f"{cell}: has rows in {table}, but no manifest that says so"


# --- specs ----------------------------------------------------------------------------------------


def check_specs(stored: Stored, notes: list[str]) -> Iterator[str]:
    """Yield specs that do not follow from the config, or whose hash is another one.

    Specs that have the version numbers of an earlier version are derived with those, which is a
    note. All cells of a grid have the same ones: they were collected under one version.
    """
    for grid, versions in zip(stored.grids, stored.versions, strict=True):
        present = present_versions(grid).named()
        other = {name: one for name, one in versions.named().items() if one != present[name]}
        if other:
            named = ", ".join(f"{name} {one}, {present[name]} here" for name, one in other.items())
            notes.append(
                f"written by another version of reassess ({named}): specs are derived as of it"
            )
        for name, one in other.items():
            if not 1 <= one <= present[name]:
                yield f"{name} {one}: this version knows 1 to {present[name]}, and no other"
    for grid, cell in stored.scored():
        for part, held, derived in _specs(stored, grid, cell):
            yield from differing(held, derived, f"{cell.id}: {part}.spec")
        yield from _hashes(stored, grid, cell)


def _specs(stored: Stored, grid: Grid, cell: Cell) -> Iterator[tuple[str, object, Spec]]:
    """Yield each spec that a cell's manifests should have: as it is stored, and as derived."""
    record, specs = stored.records[cell.id], stored.specs(grid)
    if grid.kind(cell) != "none":
        yield "train", record["train"].get("spec"), specs.train(cell)
    yield "evaluate", record["evaluate"].get("spec"), specs.evaluation(cell)


def _hashes(stored: Stored, grid: Grid, cell: Cell) -> Iterator[str]:
    """Yield hashes of specs that are not those of the specs beside them."""
    record, column = stored.records[cell.id], stored.rows[cell.id]["spec_hash"]
    evaluate, train = record["evaluate"], record["train"]
    hashes = {
        "derived from the config": stored.specs(grid).train_hash(cell),
        "in the spec of its evaluation": (evaluate.get("spec") or {}).get("train"),
    }
    if grid.kind(cell) == "none":
        if train:
            yield f"{cell.id}: has a manifest of training, but its arm trains nothing"
    else:
        hashes["in the manifest of training"] = train.get("spec_hash")
        hashes["of the spec of training"] = hash_of(train.get("spec") or {})
    for where, value in hashes.items():
        if value != column:
            yield f"{cell.id}: spec_hash is {shown(column)}, but {where} {shown(value)}"
    held, derived = evaluate.get("spec_hash"), hash_of(evaluate.get("spec") or {})
    if held != derived:
        yield f"{cell.id}: evaluate.spec_hash is {shown(held)}, but of its spec {derived!r}"


# --- manifests ------------------------------------------------------------------------------------


def check_manifests(stored: Stored) -> Iterator[str]:
    """Yield what a manifest states that its cell, its row or another manifest contradicts."""
    for name, row in stored.rows.items():
        if row["status"] == "failed":
            given = [one for one in (*SHARED, "spec_hash", "manifest") if row[one] is not None]
            if given:
                yield f"{name}: failed, but has {', '.join(given)}"
            if row["error"] is None:
                yield f"{name}: failed, but has no error"
        elif row["error"] is not None:
            yield f"{name}: done, but has an error"
    for grid, cell in stored.scored():
        record = stored.records[cell.id]
        row = stored.rows[cell.id]
        yield from check_fields(cell.id, record)
        yield from _same_fields(cell.id, row, record["train"])
        yield from _evaluated(cell.id, record)
        yield from _processors(grid, cell, record)
        if record["train"]:
            yield from _trained(grid, cell, record["train"])
    yield from _weights(stored)
    yield from _rows(stored)


def _same_fields(cell: str, row: Mapping[Hashable, Any], train: Json) -> Iterator[str]:
    """Yield columns of the manifests' table that are not what the manifest states."""
    for name in SHARED:
        if row[name] != train.get(name):
            yield f"{cell}: {name} is {shown(row[name])}, in its manifest {shown(train.get(name))}"
    if bool(row["resumed"]) is not bool(train.get("resumed", False)):
        yield f"{cell}: resumed is {row['resumed']}, in its manifest {train.get('resumed')!r}"


def _trained(grid: Grid, cell: Cell, train: Json) -> Iterator[str]:
    """Yield fields of a training manifest that do not follow from the cell."""
    derived = {
        "action": "train",
        "cell": cell.id,
        "kind": grid.kind(cell),
        "rows": cell.size,
        "order_seed": derive_seed("order", cell.distribution, cell.size, cell.seed),
        "sampling_seed": derive_seed("sampling", cell.distribution, cell.size, cell.seed),
    }
    settings = grid.arms[cell.arm].settings
    if is_shipped(grid, cell) and isinstance(settings, TrainedSettings):
        derived["updates"] = settings.updates(cell.size or 0)
    for name, value in derived.items():
        if train.get(name) != value:
            yield f"{cell.id}: {name} is {shown(train.get(name))}, derived as {shown(value)}"
    layout = asdict(grid.world.layout(cell.model))
    for name, value in train.get("layout", {}).items():
        if name not in layout:
            yield f"{cell.id}: layout.{name}: no part of a layout"
        elif value != layout[name] and name != "micro_batch":  # halved where memory is short
            yield f"{cell.id}: layout.{name} is {shown(value)}, derived as {shown(layout[name])}"
    spent, lasted = train.get("training_seconds"), train.get("seconds")
    if spent is not None and lasted is not None and spent > lasted and not train.get("resumed"):
        yield f"{cell.id}: {spent} seconds of training, in a job of {lasted} seconds"


def _evaluated(cell: str, record: Json) -> Iterator[str]:
    evaluate, train = record["evaluate"], record["train"]
    if evaluate.get("action") != "evaluate":
        yield f"{cell}: action is {shown(evaluate.get('action'))}, derived as 'evaluate'"
    if train and evaluate.get("weights_hash") != train.get("weights_hash"):
        yield (
            f"{cell}: scored with the weights {shown(evaluate.get('weights_hash'))}, trained "
            f"{shown(train.get('weights_hash'))}"
        )


def _processors(grid: Grid, cell: Cell, record: Json) -> Iterator[str]:
    """Yield hashes of template and processor that the family's own are not."""
    reader = reader_of(grid, cell)
    if reader is None:
        return
    derived = {"template_hash": reader.template_hash, "processor_hash": reader.processor_hash}
    for part in ("train", "evaluate"):
        for name, value in derived.items():
            held = record[part].get(name)
            if held is not None and held != value:
                yield f"{cell.id}: {part}.{name} is {shown(held)}, derived as {value!r}"


def reader_of(grid: Grid, cell: Cell) -> Reader | None:
    """How the models of a cell's family read and write, where the world can tell."""
    return world_of(grid).reader(grid.family(cell.model))


def _weights(stored: Stored) -> Iterator[str]:
    """Yield starts that are not the weights of the cell, or of the base, that is started from."""
    bases: dict[tuple[str, str], tuple[str, str]] = {}
    for grid, cell in stored.scored():
        record = stored.records[cell.id]
        start = grid.start(cell)
        if start is not None and record["train"]:
            before = stored.records.get(start.id, {}).get("train", {})
            for name in ("weights_hash", "checkpoint_hash"):
                held, trained = record["train"].get(f"start_{name}"), before.get(name)
                if trained is not None and held != trained and (held or name == "weights_hash"):
                    yield (
                        f"{cell.id}: start_{name} is {shown(held)}, but {name} of {start.id} "
                        f"{shown(trained)}"
                    )
            continue
        held = (
            record["train"].get("start_weights_hash")
            if record["train"]
            else record["evaluate"].get("weights_hash")
        )
        if held is not None:
            key = cell.model, grid.specs.base_hash(cell.model)
            first, weights = bases.setdefault(key, (cell.id, held))
            if weights != held:
                yield (
                    f"{cell.id}: its base is {shown(held)}, that of {first} {shown(weights)}, "
                    f"though both are {cell.model}"
                )


def _rows(stored: Stored) -> Iterator[str]:
    """Yield cells that should have been trained on the same rows and were not.

    Hashes of ids are the same in all distributions of the same questions.
    """
    groups: dict[tuple[object, ...], tuple[str, object]] = {}
    for grid, cell in stored.scored():
        train = stored.records[cell.id]["train"]
        if not train or cell.distribution is None:
            continue
        sharing = tuple(grid.specs.sharing_questions(cell.distribution))
        for name in ("rows_hash", "row_ids_hash"):
            held = train.get(name)
            if held is None:
                continue
            by_content = CONTENT in str(held)
            scope: object = cell.distribution if by_content else sharing
            key = (name, by_content, grid.family(cell.model), scope, cell.size)
            first, other = groups.setdefault(key, (cell.id, held))
            if other != held:
                yield (
                    f"{cell.id}: {name} is {shown(held)}, of {first} {shown(other)}, though both "
                    "trained on the same rows"
                )
