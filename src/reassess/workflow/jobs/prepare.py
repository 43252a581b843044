"""Tokenising rows and preprocessing images, once for all arms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.core.files import read_parquet
from reassess.data.traces import read_traces
from reassess.training.loading import load_processor
from reassess.workflow.jobs.inputs import (
    check_base_processor,
    check_tables,
    record_prepared,
)
from reassess.workflow.jobs.job import Job, TracesKey
from reassess.workflow.jobs.traces import families_and_distributions, training_items
from reassess.workflow.resources import Resources, for_data


class PrepareRows(Job[TracesKey]):
    """The frozen rows of a family with the traces of a distribution."""

    name = "prepare_rows"
    key = TracesKey
    imports = ("reassess.training.preprocessed",)

    def needed(self) -> Iterator[TracesKey]:
        """Every family with every distribution."""
        return families_and_distributions(self.grid)

    def inputs(self, key: TracesKey) -> Sequence[Path]:
        """Pool, rows, traces, and the checkpoint whose processor is used."""
        paths = self.grid.paths
        return (
            paths.pool(self.grid.world.train_split(key.distribution)),
            paths.rows(key.family, key.distribution),
            paths.traces(key.family, key.distribution),
            paths.base(self.grid.teacher_model(key.family)),
        )

    def outputs(self, key: TracesKey) -> Sequence[Path]:
        """Token ids and pixel values."""
        return (self.grid.paths.preprocessed(key.family, key.distribution),)

    def spec_hash(self, key: TracesKey) -> str:
        """What decides the traces."""
        return self.grid.specs.traces_hash(key.family, key.distribution)

    def resources(self, key: TracesKey) -> Resources:
        """The rows are held in memory."""
        return for_data(self.grid)

    def run(self, key: TracesKey) -> None:
        """Preprocess every row.

        Raises:
            ReassessError: an input is not what was made; names it.
        """
        from reassess.training.preprocessed import preprocess

        grid, paths = self.grid, self.grid.paths
        made_from = check_tables(grid, key.family, key.distribution)
        check_base_processor(grid, grid.teacher_model(key.family))
        items = {item.id: item for item in training_items(grid, key.distribution)}
        traces = read_traces(paths.traces(key.family, key.distribution))
        frozen = read_parquet(paths.rows(key.family, key.distribution))["id"].tolist()
        rows = preprocess(
            [items[row] for row in frozen],
            [traces[row] for row in frozen],
            load_processor(paths.base(grid.teacher_model(key.family))),
            grid.world.prompt,
            keep_pixels=grid.world.keep_pixels,
        )
        prepared = paths.preprocessed(key.family, key.distribution)
        rows.save(prepared)
        record_prepared(prepared, made_from)
