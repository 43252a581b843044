"""Making the bundle from the scores and histories of all cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from reassess.bundles.current import gap
from reassess.config.claims import hash_of_claims
from reassess.workflow.jobs.evaluate import Evaluate
from reassess.workflow.jobs.job import AnyJob, CellKey, Job, measured_hours, option
from reassess.workflow.jobs.judge import Judge
from reassess.workflow.jobs.shard import SampleShard
from reassess.workflow.jobs.train import Train
from reassess.workflow.records import Record
from reassess.workflow.resources import Resources
from reassess.worlds.base import world_of

BUNDLE_FILES = ("scores.parquet", "history.parquet", "manifests.parquet", "study.json")
ANSWERS = "predictions.parquet"


@dataclass(frozen=True)
class CollectKey:
    """Whether failed cells are left out and recorded."""

    partial: bool = option("go on without the cells that failed, and record them", default=False)


class Collect(Job[CollectKey]):
    """One bundle for a grid."""

    name = "collect"
    key = CollectKey
    group = "draw"
    follows = (Evaluate.name, Judge.name)

    def needed(self) -> Iterator[CollectKey]:
        """One."""
        yield CollectKey()

    def inputs(self, key: CollectKey) -> Sequence[Path]:
        """The scores of every cell, judged ones too; if partial, of those that will be collected.

        A cell whose training has failed since is none of them: its old scores would have it trained
        again.
        """
        evaluate, judge = Evaluate(self.grid), Judge(self.grid)
        jobs = (evaluate, judge) if self.grid.config.evaluation.judge else (evaluate,)
        return [
            job.outputs(CellKey(name))[0]
            for name, cell in self.grid.cells.items()
            if not key.partial or gap(self.grid, cell) is None
            for job in jobs
        ]

    def outputs(self, key: CollectKey) -> Sequence[Path]:
        """The tables of the bundle, and the answers."""
        return [self.grid.paths.bundle / name for name in (*BUNDLE_FILES, ANSWERS)]

    def spec_hash(self, key: CollectKey) -> str:
        """The claims, which the bundle holds, as long as the results of the cells are there.

        What has been removed is not made again for the sake of a changed claim.
        """
        claims = hash_of_claims(self.grid.claims)
        path = self.record(key)
        record = None if path is None else Record.read(path)
        before = "" if record is None else record.spec_hash
        kept = before == claims or all(path.exists() for path in self.inputs(key))
        return claims if kept else before

    def resources(self, key: CollectKey) -> Resources:
        """Measured: 35 bytes and 10 microseconds a score (20 bytes to draw them)."""
        scores = len(self.grid.cells) * world_of(self.grid).items_scored(self.grid)
        memory, minutes = 1000 + ceil(60 * scores / 2**20), 5 + ceil(60e-6 * scores / 60)
        return Resources(memory=memory, minutes=minutes)

    def run(self, key: CollectKey) -> None:
        """Write the bundle."""
        from reassess.bundles.collect import collect

        jobs: list[AnyJob] = [SampleShard(self.grid), Train(self.grid), Evaluate(self.grid)]
        collect(self.grid, measured_hours(jobs), key.partial)
