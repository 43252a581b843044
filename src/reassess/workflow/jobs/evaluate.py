"""Scoring a cell's checkpoint on every benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, sha256_file, sha256_text, write_json, write_parquet
from reassess.core.manifest import Manifest
from reassess.core.seeds import derive_seed
from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.methods import source_of
from reassess.training.loading import load_processor, quiet
from reassess.workflow.jobs.inputs import check_pool, check_scored
from reassess.workflow.jobs.job import CellJob, CellKey
from reassess.workflow.resources import Resources, estimated
from reassess.worlds.base import world_of


class Evaluate(CellJob):
    """All benchmarks of a cell in one process."""

    name = "evaluate"
    follows = ("train",)
    imports = ("reassess.evaluation.runner",)

    def needed(self) -> Iterator[CellKey]:
        """Every cell of every study."""
        return map(CellKey, self.grid.cells)

    def inputs(self, key: CellKey) -> Sequence[Path]:
        """The checkpoint, its manifest, the benchmarks."""
        cell, paths = self.cell(key), self.grid.paths
        trained = self.grid.kind(cell) != "none"
        return [
            self.grid.checkpoint(cell),
            *([paths.train_manifest(cell.id)] if trained else []),
            *(paths.pool(name) for name in self.grid.benchmarks),
        ]

    def outputs(self, key: CellKey) -> Sequence[Path]:
        """Scores and predictions."""
        return (self.grid.paths.scores(key.cell), self.grid.paths.predictions(key.cell))

    def spec_hash(self, key: CellKey) -> str:
        """Everything that can change the scores."""
        return self.grid.specs.evaluation_hash(self.cell(key))

    def resources(self, key: CellKey) -> Resources:
        """By the estimate, and at least a quarter of an hour."""
        return estimated(self.grid, self.cost(key), 15)

    def cost(self, key: CellKey) -> Estimate:
        """As the world estimates it."""
        return world_of(self.grid).evaluation_cost(self.grid, self.cell(key))

    def measured(self) -> list[tuple[float, float]]:
        """By the manifests in the scores."""
        finished = []
        for key in self.needed():
            if (path := self.grid.paths.scores(key.cell)).is_file():
                seconds = read_json(path)["manifest"]["seconds"]
                processes = self.grid.world.engine_layout(self.cell(key).model).processes
                finished.append((self.cost(key).gpu_hours, seconds * processes))
        return finished

    def run_cell(self, cell: Cell) -> None:
        """Write predictions and, last, the scores.

        The processor that the model was trained with must be the one it is evaluated with: one
        image pipeline for both.

        Raises:
            ReassessError: the checkpoint is not what its manifest states, or changed while it was
                scored; it has another chat template than its training had; or a benchmark's split
                is not the one that was built.
        """
        quiet()  # before the libraries below are imported
        from reassess.evaluation.runner import evaluate_checkpoint

        grid, spec_hash = self.grid, self.grid.specs.evaluation_hash(cell)
        manifest = Manifest("evaluate", grid.specs.evaluation(cell), spec_hash)
        manifest.price_at(grid.config.rates)
        checkpoint, checked = grid.checkpoint(cell), check_scored(grid, cell)
        for name in grid.benchmarks:
            check_pool(grid, name)
        template_hash = sha256_text(str(load_processor(checkpoint).chat_template))
        if grid.kind(cell) != "none":
            trained = read_json(grid.paths.train_manifest(cell.id))
            if trained["template_hash"] != template_hash:
                raise ReassessError(
                    f"{checkpoint}: its chat template is not the one that cell {cell.id} was "
                    "trained with"
                )
        predictions, scores = evaluate_checkpoint(
            checkpoint,
            grid.paths.pool("train").parent,
            grid.world,
            grid.benchmarks,
            grid.arms[cell.arm].build(),
            grid.world.engine_layout(cell.model),
            grid.config.evaluation,
            seed=derive_seed("evaluate", cell.seed),
        )
        checked.require_unchanged()
        write_parquet(grid.paths.predictions(cell.id), predictions)
        manifest.add(
            template_hash=template_hash,
            weights_hash=checked.hashes["weights_hash"],
            checkpoint_hash=checked.hashes["checkpoint_hash"],
            predictions_hash=sha256_file(grid.paths.predictions(cell.id)),
        )
        if (plugin := source_of(grid.arms[cell.arm].method)) is not None:
            manifest.add(plugin=plugin)
        content = {
            "cell": cell.id,
            "spec_hash": spec_hash,
            "train_hash": grid.specs.train_hash(cell),
            "benchmarks": scores,
            "manifest": manifest.close(),
        }
        write_json(grid.paths.scores(cell.id), content)
