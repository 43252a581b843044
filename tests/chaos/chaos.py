"""Random kills of a small grid: what is struck, when and how, and what must hold afterwards.

A round copies a folder in which everything before the cells is made, starts `reassess run` there,
sends one signal to one part of it at a random moment, waits until every process is gone, and runs
it again. All choices follow from the round's seed; only the moment on the clock does not.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import psutil
from processes import command_of, files_below, wait_until
from tiny import SFT, tiny_config, tiny_settings

from reassess.core.files import read_json, read_parquet
from reassess.grid.study import Grid
from reassess.methods import find
from reassess.workflow.fork_server import FOLDER

MARK = "REASSESS_CHAOS_ROUND"  # in the environment of every process of a round
METHODS = ("base", "sft", "grpo", "sft-grpo")
LONGER = {  # than the tiny ones, so that there is something to interrupt
    "sft": {**SFT, "max_steps": 60, "save_every": 10, "probe_every": 30},
    "grpo": {"max_steps": 8},
    "sft-grpo": {"max_steps": 8},
}
SCENARIOS = ("one run", "one run", "one run", "two runs", "two grids")
TARGETS = ("run", "snakemake", "server", "job", "trainer", "group", "maths worker")
SIGNALS = ("SIGKILL", "SIGTERM", "SIGSTOP")
LONGEST_DELAY = 14.0  # seconds after the first job of a cell has begun
SUSPENDED = 3.0  # seconds for which a stopped process stands still
TRACEBACK = "Traceback (most recent call last)"
REFUSED = "is being run by"  # in the message of a run that finds its grid's lock held
GONE = 300  # seconds without any change after which processes that remain are orphans


@dataclass(frozen=True)
class Plan:
    """What a round does."""

    seed: int
    scenario: str
    target: str
    signal: str
    delay: float
    afterwards: str  # what follows a SIGSTOP

    @property
    def kills(self) -> bool:
        """Whether a process ends without having a say in it."""
        return "SIGKILL" in (self.signal, self.afterwards if self.signal == "SIGSTOP" else "")

    @classmethod
    def of(cls, seed: int) -> "Plan":
        draw = random.Random(seed)
        return cls(
            seed=seed,
            scenario=draw.choice(SCENARIOS),
            target=draw.choice(TARGETS),
            signal=draw.choice(SIGNALS),
            delay=round(draw.uniform(0, LONGEST_DELAY), 1),
            afterwards=draw.choice(("SIGCONT", "SIGKILL")),
        )


@dataclass
class Outcome:
    """What a round found; empty lists are good."""

    plan: Plan
    struck: str = "nothing was left to strike"
    first_exit: int | None = None
    other_exit: int | None = None
    rerun_exit: int | None = None
    finished_before: int = 0
    orphans: list[str] = field(default_factory=list)
    broken_files: list[str] = field(default_factory=list)
    other_weights: list[str] = field(default_factory=list)
    trained_twice: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    output: str = ""

    @property
    def lost(self) -> list[str]:
        """What went wrong."""
        problems = [
            *(f"orphan: {one}" for one in self.orphans),
            *(f"broken file: {one}" for one in self.broken_files),
            *(f"other weights: {one}" for one in self.other_weights),
            *(f"trained twice: {one}" for one in self.trained_twice),
            *(f"traceback: {one}" for one in self.tracebacks),
            *(f"left behind: {one}" for one in self.left_behind),
            *(f"wrong lock: {one}" for one in self.locked),
        ]
        if self.rerun_exit != 0:
            problems.append(f"the rerun ended with {self.rerun_exit}")
        return problems

    def as_row(self) -> dict[str, object]:
        """The outcome as one flat row of the record."""
        rest = {
            name: value for name, value in asdict(self).items() if name not in ("plan", "output")
        }
        return {**asdict(self.plan), **rest, "lost": self.lost}


def command(config: str, *targets: str) -> list[str]:
    return [sys.executable, "-m", "reassess.cli.entry", "run", "--config", config, *targets]


def prepare(folder: Path) -> None:
    """Write the configs of both grids and make everything that comes before their cells."""
    settings = {name: tiny_settings(find(name)) | changed for name, changed in LONGER.items()}
    for name in ("other", "tiny"):
        path = tiny_config(folder, methods=METHODS, settings=settings, grid=name)
        path.rename(folder / f"{name}.yaml")
        grid = Grid.load(folder / f"{name}.yaml")
        targets = [str(grid.paths.preprocessed("llava", "same-family"))]
        done = subprocess.run(
            command(f"{name}.yaml", *targets), cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def finish(folder: Path, config: str = "tiny.yaml") -> "subprocess.CompletedProcess[str]":
    """Run a grid to its bundle."""
    return subprocess.run(
        command(config, bundle_of(config)), cwd=folder, capture_output=True, text=True
    )


def bundle_of(config: str) -> str:
    return f"results/{Path(config).stem}/bundle/scores.parquet"


def weights(folder: Path, config: str = "tiny.yaml") -> dict[str, str]:
    """The hash of the weights of every trained cell, as its manifest says."""
    grid = Grid.load(folder / config)
    paths = {cell: folder / grid.paths.train_manifest(cell) for cell in grid.trained}
    return {cell: read_json(path)["weights_hash"] for cell, path in paths.items() if path.is_file()}


def play(plan: Plan, prepared: Path, folder: Path, expected: dict[str, str]) -> Outcome:
    """Play one round.

    Args:
        plan: what to do.
        prepared: a folder that `prepare` filled.
        folder: the round's own folder; it must not exist.
        expected: the weights of an undisturbed run.
    """
    shutil.copytree(prepared, folder, symlinks=True)
    outcome = Outcome(plan)
    mark = f"{plan.seed}-{os.getpid()}-{time.time_ns()}"
    temporary = Path(tempfile.mkdtemp(prefix="chaos-"))  # short enough for a socket's path
    environment = {**os.environ, MARK: mark, "TMPDIR": str(temporary)}
    first = _start(folder, "tiny.yaml", environment, "first")
    other = None
    if plan.scenario == "two runs":
        other = _start(folder, "tiny.yaml", environment, "other")
    elif plan.scenario == "two grids":
        other = _start(folder, "other.yaml", environment, "other")
    _strike(plan, first, mark, folder, outcome)
    outcome.first_exit = _end_of(first, mark, folder, outcome)
    if other is not None:
        outcome.other_exit = _end_of(other, mark, folder, outcome)
    _nothing_remains(mark, folder, outcome)
    outcome.left_behind = _servers_left(plan, temporary)
    shutil.rmtree(temporary)
    logs = {path.name: path.read_text() for path in sorted(folder.glob("*.log"))}
    outcome.tracebacks = [
        name for name, text in logs.items() if TRACEBACK in text and not plan.kills
    ]
    outcome.locked = _locks_that_are_wrong(plan, logs)
    before = _finished_cells(folder)
    outcome.finished_before = len(before)
    rerun = finish(folder)
    outcome.rerun_exit = rerun.returncode
    outcome.output = "".join(logs.values()) + rerun.stdout + rerun.stderr
    if plan.scenario == "two grids":
        again = finish(folder, "other.yaml")
        outcome.rerun_exit = outcome.rerun_exit or again.returncode
        outcome.output += again.stdout + again.stderr
    after = _finished_cells(folder)
    outcome.trained_twice = [cell for cell, text in before.items() if after.get(cell) != text]
    found = weights(folder)
    outcome.other_weights = [
        f"{cell}: {found.get(cell)} instead of {value}"
        for cell, value in expected.items()
        if "/sft/" in cell and found.get(cell) != value
    ]
    outcome.broken_files = _broken_files(folder)
    return outcome


def _servers_left(plan: Plan, temporary: Path) -> list[str]:
    """Folders of fork servers that nobody has removed, where somebody has lived who could."""
    if plan.target == "group" and plan.kills:
        return []
    return [path.name for path in temporary.glob(f"{FOLDER}*")]


def _locks_that_are_wrong(plan: Plan, logs: Mapping[str, str]) -> list[str]:
    """One of two runs of a grid is refused; one of two grids is not."""
    refused = [name for name, text in logs.items() if REFUSED in text]
    expected = 1 if plan.scenario == "two runs" else 0
    return [] if len(refused) == expected else [f"refused: {refused or 'none'}"]


def _start(
    folder: Path, config: str, environment: Mapping[str, str], log: str
) -> "subprocess.Popen[bytes]":
    with (folder / f"{log}.log").open("wb") as output:
        return subprocess.Popen(
            command(config, bundle_of(config)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )


def processes_of(mark: str) -> list[psutil.Process]:
    """The living processes of a round, whoever their parents are now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _of_kind(target: str, first: "subprocess.Popen[bytes]", mark: str) -> list[psutil.Process]:
    """The processes that a target's name stands for."""
    everyone = processes_of(mark)
    servers = {one.pid for one in everyone if "serve" in command_of(one)}
    belongs = {
        "run": lambda one: one.pid == first.pid,
        "group": lambda one: True,
        "snakemake": lambda one: "--snakefile" in command_of(one),
        "server": lambda one: one.pid in servers and _parent(one) not in servers,
        "job": lambda one: "job" in command_of(one)[:6],
        "trainer": lambda one: _parent(one) in servers,  # the fork that does a job's work
        "maths worker": lambda one: any("multiprocessing" in word for word in command_of(one)),
    }
    return list(filter(belongs[target], everyone))


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _strike(
    plan: Plan, first: "subprocess.Popen[bytes]", mark: str, folder: Path, outcome: Outcome
) -> None:
    """Wait for the moment, and send the signal."""
    logs = [folder / "scratch/tiny/logs" / rule for rule in ("train", "evaluate")]
    wait_until(
        lambda: first.poll() is not None or any(path.is_dir() for path in logs),
        "the first job of a cell",
        progress=lambda: files_below(folder),
    )
    time.sleep(plan.delay)
    targets: list[psutil.Process] = []

    def found() -> bool:
        targets[:] = _of_kind(plan.target, first, mark)
        return bool(targets) or first.poll() is not None

    wait_until(found, f"a {plan.target}", progress=lambda: files_below(folder))
    if not targets:
        return
    draw = random.Random(plan.seed)
    chosen = targets if plan.target == "group" else [draw.choice(targets)]
    names = [_name(process) for process in chosen]
    for process in chosen:
        _send(process, plan.signal)
    if plan.signal == "SIGSTOP":
        time.sleep(SUSPENDED)
        for process in chosen:
            _send(process, plan.afterwards)
    outcome.struck = "; ".join(names)


