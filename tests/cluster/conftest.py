"""What the cluster's tests share: the cluster itself, a tiny grid that goes through it, and a record of how long a mend took."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import steps

sys.path.insert(0, str(Path(__file__).parent))

if os.environ.get("SLURM_CONF") == os.devnull:
    del os.environ["SLURM_CONF"]  # the other tests' setting

import cluster as slurm
from processes import PATIENCE, complete_checkpoints
from tiny import tiny_config

from reassess.core.files import read_json
from reassess.core.manifest import ROOT
from reassess.grid.study import Grid
from reassess.workflow import inputs as wiring

PARTITIONS = """\
partitions:
  gpu: {max_runtime: 60, max_mem_mb: 9000, max_gpu: 2}
  cpu: {max_runtime: 60, max_mem_mb: 16000, max_gpu: 0}
"""
UPDATES = 700  # of the cell that is disturbed
RECORD = slurm.HOME / "faults.jsonl"


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: a fault that would hit other tests' jobs too")
    if not hasattr(config, "workerinput"):  # once, not in every process of the suite
        RECORD.unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter):
    if not RECORD.is_file():
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(
        "| fault | updates done again | s until it trains again | s until the cell is scored |"
    )
    terminalreporter.write_line("|---|---|---|---|")
    for line in RECORD.read_text().splitlines():
        one = json.loads(line)
        terminalreporter.write_line(
            f"| {one['fault']} | {one['again']} | {one['trains']:.0f} | {one['scored']:.0f} |"
        )


@contextlib.contextmanager
def locked(path, how=fcntl.LOCK_EX):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, how)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """A folder that all processes of the suite share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session", autouse=True)
def cluster(shared):
    if os.geteuid() != 0:
        pytest.fail("a Slurm cluster is started by root: make test-slurm")
    with locked(shared / "cluster.lock"):
        slurm.up()
    return slurm


