"""`reassess run`: the whole grid, its figures and its report, with one Snakemake beside one warm server."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reassess.errors import ReassessError
from reassess.grid import Grid
from reassess.manifest import ROOT
from reassess.server import VARIABLE
from reassess.state import state_of

PROFILE = Path("workflow/profiles/default")


def run(config: Path, targets: Sequence[str] = (), cores: int | None = None) -> int:
    """Make the targets (default: everything and the report); return the exit code.

    A cell that fails does not stop the others: the rest is drawn without it and the report names it.

    Raises:
        ReassessError: the config is wrong, or another run of this grid is under way.
    """
    grid = Grid.load(config)
    # The rules call `reassess` by name: find the one of this environment, activated or not.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # Snakemake's Slurm executor asks Slurm at every start, needed or not, and waits ten seconds for a controller that is not there.
    os.environ.setdefault("SLURM_CONF", os.devnull)
    with _only_run(grid):
        _remove_stale_lock()
        if targets:
            with warm_server():
                return subprocess.run(_command(grid, cores, targets)).returncode
        return _everything(grid, cores)


def _everything(grid: Grid, cores: int | None) -> int:
    if _up_to_date(grid):
        print("everything is up to date")
        code = 0
    else:
        with warm_server():
            code = subprocess.run(_command(grid, cores, ["all"])).returncode
            if code:
                # Failed cells are data: draw what there is, and say what is missing.
                print("some jobs failed; drawing the rest without them", flush=True)
                subprocess.run(_command(grid, cores, ["all"], "partial=1"))
    _report(grid)
    _say_where(grid)
    return code


def _command(grid: Grid, cores: int | None, targets: Sequence[str], *settings: str) -> list[str]:
    """Return Snakemake's command line with the project's progress display."""
    return [*_snakemake(), "--logger", "reassess", *_cores(cores), "--config", f"config={grid.source}", *settings, "--", *targets]


def _plain(grid: Grid, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on everything with some options and return what it says."""
    command = [*_snakemake(), *options, "--config", f"config={grid.source}", "--", "all"]
    return subprocess.run(command, capture_output=True, text=True)


def _snakemake() -> list[str]:
    return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--profile", str(ROOT / PROFILE)]


def _cores(cores: int | None) -> list[str]:
    return ["--cores", str(cores)] if cores else []


def _up_to_date(grid: Grid) -> bool:
    done = _plain(grid, "--dry-run")
    return done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def _report(grid: Grid) -> None:
    report = grid.results / "report.html"
    drawn = [path for folder in ("figures", "tables") for path in (grid.results / folder).glob("*")]
    if not drawn or (report.is_file() and report.stat().st_mtime >= max(path.stat().st_mtime for path in drawn)):
        return
    done = _plain(grid, "--report", str(report))
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        print(f"the report could not be written; figures and tables are in {grid.results}", file=sys.stderr)


def _say_where(grid: Grid) -> None:
    unfinished = [cell for cell in grid.cells.values() if state_of(grid, cell) != "done"]
    print(f"\ncells    {len(grid.cells) - len(unfinished)} of {len(grid.cells)} done")
    for cell in unfinished:
        print(f"  {state_of(grid, cell)}: {cell.id} (log: {grid.log_file('train', cell.id)})")
    for name, path in (("figures", "figures"), ("tables", "tables"), ("claims", "claims.html"), ("report", "report.html")):
        print(f"{name:8} {grid.results / path}")


@contextmanager
def _only_run(grid: Grid) -> Iterator[None]:
    """Refuse a second run of the same grid at the same time."""
    path = grid.scratch / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.seek(0)
            owner = handle.read().strip()
            raise ReassessError(
                f"grid {grid.config.grid!r} is being run already by process {owner}; wait for it or end it"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _remove_stale_lock() -> None:
    """Remove Snakemake's own lock if a killed run left it. Whoever holds our run lock is the only run there is."""
    locks = Path(".snakemake/locks")
    if locks.is_dir() and any(locks.iterdir()):
        print("an earlier run was killed and left its lock; removing it and going on from what it finished")
        shutil.rmtree(locks)


@contextmanager
def warm_server() -> Iterator[None]:
    """Run the warm server while the block runs, and name its socket to the jobs."""
    if os.environ.get(VARIABLE):  # an outer run has one
        yield
        return
    with tempfile.TemporaryDirectory(prefix="reassess-") as folder:
        address = str(Path(folder) / "server")
        log = Path(folder) / "log"
        with log.open("w") as output:
            process = subprocess.Popen([sys.executable, "-m", "reassess.server", address], stdout=output, stderr=output)
        os.environ[VARIABLE] = address
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:  # it was started deaf to signals
                process.kill()
                process.wait()
