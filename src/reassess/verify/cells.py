"""Whether the cells of a bundle are those of its config: their labels, specs and manifests."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
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
from reassess.methods import source_of
from reassess.training.settings import TrainedSettings
from reassess.verify.checkpoints import check_checkpoints
from reassess.verify.fields import check_fields, check_same_fields
from reassess.verify.stored import Stored, differing, hash_of, shown
from reassess.verify.times import check_times
from reassess.verify.versions import present_versions
from reassess.worlds.base import Reader, world_of

SHARED = ("rows_hash", *BUDGETS)  # columns that repeat fields of the training manifest
SHIPPED = "reassess.methods."  # modules of methods whose trainers are known
FEW_ROWS = 5  # of 24, two draws are the same once in five million times
CONTENT = ":"  # in a hash of rows: it covers more than their ids


def is_shipped(grid: Grid, cell: Cell) -> bool:
    """Whether a cell's method is one of ours, so that it is known what its training records."""
    return grid.arms[cell.arm].method.__module__.startswith(SHIPPED)


# --- which cells, under which labels --------------------------------------------------------------


def check_cells(stored: Stored, notes: list[str]) -> Iterator[str]:
    """Yield cells that are missing or too many, and labels that their ids do not have.

    Args:
        stored: the bundle.
        notes: receives what a reader should know.
    """
    cells = {name: (grid, cell) for grid in stored.grids for name, cell in grid.cells.items()}
    held = set(stored.rows)
    for name in sorted({*cells} - held):
        yield f"{name}: a cell of the config, but not of the manifests"
    for name in sorted(held - {*cells}):
        yield f"{name}: in the manifests, but no cell of the config"
    labels = {name: axes_of(grid, cell) for name, (grid, cell) in cells.items()}
    for table, distinct in (
        ("manifests", stored.bundle.manifests[AXES].drop_duplicates()),
        ("scores", stored.bundle.scores.distinct(AXES)),
        ("history", stored.bundle.history[AXES].drop_duplicates()),
    ):
        yield from _labels(distinct, table, labels)
    done = {name for name, row in stored.rows.items() if row["status"] == "done"}
    trained = {name for name in done if stored.rows[name]["kind"] != "none"}
    yield from _tiers(stored.grids, notes)
    yield from _presence("scores", set(stored.bundle.scores.cells), done)
    yield from _presence("history", set(stored.bundle.history["cell"]), trained)


def _labels(distinct: pd.DataFrame, table: str, labels: Mapping[str, Json]) -> Iterator[str]:
    """Yield the labels that a cell has in a table and that are not its own."""
    plain = distinct.astype(object).where(distinct.notna(), None)
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


def width_of(grid: Grid, model: str) -> int | None:
    """The hidden size of a model; None where the config does not state it."""
    width = getattr(grid.config.models[model], "width", None)
    return width if isinstance(width, int) else None


def _tiers(grids: Sequence[Grid], notes: list[str]) -> Iterator[str]:
    """Yield families whose strong models are no larger than their weak ones, in any grid.

    Between families, or generations of public models, that may well be meant: it is a note.
    """
    models = {name: (model, grid) for grid in grids for name, model in grid.config.models.items()}
    tiers = {name: model.tier for name, (model, _) in models.items()}
    sizes = {
        name: size
        for name, (_, grid) in models.items()
        if (size := world_of(grid).model_size(name)) is not None
    }
    for family in sorted({model.family for model, _ in models.values()}):
        members = {name: size for name, size in sizes.items() if models[name][0].family == family}
        held = {tiers[name] for name in members}
        if len(held) == 1 and len({*members.values()}) > 1:
            tier = held.pop()
            notes.append(f"all models of {family} are called {tier}, though their sizes differ")
        widths = {name: width_of(models[name][1], name) for name in members}
        stated = {name: width for name, width in widths.items() if width is not None}
        if swapped := _inverted(stated, tiers):
            large, small = swapped
            yield (
                f"{small}: strong, of width {stated[small]}, but {large} of the same family weak, "
                f"of width {stated[large]}"
            )
    if swapped := _inverted(sizes, tiers):
        large, small = swapped
        notes.append(f"{large} is called weak and {small} strong, though {large} is no smaller")


def _inverted(sizes: Mapping[str, float], tiers: Mapping[str, str]) -> tuple[str, str] | None:
    """The largest weak model and the smallest strong one, if that one is no larger."""
    weak, strong = ([name for name in sizes if tiers[name] == tier] for tier in ("weak", "strong"))
    if not weak or not strong:
        return None
    large, small = max(weak, key=sizes.__getitem__), min(strong, key=sizes.__getitem__)
    return (large, small) if sizes[small] <= sizes[large] else None


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