def _send(process: psutil.Process, name: str) -> None:
    with suppress(psutil.Error):
        process.send_signal(getattr(signal, name))


def _name(process: psutil.Process) -> str:
    return (
        " ".join(Path(word).name for word in command_of(process)[:8]) or "a process that has ended"
    )


def _end_of(
    process: "subprocess.Popen[bytes]", mark: str, folder: Path, outcome: Outcome
) -> int | None:
    """The exit code of a run; it is killed, and named as an orphan, if it stands still."""
    try:
        wait_until(
            lambda: process.poll() is not None,
            "the end of the run",
            progress=lambda: files_below(folder),
            stalled=GONE,
        )
    except AssertionError:
        outcome.orphans.append(f"the run itself ({process.args!r}) stands still")
        for one in processes_of(mark):
            _send(one, "SIGKILL")
        process.wait()
    return process.returncode


def _nothing_remains(mark: str, folder: Path, outcome: Outcome) -> None:
    try:
        wait_until(
            lambda: not processes_of(mark),
            "the end of all processes",
            progress=lambda: files_below(folder),
            stalled=GONE,
        )
    except AssertionError:
        remaining = processes_of(mark)
        outcome.orphans += [_name(one) for one in remaining]
        for one in remaining:
            _send(one, "SIGKILL")


