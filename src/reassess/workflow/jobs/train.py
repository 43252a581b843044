"""Training a cell by its method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.files import read_json
from reassess.core.locks import exclusive
from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.training.settings import TrainedSettings
from reassess.workflow.jobs.job import CellJob, CellKey
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
        """Train a cell; where another job has just finished it, take over its result."""
        from reassess.training import launch

        run = training_run(self.grid, cell)
        run.micro_batch = launch.micro_batch_of_worker()
        method = self.grid.arms[cell.arm].build()
        if launch.is_worker():  # the process that launched this one holds the lock
            launch.work(run, method)
            return
        with exclusive(self.grid.paths.lock(cell.id)):
            if run.is_finished():
                print(f"cell {cell.id} was finished by another job; its result is taken over")
                return
            launch.train(run, method)


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
        command=("job", Train.command(), "--cell", cell.id, "--config", str(grid.source)),
    )
