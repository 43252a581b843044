"""`reassess run`: the whole grid, its figures and its report: one Snakemake, one fork server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from reassess.bundles.likeness import likeness
from reassess.core import lifetime
from reassess.core.errors import ReassessError, unknown
from reassess.core.project import ROOT
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.workflow.due import as_text, due
from reassess.workflow.fork_server import FOLDER, VARIABLE
from reassess.workflow.jobs import JOBS
from reassess.workflow.notes import forget_interruption
from reassess.workflow.planning import Planning, stale_jobs
from reassess.workflow.signals import OrderlyEnd
from reassess.workflow.supervision import LOCK, ending_on_signals, only_run

PROFILES = Path("workflow/profiles")
SERVE = [sys.executable, "-m", "reassess.cli.entry", "serve"]
LOCAL = "default"  # the profile of one machine
JOB_NAME = "reassess-"  # the names of Slurm jobs begin with this and the grid's name
LONGEST_FOLDER = 60  # bytes of a path; that of a socket has 107 at most
ENDING = 10.0  # seconds that the fork server may take beyond its jobs' time to save
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
LONGEST_JOB_NAME = 50  # what Snakemake's Slurm executor accepts as the beginning of a name


def run(
    config: Path, targets: Sequence[str] = (), cores: int | None = None, profile: str = LOCAL
) -> int:
    """Make the targets (default: everything and the report); return the exit code.

    A cell that fails does not stop the others: the rest is drawn without it, and the report names
    it. SIGTERM, SIGINT and SIGHUP end everything that was started, after trainers have saved, and
    so does the death of this process; a second signal ends it at once. The exit code is then 128
    and the number of the signal.

    Raises:
        ReassessError: the config is wrong, there is no such profile, or another run of this grid is
            in progress.
    """
    try:
        folder = find_profile(profile)
        # A job elsewhere fixes its own numerics.
        grid = Grid.load_to_compute(config) if is_local(folder) else Grid.load(config)
        _find_commands(profile)
        with only_run(grid) as lock, ending_on_signals(is_local(folder)) as end:
            _remove_stale_locks(grid)
            forget_interruption(grid)
            planning = Planning(grid)
            if planning.adopt():
                planning = Planning(grid)
            snakemake = Snakemake(grid, folder, cores, lock, end)
            return _make(planning, snakemake, targets, profile)
    except KeyboardInterrupt:  # before anything was started
        return 128 + signal.SIGINT
    except Stopped as stop:
        return stop.code


def dry_run(config: Path, targets: Sequence[str] = (), profile: str = LOCAL) -> int:
    """Print how many jobs of each rule `run` would run; run none. Return the exit code.

    Raises:
        ReassessError: the config is wrong, there is no such profile, or Snakemake has to be asked
            and a run of this grid is in progress.
    """
    grid = Grid.load(config)
    folder = find_profile(profile)
    _find_commands(profile)
    counts = None if targets else due(Planning(grid))
    if counts is not None:
        print(as_text(counts, [job.name for job in JOBS]))
        return 0
    with only_run(grid) as lock, ending_on_signals(is_local(folder)) as end:
        snakemake = Snakemake(grid, folder, None, lock, end)
        done = snakemake.ask("--dry-run", "--quiet", "rules", targets=targets or ("all",))
    print(done.stdout + done.stderr)
    return done.returncode


def _find_commands(profile: str) -> None:
    """Set what the rules find in their environment."""
    # The rules call `reassess` by name: find the one of this environment, activated or not.
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    if profile == LOCAL:
        # Snakemake's Slurm executor queries Slurm at every start, needed or not, and waits ten
        # seconds for a controller that is not there.
        os.environ.setdefault("SLURM_CONF", os.devnull)


def _make(planning: Planning, snakemake: Snakemake, targets: Sequence[str], profile: str) -> int:
    if not targets:
        return _everything(planning, snakemake, profile)
    with fork_server(profile):
        return snakemake.make(targets)


def is_local(profile: Path) -> bool:
    """Whether a profile's jobs are processes of this machine."""
    return settings_of(profile).get("executor", "local") == "local"


def settings_of(profile: Path) -> dict[str, object]:
    """A profile's settings."""
    return yaml.safe_load((profile / "config.yaml").read_text()) or {}


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


def _everything(planning: Planning, snakemake: Snakemake, profile: str) -> int:
    grid, counts = planning.grid, due(planning)
    if counts is None and snakemake.nothing_to_do():
        counts = Counter()
    if counts is not None and not counts:
        print("everything is up to date")
        code = 0
    else:
        with fork_server(profile):
            code = _make_all(grid, snakemake)
            if code:
                # Failed cells are data: draw what there is, and name what is missing.
                print("some jobs failed; drawing the rest without them", flush=True)
                snakemake.make(["all"], "partial=1")
    _report(grid, snakemake)
    _summarise(grid)
    return code


