"""Freezing the rows that every arm of a family trains on, and their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import read_parquet, sha256_text, write_json, write_parquet
from reassess.data.pool import content_hashes
from reassess.workflow.jobs.inputs import check_pool, check_table
from reassess.workflow.jobs.job import Job, TracesKey
from reassess.workflow.jobs.traces import families_and_distributions
from reassess.workflow.resources import Resources, for_data


class FreezeRows(Job[TracesKey]):
    """The rows of a split, in order, that have a trace in every distribution of that split.

    So every method, and every distribution that can, trains on the same questions. Rows are frozen
    by family, so that adding a family changes nobody else's data.
    """

    name = "freeze_rows"
    key = TracesKey

    def needed(self) -> Iterator[TracesKey]:
        """Every family with every distribution."""
        return families_and_distributions(self.grid)

    def inputs(self, key: TracesKey) -> Sequence[Path]:
        """The traces of all distributions with the same questions, and the pool."""
        return [*self._traces(key), self._pool(key)]

    def outputs(self, key: TracesKey) -> Sequence[Path]:
        """The rows and a summary."""
        path = self.grid.paths.rows(key.family, key.distribution)
        return (path, path.with_suffix(".json"))

    def spec_hash(self, key: TracesKey) -> str:
        """What decides which rows are kept."""
        return self.grid.specs.rows_hash(key.family, key.distribution)

    def resources(self, key: TracesKey) -> Resources:
        """The ids of the pool are held in memory."""
        return for_data(self.grid)

    def run(self, key: TracesKey) -> None:
        """Write the rows.

        Raises:
            ReassessError: no row is left, or traces or pool are not those that were made.
        """
        for traces in self._traces(key):
            check_table(traces, "gather_traces")
        check_pool(self.grid, self.grid.world.train_split(key.distribution))
        kept = [set(read_parquet(path, ["id"])["id"]) for path in self._traces(key)]
        pool = read_parquet(self._pool(key), ["id"])
        frozen = pool[pool["id"].isin(set.intersection(*kept))].reset_index(drop=True)
        if frozen.empty:
            sharing = ", ".join(self.grid.specs.sharing_questions(key.distribution))
            raise ReassessError(
                "no row of the pool has a trace in every distribution of family "
                f"{key.family!r} ({sharing})"
            )
        path = self.grid.paths.rows(key.family, key.distribution)
        write_parquet(path, frozen)
        summary = {
            "rows": len(frozen),
            "pool_rows": len(pool),
            "row_ids_hash": sha256_text("\n".join(frozen["id"])),
            "content_hash": content_hashes(path)["content_hash"],
            "spec_hash": self.spec_hash(key),
        }
        write_json(path.with_suffix(".json"), summary)

    def _traces(self, key: TracesKey) -> list[Path]:
        sharing = self.grid.specs.sharing_questions(key.distribution)
        return [self.grid.paths.traces(key.family, name) for name in sharing]

    def _pool(self, key: TracesKey) -> Path:
        return self.grid.paths.pool(self.grid.world.train_split(key.distribution))
