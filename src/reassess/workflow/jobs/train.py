"""Training a cell by its method."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from reassess.config.claims import digests
from reassess.core import view
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json
from reassess.core.locks import exclusive
from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.methods import discover, source_of
from reassess.training.settings import TrainedSettings
from reassess.workflow.jobs.inputs import check_training_inputs
from reassess.workflow.jobs.job import RECORDING, CellJob, CellKey
from reassess.workflow.resources import Resources, estimated
from reassess.worlds.base import world_of

if TYPE_CHECKING:
    from reassess.training.run import TrainingRun


class Train(CellJob):
    """One job for each cell that trains, evaluated or only started from."""

    name = "train"
    imports = ("reassess.training.launch", "reassess.training.sft", "reassess.training.rl")

    def needed(self) -> Iterator[CellKey]:
        """Every cell that is trained."""
        return map(CellKey, self.grid.trained)

    def inputs(self, key: CellKey) -> Sequence[Path]:
        """The start, the rows, the pool and the probe."""
        cell, paths = self.cell(key), self.grid.paths
        family, distribution = self.grid.family(cell.model), str(cell.distribution)
        return (
            self.grid.start_checkpoint(cell),
            paths.rows(family, distribution),
            paths.preprocessed(family, distribution),
            paths.pool(self.grid.world.train_split(distribution)),
            paths.pool("probe"),
        )

    def outputs(self, key: CellKey) -> Sequence[Path]:
        """Manifest and history."""
        return (self.grid.paths.train_manifest(key.cell), self.grid.paths.history(key.cell))

    def folders(self, key: CellKey) -> Sequence[Path]:
        """The checkpoint."""
        return (self.grid.paths.checkpoint(key.cell),)

    def spec_hash(self, key: CellKey) -> str:
        """Everything that can change the weights."""
        return self.grid.specs.train_hash(self.cell(key))

    def resources(self, key: CellKey) -> Resources:
        """By the estimate, and at least half an hour."""
        return estimated(self.grid, self.cost(key), 30)

    def cost(self, key: CellKey) -> Estimate:
        """As the world estimates it."""
        return world_of(self.grid).training_cost(self.grid, self.cell(key))

    def measured(self) -> list[tuple[float, float]]:
        """By the manifests."""
        finished = []
        for key in self.needed():
            if (path := self.grid.paths.train_manifest(key.cell)).is_file():
                manifest = read_json(path)
                processes = manifest.get("layout", {}).get("processes", 1)  # early ones lack it
                finished.append((self.cost(key).gpu_hours, manifest["seconds"] * processes))
        return finished

    def run_cell(self, cell: Cell) -> None:
        """Train a cell; where another job has just finished it, take over its result.

        The method sees the cell's own rows, its start and the probe; see
        `reassess.training.enclosure`.
        """
        from reassess.training import enclosure, launch

        run = training_run(self.grid, cell)
        run.micro_batch = launch.micro_batch_of_worker()
        run.manifest.add(**self._sources(cell))
        run.manifest.price_at(self.grid.config.rates)
        method = self.grid.arms[cell.arm].build()
        if launch.is_worker() or view.is_inside():  # its launcher holds the lock
            run.files = enclosure.staged(run)
            run.manifest.add(claims=run.registered)
            (launch.work if launch.is_worker() else launch.train)(run, method)
            return
        with exclusive(self.grid.paths.lock(cell.id)):
            if run.is_finished():
                print(f"cell {cell.id} was finished by another job; its result is taken over")
                return
            check_training_inputs(self.grid, cell, run)
            enclosure.stage(run)
            run.manifest.add(claims=run.registered)
            record = self.record(CellKey(cell.id))
            kept = (record.parent,) if record is not None else ()
            sees = enclosure.view_of(self.grid.config, run.files, kept)
            with _writing_no_results(cell, run.files.manifest.parent, enclosure.WRITTEN):
                if self._may_know_more(cell):
                    enclosure.run_again(run, sees, {RECORDING: "1"})
                    return
                with enclosure.seen(sees):
                    launch.train(run, method)

    def _sources(self, cell: Cell) -> Json:
        """Of the cell's method if it is a plug-in, and of every other plug-in that is loaded."""
        methods = discover(self.grid.config.plugins).values()
        own = source_of(self.grid.arms[cell.arm].method)
        loaded = [source for method in methods if (source := source_of(method)) is not None]
        return ({"plugin": own} if own else {}) | ({"plugins_loaded": loaded} if loaded else {})

    def _may_know_more(self, cell: Cell) -> bool:
        """Whether foreign code has run before the view: at its import it could read anything.

        In a process that is not the job's own, that of a test for instance, only the cell's own
        method counts.
        """
        from reassess.training import enclosure

        sources = self._sources(cell)
        return bool("plugin" in sources or (sources and enclosure.is_own_process()))


@contextmanager
def _writing_no_results(cell: Cell, folder: Path, written: Collection[str]) -> Iterator[None]:
    """Check that training writes nothing else to its cell's folder, where scores belong later.

    Raises:
        ReassessError: it has; names the files. They are removed with all that training wrote.
    """
    before = _changed(folder)
    yield
    after = {path: time for path, time in _changed(folder).items() if path.name not in written}
    if others := sorted(path for path, time in after.items() if before.get(path) != time):
        for path in (*(folder / name for name in written), *others):
            if path.is_dir() and not path.is_symlink():
                rmtree(path)
            else:
                path.unlink(missing_ok=True)
        named = ", ".join(map(str, others))
        raise ReassessError(
            f"the method of cell {cell.id} wrote {named}, which is no part of training; removed"
        )


def _changed(folder: Path) -> dict[Path, int]:
    """When each entry of a folder was changed last, which a process cannot set as it likes.

    What a view covers is left out: it cannot be written, and has other times there.
    """
    entries = folder.iterdir() if folder.is_dir() else ()
    return {
        path: path.lstat().st_ctime_ns
        for path in entries
        if not (path.name.startswith(".") or os.path.ismount(path))
    }


def training_run(grid: Grid, cell: Cell) -> TrainingRun:
    """Return the training job of a cell; nothing is read yet."""
    from reassess.training.run import TrainingFiles, TrainingRun

    settings = grid.arms[cell.arm].settings
    assert isinstance(settings, TrainedSettings)  # a cell that trains nothing has no training job
    family, distribution, paths = grid.family(cell.model), str(cell.distribution), grid.paths
    files = TrainingFiles(
        start=grid.start_checkpoint(cell),
        template=paths.base(grid.teacher_model(family)),
        rows=paths.rows(family, distribution),
        preprocessed=paths.preprocessed(family, distribution),
        pool=paths.pool(grid.world.train_split(distribution)),
        probe=paths.pool("probe"),
        work=paths.work(cell.id),
        checkpoint=paths.checkpoint(cell.id),
        history=paths.history(cell.id),
        manifest=paths.train_manifest(cell.id),
    )
    return TrainingRun(
        cell=cell.id,
        kind=grid.kind(cell),
        size=cell.size or 0,
        distribution=distribution,
        seed=cell.seed,
        settings=settings,
        files=files,
        prompts=grid.world,
        spec=grid.specs.train(cell),
        spec_hash=grid.specs.train_hash(cell),
        base_layout=grid.world.layout(cell.model),
        max_new_tokens=grid.config.evaluation.max_new_tokens,
        row_draw=grid.specs.row_draw(cell),
        claims=digests(grid.claims),
        command=("job", Train.command(), "--cell", cell.id, "--config", str(grid.source)),
    )
