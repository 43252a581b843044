"""What a job reads is compared with what the jobs that made it recorded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json, sha256_file, write_json
from reassess.data.disjoint import require_rows_disjoint
from reassess.data.pool import content_hashes
from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.training.checkpoints import CheckedCheckpoint, check, check_processor
from reassess.worlds.base import world_of

if TYPE_CHECKING:
    from reassess.training.run import TrainingRun

SPLITS = "splits"  # in the pool's report: the hash of each split's content
FILE = "file_hash"  # in the note beside prepared rows: the hash of their file
MADE_FROM = "made_from"  # in the same note: hashes of the tables that they were made from

# --- checkpoints -----------------------------------------------------------------------------


def check_base(grid: Grid, base: str) -> CheckedCheckpoint:
    """Compare a base checkpoint with its manifest, by its name: that of its model, or MODEL@K."""
    return check(grid.paths.base(base), grid.paths.base_manifest(base), f"base of {base}")


def check_base_processor(grid: Grid, model: str) -> None:
    """Compare the small files of a model's base checkpoint with its manifest."""
    paths = grid.paths
    check_processor(paths.base(model), paths.base_manifest(model), f"base of {model}")


def check_trained(grid: Grid, cell: Cell) -> CheckedCheckpoint:
    """Compare the checkpoint of a trained cell with its manifest."""
    paths = grid.paths
    return check(paths.checkpoint(cell.id), paths.train_manifest(cell.id), f"cell {cell.id}")


def check_scored(grid: Grid, cell: Cell) -> CheckedCheckpoint:
    """Compare the checkpoint that a cell is scored with with its manifest."""
    if grid.kind(cell) == "none":
        return check_base(grid, grid.base(cell))
    return check_trained(grid, cell)


def check_start(grid: Grid, cell: Cell) -> CheckedCheckpoint:
    """Compare the checkpoint that a cell's training starts from with its manifest."""
    start = grid.start(cell)
    return check_base(grid, grid.base(cell)) if start is None else check_trained(grid, start)


def check_teacher(grid: Grid, family: str, distribution: str) -> CheckedCheckpoint:
    """Compare the checkpoint that traces are sampled from with its manifest.

    It is the family's own teacher, or the base of a model.
    """
    folder = world_of(grid).teacher_dir(grid, family, distribution)
    if folder == grid.paths.teacher(family):
        return check(folder, grid.paths.teacher_manifest(family), f"teacher of {family}")
    return check_base(grid, grid.world.teacher_model(family, distribution))


# --- data ------------------------------------------------------------------------------------


def record_pool(grid: Grid) -> None:
    """Add the hash of each split's content to the pool's report."""
    hashes = {
        split: content_hashes(grid.paths.pool(split))["content_hash"] for split in grid.splits
    }
    report = grid.paths.disjointness
    write_json(report, {**read_json(report), SPLITS: hashes})


def check_pool(grid: Grid, split: str) -> str:
    """Compare a split with the pool's report; return the hash of its content.

    Raises:
        ReassessError: it differs; names the file and what to do.
    """
    report, path = grid.paths.disjointness, grid.paths.pool(split)
    stated = read_json(report).get(SPLITS, {}) if report.is_file() else {}
    return _compared(path, report, stated.get(split), "build_pool")


def check_splits(grid: Grid, inputs: Sequence[Path]) -> None:
    """Compare the splits among a job's inputs with the pool's report."""
    for split in grid.splits:
        if grid.paths.pool(split) in inputs:
            check_pool(grid, split)


def note_beside(prepared: Path) -> Path:
    """The note on prepared rows: what they were made from."""
    return prepared.with_suffix(".json")


def check_tables(grid: Grid, family: str, distribution: str) -> dict[str, str]:
    """Compare pool, rows and traces with their reports; return the hashes of their contents.

    Traces are left out where they are missing: training does not read them, and whoever needs the
    space may have removed them.
    """
    paths = grid.paths
    found = {
        "pool": check_pool(grid, grid.world.train_split(distribution)),
        "rows": check_table(paths.rows(family, distribution), "freeze_rows"),
    }
    if (traces := paths.traces(family, distribution)).is_file():
        found["traces"] = check_table(traces, "gather_traces")
    return found


def record_prepared(prepared: Path, made_from: Mapping[str, str]) -> None:
    """Write the note beside prepared rows: what `check_tables` returned, and their file's hash."""
    write_json(note_beside(prepared), {FILE: sha256_file(prepared), MADE_FROM: dict(made_from)})


def check_table(path: Path, job: str) -> str:
    """Compare a table with the report beside it; return the hash of its content.

    Args:
        path: traces or rows.
        job: what makes the table.

    Raises:
        ReassessError: it differs; names the file and what to do.
    """
    report = path.with_suffix(".json")
    content: Json = read_json(report) if report.is_file() else {}
    return _compared(path, report, content.get("content_hash"), job)


def check_prepared(grid: Grid, family: str, distribution: str, found: Mapping[str, str]) -> None:
    """Compare prepared rows with the note beside them.

    Args:
        grid: the grid.
        family: of models.
        distribution: of traces.
        found: what `check_tables` returned.

    Raises:
        ReassessError: the rows changed, or were made from other tables; names the file.
    """
    prepared = grid.paths.preprocessed(family, distribution)
    note = note_beside(prepared)
    if not note.is_file():
        _unstated(prepared, note)
        return
    stated = read_json(note)
    if sha256_file(prepared) != stated[FILE]:
        raise _changed(prepared, note, "prepare_rows")
    for name, digest in found.items():
        if digest != stated[MADE_FROM].get(name):
            raise ReassessError(
                f"{prepared} was made from other {name} than the present ones of {family}, "
                f"{distribution}; delete it and run the grid again (prepare_rows makes it again)"
            )


def check_training_inputs(grid: Grid, cell: Cell, run: TrainingRun) -> None:
    """Check all that a cell's training reads, before the method has a say.

    Only the process that launches a job calls this. It reads benchmark files, so it comes before
    they are hidden.

    Raises:
        ReassessError: start or template are not what their manifests state; pool, rows or prepared
            rows are not what their jobs recorded; or a row is a benchmark's or the probe's.
    """
    family, distribution = grid.family(cell.model), str(cell.distribution)
    run.checked_start = check_start(grid, cell)
    check_base_processor(grid, grid.teacher_model(family))
    split = grid.world.train_split(distribution)
    check_prepared(grid, family, distribution, check_tables(grid, family, distribution))
    check_pool(grid, "probe")
    tests = {name: grid.paths.pool(name) for name in grid.benchmarks}
    for note in require_rows_disjoint(
        run.row_ids,
        grid.paths.pool(split),
        tests,
        grid.paths.pool("probe"),
        own_questions=split != "train",
    ):
        print(f"note: cell {cell.id}: {note}", file=sys.stderr)


def _compared(path: Path, report: Path, stated: str | None, job: str) -> str:
    found = content_hashes(path)["content_hash"]
    if stated is None:
        _unstated(path, report)
    elif found != stated:
        raise _changed(path, report, job)
    return found


def _changed(path: Path, report: Path, job: str) -> ReassessError:
    return ReassessError(
        f"{path} is not what {report} states: it was edited or damaged since; delete both and run "
        f"the grid again ({job} makes them again)"
    )


def _unstated(path: Path, report: Path) -> None:
    print(
        f"note: {report} is missing or of an earlier version and states no hash of {path}, which "
        "is taken as it is",
        file=sys.stderr,
    )
