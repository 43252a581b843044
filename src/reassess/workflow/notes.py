"""Snakemake's notes on incomplete files: removed for jobs that are finished."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from reassess.grid.study import Grid
from reassess.workflow.planning import finished

NOTES = Path(".snakemake/incomplete")


def forget_interruption(grid: Grid, notes: Path = NOTES) -> None:
    """Remove the notes that a job's files may be incomplete, where the job is finished.

    A Snakemake that was killed leaves such notes. Jobs on a cluster outlive it and come to their
    end; the next Snakemake would delete their files and make them again. Their records, written
    last and at once, show that everything is there.
    """
    if not notes.is_dir() or not any(notes.iterdir()):
        return
    for task in finished(grid):
        for path in task.products:
            note_of(notes, path).unlink(missing_ok=True)


def note_of(notes: Path, path: Path) -> Path:
    """Where Snakemake keeps its note on a file.

    The file's name in base 64, cut into pieces that a file name can hold.
    """
    longest = os.pathconf(notes, "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, last = [name[start : start + longest] for start in range(0, len(name), longest)]
    return notes.joinpath(*(f"@{folder}" for folder in folders), last)