def _make_all(grid: Grid, snakemake: Snakemake) -> int:
    """Make everything, until nothing is out of date; return the exit code.

    What had to be made again may differ from what it was: then the results that read it are out of
    date, which only shows afterwards.
    """
    before: dict[str, str] = {}
    while True:
        code = snakemake.make(["all"])
        left = {} if code else stale_jobs(grid)
        if not left or left == before:
            return code
        print(f"{len(left)} jobs are out of date: what they read has been made again and differs")
        before = left


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """A run was ended by a signal.

    Attributes:
        code: its exit code.
    """

    def __init__(self, number: int) -> None:
        """Take the number of the signal."""
        self.code = 128 + number


@dataclass(frozen=True)
class Snakemake:
    """Snakemake's command line for a grid.

    Attributes:
        grid: what it makes.
        profile: the folder of its profile.
        cores: jobs at once.
        lock: the descriptor of the run's lock, which each Snakemake shares.
        end: what ends a Snakemake on a signal.
    """

    grid: Grid
    profile: Path
    cores: int | None
    lock: int
    end: OrderlyEnd

    @property
    def _start(self) -> list[str]:
        snakefile = str(ROOT / "Snakefile")
        command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile]
        return [*command, "--profile", str(self.profile), *self._job_names]

    @property
    def _job_names(self) -> list[str]:
        if settings_of(self.profile).get("executor") != "slurm":
            return []
        return ["--slurm-jobname-prefix", job_name(self.grid)]

    def make(self, targets: Sequence[str], *settings: str) -> int:
        """Make targets with the project's progress display; return the exit code."""
        cores = ["--cores", str(self.cores)] if self.cores else []
        config = ["--config", f"config={self.grid.source}", *settings]
        command = [*self._start, "--logger", "reassess", *cores, *config, "--", *targets]
        return self._run(command).returncode

    def ask(
        self, *options: str, targets: Sequence[str] = ("all",)
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on targets with some options, and capture what it prints."""
        config = ["--config", f"config={self.grid.source}"]
        command = [*self._start, *options, *config, "--", *targets]
        return self._run(command, subprocess.PIPE)

    def _run(
        self, command: list[str], output: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a Snakemake that dies with this process, out of reach of the terminal's signals.

        Raises:
            Stopped: this process has received a signal, or Snakemake was killed.
        """
        if self.end.received is not None:
            raise Stopped(self.end.received)
        me = os.getpid()
        process = subprocess.Popen(
            command,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: lifetime.die_with_parent(me),  # noqa: PLW1509 - no other threads
            pass_fds=[self.lock],
            env={**os.environ, LOCK: str(self.lock)},
            stdout=output,
            stderr=output,
        )
        printed, errors = process.communicate()
        if self.end.received is None and process.returncode < 0:
            number = -process.returncode
            print(f"Snakemake was ended by {signal.Signals(number).name}", file=sys.stderr)
            self.end.receive(number)
        if self.end.received is not None:
            self.end.wait()
            raise Stopped(self.end.received)
        return subprocess.CompletedProcess(command, process.returncode, printed, errors)

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
    if (line := likeness(grid)) is not None:
        print(line)


def _remove_stale_locks(grid: Grid) -> None:
    """Remove the locks that a killed Snakemake has left on this grid's files, and no others.

    Whoever makes this grid by this Snakefile holds the grid's lock (`supervision`), as this process
    does now: so the Snakemake that wrote them has ended.
    """
    stale = [lock for lock in sorted(SNAKEMAKE_LOCKS.glob("*.lock")) if _names(lock, grid)]
    if stale:
        print(
            "an earlier run was killed and left its lock: removed; resuming from what it finished"
        )
    for lock in stale:
        lock.unlink(missing_ok=True)


def _names(lock: Path, grid: Grid) -> bool:
    """Whether one of Snakemake's lock files names a file of this grid."""
    folders = [Path.cwd() / folder for folder in (grid.paths.results, grid.paths.scratch)]
    try:
        files = [Path.cwd() / line for line in lock.read_text().splitlines()]
    except FileNotFoundError:
        return False
    return any(file.is_relative_to(folder) for file in files for folder in folders)


def _place_for_socket() -> str | None:
    """The folder for temporary files, or /tmp where its path is longer than a socket's may be."""
    long = len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER
    return "/tmp" if long else None


@contextmanager
def fork_server(profile: str = LOCAL) -> Iterator[None]:
    """Run the fork server while the block runs, and give its socket to the jobs.

    Jobs of a cluster run elsewhere: no server then. An outer run may have one already.
    """
    if profile != LOCAL or os.environ.get(VARIABLE):
        yield
        return
    with tempfile.TemporaryDirectory(prefix=FOLDER, dir=_place_for_socket()) as folder:
        address = str(Path(folder) / "server")
        log = Path(folder) / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*SERVE, address],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, lifetime.OWNER: lifetime.myself()},
            )
        os.environ[VARIABLE] = address
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            process.terminate()
            try:
                process.wait(timeout=lifetime.grace() + ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
