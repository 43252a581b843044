"""Where a grid's files are: one method for each, so that no path is spelled twice.

Every name may also be one of Snakemake's wildcards, such as `"{cell}"`: the rules take their paths
from here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The files of one grid.

    Attributes:
        results: `results/<grid>`: small files, worth keeping.
        scratch: `<scratch>/<grid>`: weights, trainer checkpoints, logs.
    """

    results: Path
    scratch: Path

    # --- data and models ---------------------------------------------------------------------

    def pool(self, split: str) -> Path:
        """A split of the pool."""
        return self.results / "pool" / f"{split}.parquet"

    @property
    def disjointness(self) -> Path:
        """The report on what training and test items share."""
        return self.results / "pool" / "disjointness.json"

    def receipt(self, kind: str, organisation: str, name: str) -> Path:
        """The note that a public repository has been fetched."""
        return self.scratch / "fetched" / kind / f"{organisation}--{name}.json"

    @property
    def tokenizer(self) -> Path:
        """The folder of the micro world's tokenizer."""
        return self.scratch / "tokenizer"

    def base(self, base: str) -> Path:
        """The folder of a base checkpoint; a model's first base has the model's name."""
        return self.scratch / "models" / base / "base"

    def base_manifest(self, base: str) -> Path:
        """The manifest of a base checkpoint."""
        return self.results / "models" / base / "base.json"

    def teacher(self, family: str) -> Path:
        """The folder of a family's teacher, where the world trains one."""
        return self.scratch / "models" / family / "teacher"

    def teacher_manifest(self, family: str) -> Path:
        """The manifest of a teacher."""
        return self.results / "models" / family / "teacher.json"

    def shard(self, family: str, distribution: str, shard: int | str) -> Path:
        """One shard of a family's sampled traces; its report has the same name with `.json`."""
        return self.scratch / "traces" / family / distribution / f"{shard}.parquet"

    def traces(self, family: str, distribution: str) -> Path:
        """A family's traces; their report has the same name with `.json`."""
        return self.results / "traces" / family / f"{distribution}.parquet"

    def rows(self, family: str, distribution: str) -> Path:
        """The rows that a family trains on; their summary has the same name with `.json`."""
        return self.results / "rows" / family / f"{distribution}.parquet"

    def preprocessed(self, family: str, distribution: str) -> Path:
        """Tokenised rows and their pixel values."""
        return self.scratch / "prepared" / family / f"{distribution}.safetensors"

    # --- cells, by their ids -----------------------------------------------------------------

    def cell(self, cell: str) -> Path:
        """The folder of a cell's results."""
        return self.results / "cells" / cell

    def train_manifest(self, cell: str) -> Path:
        """What training wrote last."""
        return self.cell(cell) / "train.json"

    def history(self, cell: str) -> Path:
        """The curves of a training run."""
        return self.cell(cell) / "history.parquet"

    def scores(self, cell: str) -> Path:
        """What evaluation wrote last."""
        return self.cell(cell) / "scores.json"

    def predictions(self, cell: str) -> Path:
        """One row for each item of each benchmark."""
        return self.cell(cell) / "predictions.parquet"

    def judged_scores(self, cell: str) -> Path:
        """What the judge model wrote last."""
        return self.cell(cell) / "judged.json"

    def judged(self, cell: str) -> Path:
        """The judge model's replies."""
        return self.cell(cell) / "judged.parquet"

    def failure(self, cell: str) -> Path:
        """The record of a cell's last failure; absent if there is none."""
        return self.cell(cell) / "failed.json"

    def checkpoint(self, cell: str) -> Path:
        """The folder of a trained cell's checkpoint."""
        return self.scratch / "checkpoints" / cell

    def work(self, cell: str) -> Path:
        """The folder of a cell's trainer checkpoints, which outlive a killed job."""
        return self.scratch / "trainer" / cell

    def lock(self, cell: str) -> Path:
        """The file that a cell's training job holds locked."""
        return Path(f"{self.scratch / 'locks' / cell}.lock")

    # --- the bundle and what is drawn from it ------------------------------------------------

    @property
    def bundle(self) -> Path:
        """The folder of the bundle."""
        return self.results / "bundle"

    def figure(self, name: str, kind: str) -> Path:
        """A figure in a file format."""
        return self.results / "figures" / f"{name}.{kind}"

    def table(self, name: str, kind: str) -> Path:
        """A table in a file format."""
        return self.results / "tables" / f"{name}.{kind}"

    @property
    def claims(self) -> Path:
        """The verdicts on the claims."""
        return self.results / "claims.json"

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.results / "report.html"

    # --- records of jobs ---------------------------------------------------------------------

    @property
    def records(self) -> Path:
        """The folder of all records of jobs."""
        return self.results / "records"

    def record(self, job: str, *key: str) -> Path:
        """What a job was made from, and what it made."""
        return Path(f"{self.records.joinpath(job, *(key or ('all',)))}.json")

    def log(self, job: str, *key: str) -> Path:
        """The log of a job."""
        return Path(f"{self.scratch.joinpath('logs', job, *key)}.log")

    def benchmark(self, job: str, *key: str) -> Path:
        """Snakemake's record of a job's time and memory."""
        return Path(f"{self.scratch.joinpath('benchmarks', job, *key)}.tsv")