@pytest.fixture(autouse=True)
def turn(request, shared, cluster):
    """Let tests share the cluster, but for those that must be alone on it."""
    alone = request.node.get_closest_marker("alone")
    with locked(shared / "turn.lock", fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        yield


class Run:
    """A grid in a folder of its own, driven through the Slurm profile as a user would."""

    def __init__(self, folder):
        self.folder = folder
        self.grid = Grid.load(folder / "tiny.yaml")
        (folder / "partitions.yaml").write_text(PARTITIONS)

    def command(self, *options, target="cells"):
        profile = ROOT / "workflow/profiles/slurm"
        words = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--profile",
            str(profile),
        ]
        words += ["--slurm-partition-config", str(self.folder / "partitions.yaml")]
        # Only what a site without accounts and a test without patience changes.
        words += ["--default-resources", "--slurm-no-account"]
        words += ["--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "15"]
        return [*words, *options, "--config", "config=tiny.yaml", "--", target]

    def start(self, *options, target="cells"):
        log = (self.folder / "snakemake.log").open("a")
        return subprocess.Popen(
            self.command(*options, target=target),
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def finish(self, *options, target="cells", seconds=PATIENCE):
        self.wait_for(self.start(*options, target=target), seconds)

    def wait_for(self, process, seconds=PATIENCE):
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(
                f"not done within {seconds} s; jobs: {self.jobs()}\n{self.log()[-3000:]}"
            ) from None
        assert code == 0, self.log()[-4000:]

    def log(self):
        return (self.folder / "snakemake.log").read_text()

    def local(self, *targets):
        """Run the same grid on this machine, without a scheduler."""
        words = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--cores",
            "2",
        ]
        words += ["--config", "config=tiny.yaml", "--", *targets]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def unlock(self):
        subprocess.run(
            [*self.command("--unlock")], cwd=self.folder, check=True, capture_output=True
        )

    def cell(self, method):
        return next(cell for cell in self.grid.cells.values() if cell.arm == method)

    def scores(self, method):
        return str(self.grid.paths.scores(self.cell(method).id))

    def trained(self, method):
        return str(self.grid.paths.train_manifest(self.cell(method).id))

    def evaluate(self, method):
        """Score a cell here: the faults are in training, and a job through Slurm takes its time."""
        before = Path.cwd()
        os.chdir(self.folder)  # the paths of a grid are relative
        try:
            steps.evaluate(self.grid, self.cell(method))
        finally:
            os.chdir(before)

    def results_of(self, method):
        return self.folder / self.grid.paths.cell(self.cell(method).id)

    def manifest(self, method):
        return read_json(self.results_of(method) / "train.json")

    def said(self, method):
        """Return what the training job of a cell wrote into its log, in its present attempt."""
        path = self.folder / self.grid.paths.log("train", self.cell(method).id)
        return path.read_text(errors="replace") if path.is_file() else ""

    def reached(self, method):
        """Return the last update that the training job of a cell has told of."""
        told = re.findall(r"'epoch': '([\d.]+)'", self.said(method))
        return round(float(told[-1]) * UPDATES) if told else 0

    def checkpoints(self, method):
        """Return the updates of the complete trainer checkpoints of a run that is not over."""
        return complete_checkpoints(self.folder / self.grid.paths.work(self.cell(method).id))

    def jobs(self, *states):
        """Return (id, state, node, name of the rule and cell) of this grid's jobs."""
        return [job[:4] for job in jobs(*states) if Path(job[4]) == self.folder]

    def training(self, state="RUNNING"):
        """Return this grid's training jobs in a state."""
        return [job for job in self.jobs(state) if job[3].startswith("rule_train")]


@pytest.fixture(scope="session")
def prepared(shared):
    """A grid with everything before its cells, made here: faults are injected into training."""
    folder = shared / "prepared"
    with locked(shared / "prepared.lock"):
        if not folder.is_dir():
            made = folder.with_name("preparing")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            _prepare(made)
            made.rename(folder)
    return folder


def _prepare(folder):
    sft = {
        "max_steps": UPDATES,
        "batch_size": 8,
        "warmup_steps": 1,
        "save_every": 100,
        "probe_every": UPDATES,
    }
    grpo = {
        "max_steps": 3, "prompts_per_step": 2, "num_generations": 2, "max_completion_length": 8, "save_every": 1, "probe_every": 2,
    }  # fmt: skip
    settings = {"sft": sft, "grpo": grpo}
    tiny_config(
        folder,
        methods=["base", "sft", "grpo"],
        settings=settings,
        results="results",
        scratch="scratch",
    )
    made = Run(folder)
    made.local(
        *(
            str(path)
            for cell in made.grid.cells.values()
            for path in wiring.training_inputs(made.grid, cell)
            if cell.size
        )
    )


@pytest.fixture(scope="session")
def undisturbed(prepared, shared):
    """The whole grid, run on this machine without a scheduler."""
    folder = shared / "undisturbed"
    with locked(shared / "undisturbed.lock"):
        if not folder.is_dir():
            made = folder.with_name("running")
            shutil.rmtree(made, ignore_errors=True)
            shutil.copytree(prepared, made)
            Run(made).local("cells")
            made.rename(folder)
    return Run(folder)


def jobs(*states):
    """Return (id, state, node, name of the rule and cell, folder) of Slurm's jobs."""
    found = subprocess.run(
        ["squeue", "-h", "-a", "-t", "all", "-o", "%i|%T|%N|%k|%Z"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    rows = [line.split("|") for line in found.stdout.splitlines()]
    return [row for row in rows if not states or row[1] in states]


@pytest.fixture
def run(prepared, tmp_path):
    folder = tmp_path / "grid"
    shutil.copytree(prepared, folder)
    made = Run(folder)
    yield made
    for number, *_ in made.jobs("RUNNING", "PENDING", "COMPLETING"):
        subprocess.run(["scancel", number], capture_output=True)