def check_manifests(stored: Stored, notes: list[str]) -> Iterator[str]:
    """Yield what a manifest states that its cell, its row or another manifest contradicts.

    Args:
        stored: the bundle.
        notes: receives what a reader should know.
    """
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
        if record["evaluate"].get("action") != "evaluate":
            action = shown(record["evaluate"].get("action"))
            yield f"{cell.id}: action is {action}, derived as 'evaluate'"
        yield from _processors(grid, cell, record)
        yield from _sources(grid, cell, record)
        if record["train"]:
            yield from _trained(grid, cell, record["train"])
            layouts = [asdict(one.world.layout(cell.model)) for one in stored.alike(grid, cell)]
            found = [[*_layout(cell.id, record["train"], derived)] for derived in layouts]
            yield from min(found, key=len)
    yield from check_same_fields(
        ((cell.id, stored.records[cell.id]) for _, cell in stored.scored()), notes
    )
    yield from check_checkpoints(stored)
    yield from check_times(stored, notes)
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
    spent, lasted = train.get("training_seconds"), train.get("seconds")
    if spent is not None and lasted is not None and spent > lasted and not train.get("resumed"):
        yield f"{cell.id}: {spent} seconds of training, in a job of {lasted} seconds"


def _layout(cell: str, train: Json, derived: Json) -> Iterator[str]:
    """Yield parts of a layout that are not those of the cell's model."""
    layout = train.get("layout") or {}
    for name in sorted({*layout} - {*derived}):
        yield f"{cell}: layout.{name}: no part of a layout"
    for name, value in derived.items():
        held = layout.get(name)
        if name not in layout:
            yield f"{cell}: layout.{name}: missing"
        elif name == "micro_batch" and train.get("micro_batch_halved") is True:  # memory was short
            if type(held) is not int or not 1 <= held < (value or held + 1):
                yield f"{cell}: layout.{name} is {shown(held)}, no part of {shown(value)}"
        elif isinstance(held, bool) is not isinstance(value, bool) or held != value:
            yield f"{cell}: layout.{name} is {shown(held)}, derived as {shown(value)}"


def _sources(grid: Grid, cell: Cell, record: Json) -> Iterator[str]:
    """Yield sources of plug-ins that the method, or the config, does not have."""
    own = source_of(grid.arms[cell.arm].method)
    for part, manifest in record.items():
        if "plugin" in manifest and manifest["plugin"] != own:
            held = shown(manifest["plugin"])
            yield f"{cell.id}: {part}.plugin is {held}, derived as {shown(own)}"
    if grid.config.plugins:
        return
    for source in record["train"].get("plugins_loaded", []):  # else installed packages name them
        if not str(source.get("origin")).startswith("entry point "):
            yield f"{cell.id}: train.plugins_loaded has {shown(source)}, but the config no plug-ins"


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


def _rows(stored: Stored) -> Iterator[str]:
    """Yield cells that should have been trained on the same rows and were not.

    Hashes of ids are the same in all distributions of the same questions. Those of two draws are
    not, unless they are of so few rows that chance can give the same.
    """
    groups: dict[tuple[object, ...], tuple[str, object]] = {}
    draws: dict[tuple[object, ...], tuple[str, int | None]] = {}
    for grid, cell in stored.scored():
        train = stored.records[cell.id]["train"]
        if not train or cell.distribution is None:
            continue
        sharing = tuple(grid.specs.sharing_questions(cell.distribution))
        for name in ("rows_hash", "row_ids_hash"):
            held = train.get(name)
            if held is None:
                continue
            by_content = CONTENT in str(held)  # else of ids: earlier versions had no other
            scope: object = cell.distribution if by_content else sharing
            draw = grid.specs.row_draw(cell)
            key = (by_content, grid.family(cell.model), scope, cell.size, draw)
            first, other = groups.setdefault(key, (cell.id, held))
            if other != held:
                yield (
                    f"{cell.id}: {name} is {shown(held)}, of {first} {shown(other)}, though both "
                    "trained on the same rows"
                )
            same = (held, grid.family(cell.model), scope)
            first, of = draws.setdefault(same, (cell.id, draw))
            if of != draw and (cell.size or 0) >= FEW_ROWS:
                yield f"{cell.id}: {name} is that of {first}, though its seed draws other rows"
