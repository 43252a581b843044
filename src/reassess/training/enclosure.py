"""Training in a view: a method sees the cell's own rows, its start and the probe, and writes to
the cell's folders; of all other files of any grid it sees nothing.

The cell's rows are copied out of the pool first, since a file can only be seen as a whole. Shipped
methods train in the job's own process, which enters the view. A plug-in's code runs when it is
imported, which is before the job knows its cell: the job starts itself again, in a process that has
the view from its first line on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from reassess.config.schema import Config
from reassess.core import lifetime
from reassess.core.errors import RESUME_ME, AlreadyRecorded, Interrupted, ReassessError
from reassess.core.files import read_json, read_parquet, write_parquet
from reassess.core.project import PACKAGE, ROOT
from reassess.core.view import REQUEST, View, audited, enter
from reassess.training.preemption import heeded
from reassess.training.preprocessed import PreprocessedRows
from reassess.training.run import TrainingFiles, TrainingRun

MODULE = "reassess.cli.enclosed"  # `reassess`, in the view that the environment names
COMMANDS = ("reassess.cli.entry", MODULE)
STAGED = "inputs"  # folder of the copied rows, in the work folder
WRITTEN = ("train.json", "history.parquet", "failed.json")  # in a cell's folder, by training


# --- what is seen --------------------------------------------------------------------------------


def grid_folders(config: Config) -> list[Path]:
    """The folders of all results and scratch files, and of benchmarks as they were downloaded.

    Where such a folder holds other things that a job needs, such as this code, only the grid's own
    part of it is listed.
    """
    folders = [ROOT / "results"]
    for root in (config.results, config.scratch):
        folders.append(root / config.grid if _holds_other_things(root) else root)
    return [*folders, *_downloaded(config)]


def _holds_other_things(folder: Path) -> bool:
    needed = (sys.prefix, sys.base_prefix, PACKAGE, Path.cwd(), Path.home(), tempfile.gettempdir())
    real = Path(os.path.realpath(folder))
    return any(Path(os.path.realpath(path)).is_relative_to(real) for path in needed)


def _downloaded(config: Config) -> list[Path]:
    """Data sets in the hub's cache, where a world has one."""
    if not hasattr(config.world, "cache"):
        return []
    from huggingface_hub import constants

    cache = config.world.cache or Path(constants.HF_HUB_CACHE)
    return sorted(cache.glob("datasets--*"))


def view_of(config: Config, files: TrainingFiles, also: Sequence[Path] = ()) -> View:
    """What a training job sees: its inputs, the folders that it writes to, and those in `also`."""
    written = (files.manifest.parent, files.work.parent, files.checkpoint.parent)
    for folder in written:
        folder.mkdir(parents=True, exist_ok=True)
    own = {files.work.name, files.checkpoint.name, f".{files.checkpoint.name}.partial"}
    covered = [path for path in files.manifest.parent.iterdir() if path.name not in WRITTEN]
    for folder in (files.work.parent, files.checkpoint.parent):  # those of other seeds
        covered += [path for path in folder.iterdir() if path.name not in own]
    return View.of(
        grid_folders(config), (files.start, files.template, files.probe, *written, *also), covered
    )


# --- the cell's own rows -------------------------------------------------------------------------


def stage(run: TrainingRun) -> None:
    """Copy the cell's rows out of the pool and let the run read them there."""
    whole, ids = run.files, run.row_ids
    files = staged(run)
    chosen = set(ids)
    rows = read_parquet(whole.rows).set_index("id").loc[ids].reset_index()
    write_parquet(files.rows, rows)
    pool = read_parquet(whole.pool)
    write_parquet(files.pool, pool[pool["id"].isin(chosen)])
    PreprocessedRows.load(whole.preprocessed).select(ids).save(files.preprocessed)
    run.files = files


def staged(run: TrainingRun) -> TrainingFiles:
    """The run's files, with the copies in place of what they were copied from."""
    folder = run.work / STAGED
    return replace(
        run.files,
        rows=folder / "rows.parquet",
        pool=folder / "pool.parquet",
        preprocessed=folder / "rows.safetensors",
    )


# --- entering ------------------------------------------------------------------------------------


def is_own_process() -> bool:
    """Whether this process is a `reassess` command, or a fork of one, and nothing else's."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name in COMMANDS:
        return True
    return Path(getattr(main, "__file__", None) or "").name == "reassess"


@contextmanager
def seen(view: View) -> Iterator[None]:
    """Have a view inside the context; for good, and by mounts, if the process is the job's own."""
    if is_own_process():
        enter(view)
        yield
        return
    with audited(view):
        yield


def run_again(run: TrainingRun, view: View, environment: Mapping[str, str]) -> None:
    """Run the job in a process that has the view from its start, and wait for it.

    Args:
        run: the job.
        view: what the process sees.
        environment: further variables of the process.

    Raises:
        Interrupted: a signal stopped it.
        ReassessError: it failed; says why.
    """
    failure = run.files.manifest.with_name("failed.json")
    failure.unlink(missing_ok=True)
    job = subprocess.Popen(
        [sys.executable, "-m", MODULE, *run.command],
        env={
            **os.environ,
            **environment,
            REQUEST: view.text(),
            lifetime.OWNER: lifetime.myself(),
        },
    )

    told: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        told.append(number)
        job.send_signal(number)

    with lifetime.handled(heeded(), pass_on):
        code = job.wait()
    if code == RESUME_ME or (told and code < 0):  # in the latter case before training began
        raise Interrupted(
            f"cell {run.cell} was stopped by a signal; run the same command again to resume"
        )
    if code and failure.is_file():
        raise AlreadyRecorded(str(read_json(failure)["error"]).removeprefix("ReassessError: "))
    if code:
        raise ReassessError(f"its process ended with exit code {code}")
