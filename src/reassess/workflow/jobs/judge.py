"""Letting the configured model judge a cell's stored answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, read_parquet, sha256_file, write_json, write_parquet
from reassess.core.manifest import Manifest
from reassess.data.pool import read_pool
from reassess.grid.cells import Cell
from reassess.training.loading import quiet
from reassess.workflow.jobs.evaluate import Evaluate
from reassess.workflow.jobs.inputs import check_base
from reassess.workflow.jobs.job import CellJob, CellKey
from reassess.workflow.resources import Resources, for_gpus


class Judge(CellJob):
    """A second score beside the rule-based one; off by default."""

    name = "judge"
    follows = (Evaluate.name,)

    def needed(self) -> Iterator[CellKey]:
        """Every cell, where the config names a judge."""
        return map(CellKey, self.grid.cells if self.grid.config.evaluation.judge else ())

    @property
    def model(self) -> str:
        """The model that judges."""
        return str(self.grid.config.evaluation.judge)

    def inputs(self, key: CellKey) -> Sequence[Path]:
        """The answers, the judge, the questions."""
        paths = self.grid.paths
        return [
            paths.predictions(self.cell(key).id),
            paths.base(self.model),
            *(paths.pool(name) for name in self.grid.benchmarks),
        ]

    def outputs(self, key: CellKey) -> Sequence[Path]:
        """Scores and replies."""
        return (self.grid.paths.judged_scores(key.cell), self.grid.paths.judged(key.cell))

    def spec_hash(self, key: CellKey) -> str:
        """What decides the answers."""
        return self.grid.specs.evaluation_hash(self.cell(key))

    def resources(self, key: CellKey) -> Resources:
        """The GPUs of the judge's engine, and the time of scoring the cell."""
        layout = self.grid.world.engine_layout(self.model)
        gpus = layout.processes if layout.device == "cuda" else 0
        return for_gpus(self.grid, gpus, Evaluate(self.grid).resources(key).minutes)

    def run_cell(self, cell: Cell) -> None:
        """Write the replies and, last, the judged scores.

        Raises:
            ReassessError: the judge is not what its manifest states, or the predictions are not
                those of the scores.
        """
        quiet()  # before the libraries below are imported
        from reassess.evaluation import judge
        from reassess.evaluation.engine import GREEDY, answer_by_engine

        grid, paths = self.grid, self.grid.paths
        spec_hash = grid.specs.evaluation_hash(cell)
        manifest = Manifest("judge", grid.specs.evaluation(cell), spec_hash)
        predictions_hash = self._predictions_hash(cell)
        checked = check_base(grid, self.model)
        predictions = read_parquet(paths.predictions(cell.id))
        items = {
            name: read_pool(paths.pool(name), grid.world.item_type) for name in grid.benchmarks
        }
        questions = judge.questions_of(items, grid.world.text_of)
        respond = answer_by_engine(
            paths.base(self.model),
            judge.JudgePrompts(),
            lambda question: question,
            grid.world.engine_layout(self.model),
            grid.config.evaluation.batch_size,
            judge.BUDGET,
        )
        replies = respond(judge.judge_questions(predictions, questions), GREEDY)
        checked.require_unchanged()
        judged = judge.with_replies(predictions, [reply.text for (reply,) in replies])
        write_parquet(paths.judged(cell.id), judged)
        manifest.add(
            judge_checkpoint_hash=checked.hashes["checkpoint_hash"],
            predictions_hash=predictions_hash,
            judged_hash=sha256_file(paths.judged(cell.id)),
        )
        content = {
            "cell": cell.id,
            "judge": self.model,
            "version": judge.VERSION,
            "prompt_hash": judge.prompt_hash(),
            "benchmarks": judge.judged_scores(judged),
            "manifest": manifest.close(),
        }
        write_json(paths.judged_scores(cell.id), content)

    def _predictions_hash(self, cell: Cell) -> str:
        """The hash of the cell's predictions, if they are those that its scores were made of.

        Raises:
            ReassessError: they are not; names the file.
        """
        path, scores = self.grid.paths.predictions(cell.id), self.grid.paths.scores(cell.id)
        found = sha256_file(path)
        stated = read_json(scores)["manifest"].get("predictions_hash") if scores.is_file() else None
        if stated is not None and found != stated:
            raise ReassessError(
                f"{path} is not the file that {scores} was made with; delete both and run the grid "
                "again (evaluate makes them again)"
            )
        return found
