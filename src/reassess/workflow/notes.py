"""Snakemake's notes on incomplete files: removed for cells whose files are complete."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from reassess.core.files import read_json
from reassess.grid.study import Grid
from reassess.workflow.jobs.evaluate import Evaluate
from reassess.workflow.jobs.train import Train


def forget_interruption(grid: Grid, records: Path = Path(".snakemake/incomplete")) -> None:
    """Take back Snakemake's notes that a cell's files may be incomplete, where they are whole.

    A Snakemake that was killed leaves such notes; jobs on a cluster outlive it and finish their cells. Called again it would delete
    and make them anew. Manifest and scores are written last and at once, so a file of this spec says that all is there.
    """
    if not records.is_dir():
        return
    jobs = (Train(grid), Evaluate(grid))
    for job in jobs:
        for key in job.needed():
            last, *others = [*job.outputs(key), *job.folders(key)]
            notes = [note for path in (last, *others) if (note := record(records, path)).is_file()]
            complete = notes and all(path.exists() for path in (last, *others))
            if complete and read_json(last).get("spec_hash") == job.spec_hash(key):
                for note in notes:
                    note.unlink(missing_ok=True)


def record(records: Path, path: Path) -> Path:
    """Return where Snakemake notes something of a file: its name in base 64, cut into pieces that a file name can hold."""
    longest = os.pathconf(records, "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, last = [name[start : start + longest] for start in range(0, len(name), longest)]
    return records.joinpath(*(f"@{folder}" for folder in folders), last)
