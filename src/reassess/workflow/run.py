"""`reassess run`: the whole grid, its figures and its report: one Snakemake, one fork server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from reassess.core.errors import ReassessError, unknown
from reassess.core.locks import refused_if_held
from reassess.core.project import ROOT
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.workflow.fork_server import VARIABLE
from reassess.workflow.notes import forget_interruption

PROFILES = Path("workflow/profiles")
LOCAL = "default"  # the profile of one machine
JOB_NAME = "reassess-"  # the names of Slurm jobs begin with this and the grid's name
LONGEST_JOB_NAME = 50  # what Snakemake's Slurm executor accepts as the beginning of a name


def run(
    config: Path, targets: Sequence[str] = (), cores: int | None = None, profile: str = LOCAL
) -> int:
    """Make the targets (default: everything and the report); return the exit code.

    A cell that fails does not stop the others: the rest is drawn without it, and the report names
    it.

    Raises:
        ReassessError: the config is wrong, there is no such profile, or another run of this grid is
            in progress.
    """
    grid = Grid.load(config)
    snakemake = Snakemake(grid, find_profile(profile), cores)
    # The rules call `reassess` by name: find the one of this environment, activated or not.
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    if profile == LOCAL:
        # Snakemake's Slurm executor queries Slurm at every start, needed or not, and waits ten
        # seconds for a controller that is not there.
        os.environ.setdefault("SLURM_CONF", os.devnull)
    with refused_if_held(grid.paths.scratch / "run.lock", f"grid {grid.config.grid!r}"):
        _remove_stale_lock()
        forget_interruption(grid)
        if targets:
            with fork_server(profile):
                return snakemake.make(targets)
        return _everything(grid, snakemake, profile)


def job_name(grid: Grid) -> str:
    """The beginning of the names of a grid's Slurm jobs, by which `reassess status` knows them."""
    return f"{JOB_NAME}{grid.config.grid}"[:LONGEST_JOB_NAME]


def find_profile(name: str) -> Path:
    """Return the folder of a profile, given by name or as a folder.

    Raises:
        ReassessError: there is none.
    """
    for folder in (Path(name), ROOT / PROFILES / name):
        if (folder / "config.yaml").is_file():
            return folder
    names = sorted(path.parent.name for path in (ROOT / PROFILES).glob("*/config.yaml"))
    raise ReassessError(unknown("profile", name, names))


def _everything(grid: Grid, snakemake: Snakemake, profile: str) -> int:
    if snakemake.nothing_to_do():
        print("everything is up to date")
        code = 0
    else:
        with fork_server(profile):
            code = snakemake.make(["all"])
            if code:
                # Failed cells are data: draw what there is, and name what is missing.
                print("some jobs failed; drawing the rest without them", flush=True)
                snakemake.make(["all"], "partial=1")
    _report(grid, snakemake)
    _summarise(grid)
    return code


@dataclass(frozen=True)
class Snakemake:
    """Snakemake's command line for a grid."""

    grid: Grid
    profile: Path
    cores: int | None

    @property
    def _start(self) -> list[str]:
        snakefile = str(ROOT / "Snakefile")
        command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile]
        return [*command, "--profile", str(self.profile), *self._job_names]

    @property
    def _job_names(self) -> list[str]:
        settings = yaml.safe_load((self.profile / "config.yaml").read_text())
        if settings.get("executor") != "slurm":
            return []
        return ["--slurm-jobname-prefix", job_name(self.grid)]

    def make(self, targets: Sequence[str], *settings: str) -> int:
        """Make targets with the project's progress display; return the exit code."""
        cores = ["--cores", str(self.cores)] if self.cores else []
        config = ["--config", f"config={self.grid.source}", *settings]
        command = [*self._start, "--logger", "reassess", *cores, *config, "--", *targets]
        return subprocess.run(command).returncode

    def ask(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on everything with some options, and capture what it prints."""
        config = ["--config", f"config={self.grid.source}"]
        command = [*self._start, *options, *config, "--", "all"]
        return subprocess.run(command, capture_output=True, text=True)

    def nothing_to_do(self) -> bool:
        """Return whether every file is up to date."""
        done = self.ask("--dry-run")
        return done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def _report(grid: Grid, snakemake: Snakemake) -> None:
    """Write the report if anything was drawn after it."""
    report = grid.paths.report
    drawn = [
        path for folder in ("figures", "tables") for path in (grid.paths.results / folder).glob("*")
    ]
    newest = max((path.stat().st_mtime for path in drawn), default=0.0)
    if not drawn or (report.is_file() and report.stat().st_mtime >= newest):
        return
    done = snakemake.ask("--report", str(report))
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        results = grid.paths.results
        print(
            f"the report could not be written; figures and tables are in {results}", file=sys.stderr
        )


def _summarise(grid: Grid) -> None:
    states = {cell: state_of(grid, cell) for cell in grid.cells.values()}
    unfinished = {cell: state for cell, state in states.items() if state != "done"}
    print(f"\ncells    {len(states) - len(unfinished)} of {len(states)} done")
    for cell, state in unfinished.items():
        print(f"  {state}: {cell.id} (log: {grid.paths.log('train', cell.id)})")
    places = {
        "figures": "figures",
        "tables": "tables",
        "claims": "claims.html",
        "report": "report.html",
    }
    for name, path in places.items():
        print(f"{name:8} {grid.paths.results / path}")


def _remove_stale_lock() -> None:
    """Remove Snakemake's own lock if a killed run left it.

    Whoever holds our run lock is the only run there is.
    """
    locks = Path(".snakemake/locks")
    if locks.is_dir() and any(locks.iterdir()):
        print(
            "an earlier run was killed and left its lock: removed; resuming from what it finished"
        )
        shutil.rmtree(locks)


@contextmanager
def fork_server(profile: str = LOCAL) -> Iterator[None]:
    """Run the fork server while the block runs, and give its socket to the jobs.

    Jobs of a cluster run elsewhere: no server then. An outer run may have one already.
    """
    if profile != LOCAL or os.environ.get(VARIABLE):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="reassess-") as folder:
        address = str(Path(folder) / "server")
        log = Path(folder) / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "reassess.cli.entry", "serve", address],
                stdout=output,
                stderr=output,
            )
        os.environ[VARIABLE] = address
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:  # it was started with signals ignored
                process.kill()
                process.wait()