def _finished_cells(folder: Path) -> dict[str, str]:
    """The training manifests that are there, as text: a second training would change its times."""
    found = {}
    for config in ("tiny.yaml", "other.yaml"):
        grid = Grid.load(folder / config)
        for cell in grid.trained:
            path = folder / grid.paths.train_manifest(cell)
            if path.is_file():
                found[f"{config} {cell}"] = path.read_text()
    return found


def _broken_files(folder: Path) -> list[str]:
    """The files that cannot be read, or are left over from a write that never ended."""
    broken = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.startswith(".snakemake/"):
            continue
        try:
            if path.name.startswith(".") and path.suffix in (".json", ".parquet", ".safetensors"):
                broken.append(f"{name} is left over")
            elif path.suffix == ".json":
                read_json(path)
            elif path.suffix == ".parquet":
                read_parquet(path)
            elif path.suffix == ".safetensors":
                _open_weights(path)
        except Exception as error:
            broken.append(f"{name}: {error}")
    return broken


def _open_weights(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, "np") as opened:
        for name in opened.keys():  # noqa: SIM118 - no mapping
            opened.get_slice(name)


def table(rows: list[dict[str, object]]) -> str:
    """The record of a suite as a Markdown table: by what was struck, and how."""
    frame = pd.DataFrame(rows)
    frame["hit"] = ~frame["struck"].eq("nothing was left to strike")
    frame["resumed"] = frame["hit"] & frame["first_exit"].ne(0)
    frame["bad"] = frame["lost"].map(len).gt(0)
    lines = [
        "| struck | signal | rounds | met | ended the run | something lost |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for (target, name), group in frame.groupby(["target", "signal"], sort=True):
        counts = (len(group), group["hit"].sum(), group["resumed"].sum(), group["bad"].sum())
        lines.append(f"| {target} | {name} | " + " | ".join(map(str, counts)) + " |")
    totals = (len(frame), frame["hit"].sum(), frame["resumed"].sum(), frame["bad"].sum())
    lines.append("| **all** | | " + " | ".join(f"**{count}**" for count in totals) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]))
