"""Snakemake's notes on incomplete files: removed for cells whose files are complete."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from reassess.core.files import read_json
from reassess.grid.study import Grid
from reassess.workflow.jobs.evaluate import Evaluate
from reassess.workflow.jobs.train import Train

NOTES = Path(".snakemake/incomplete")


def forget_interruption(grid: Grid, notes: Path = NOTES) -> None:
    """Remove the notes that a cell's files may be incomplete, where they are complete.

    A Snakemake that was killed leaves such notes. Jobs on a cluster outlive it and finish their
    cells; the next Snakemake would delete their files and make them again. A manifest or scores of
    this very spec, which are written last and at once, show that everything is there.
    """
    if not notes.is_dir():
        return
    for job in (Train(grid), Evaluate(grid)):
        for key in job.needed():
            last, *others = [*job.outputs(key), *job.folders(key)]
            written = [note for path in (last, *others) if (note := note_of(notes, path)).is_file()]
            complete = written and all(path.exists() for path in (last, *others))
            if complete and read_json(last).get("spec_hash") == job.spec_hash(key):
                for note in written:
                    note.unlink(missing_ok=True)


def note_of(notes: Path, path: Path) -> Path:
    """Where Snakemake keeps its note on a file.

    The file's name in base 64, cut into pieces that a file name can hold.
    """
    longest = os.pathconf(notes, "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, last = [name[start : start + longest] for start in range(0, len(name), longest)]
    return notes.joinpath(*(f"@{folder}" for folder in folders), last)
