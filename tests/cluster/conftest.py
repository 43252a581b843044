"""What the cluster's tests share: the cluster itself, and a tiny grid that goes through it."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

import cluster as slurm
from tiny import tiny_config

from reassess import wiring
from reassess.files import read_json, read_parquet
from reassess.grid import Grid
from reassess.manifest import ROOT

PARTITIONS = """\
partitions:
  gpu: {max_runtime: 60, max_mem_mb: 9000, max_gpu: 2}
  cpu: {max_runtime: 60, max_mem_mb: 16000, max_gpu: 0}
"""


@pytest.fixture(scope="session", autouse=True)
def cluster():
    if os.geteuid() != 0:
        pytest.fail("a Slurm cluster is started by root: make test-slurm")
    slurm.up()
    return slurm


class Run:
    """A grid in a folder of its own, driven through the Slurm profile as a user would."""

    def __init__(self, folder):
        self.folder = folder
        self.grid = Grid.load(folder / "tiny.yaml")
        (folder / "partitions.yaml").write_text(PARTITIONS)

    def command(self, *options, target="cells"):
        profile = ROOT / "workflow/profiles/slurm"
        words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--profile", str(profile)]
        words += ["--slurm-partition-config", str(self.folder / "partitions.yaml")]
        # Only what a site without accounts and a test without patience changes.
        words += [
            "--default-resources",
            "--slurm-no-account",
            "--slurm-init-seconds-before-status-checks",
            "5",
            "--latency-wait",
            "10",
        ]
        return [*words, *options, "--config", "config=tiny.yaml", "--", target]

    def start(self, *options, target="cells"):
        log = (self.folder / "snakemake.log").open("a")
        return subprocess.Popen(self.command(*options, target=target), cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)

    def finish(self, *options, target="cells", seconds=300):
        self.wait_for(self.start(*options, target=target), seconds)

    def wait_for(self, process, seconds=300):
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"not done within {seconds} s; jobs: {jobs()}\n{self.log()[-3000:]}") from None
        assert code == 0, self.log()[-4000:]

    def log(self):
        return (self.folder / "snakemake.log").read_text()

    def local(self, *targets):
        """Run the same grid on this machine, without a scheduler."""
        words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
        words += ["--config", "config=tiny.yaml", "--", *targets]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def unlock(self):
        subprocess.run([*self.command("--unlock")], cwd=self.folder, check=True, capture_output=True)

    def cell(self, method):
        return next(cell for cell in self.grid.cells.values() if cell.arm == method)

    def results_of(self, method):
        return self.folder / self.grid.cell_dir(self.cell(method))

    def manifest(self, method):
        return read_json(self.results_of(method) / "train.json")

    def predictions(self, method):
        return read_parquet(self.results_of(method) / "predictions.parquet")

    def checkpoints(self, method):
        """Return the updates of the complete trainer checkpoints of a run that is not over."""
        folder = self.folder / self.grid.work_dir(self.cell(method))
        return sorted(int(path.parent.name.rpartition("-")[2]) for path in folder.glob("checkpoint-*/history.json"))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A grid with everything before its cells, made here: faults are injected into training."""
    folder = tmp_path_factory.mktemp("prepared")
    sft = {"max_steps": 1200, "batch_size": 8, "warmup_steps": 1, "save_every": 100, "probe_every": 1200}
    grpo = {
        "max_steps": 3, "prompts_per_step": 2, "num_generations": 2, "max_completion_length": 8, "save_every": 1, "probe_every": 2,
    }  # fmt: skip
    tiny_config(folder, methods=["base", "sft", "grpo"], results="results", scratch="scratch")
    config = yaml.safe_load((folder / "tiny.yaml").read_text())
    config["methods"] |= {"sft": sft, "grpo": grpo}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    made = Run(folder)
    made.local(*(str(path) for cell in made.grid.cells.values() for path in wiring.training_inputs(made.grid, cell) if cell.size))
    return folder


@pytest.fixture(scope="session")
def undisturbed(prepared, tmp_path_factory):
    """The whole grid, run on this machine without a scheduler."""
    folder = tmp_path_factory.mktemp("undisturbed") / "grid"
    shutil.copytree(prepared, folder)
    found = Run(folder)
    found.local("cells")
    return found


def jobs(*states):
    """Return (id, state, node, name of the rule and cell) of Slurm's jobs."""
    found = subprocess.run(["squeue", "-h", "-a", "-t", "all", "-o", "%i|%T|%N|%k"], capture_output=True, text=True, timeout=10)
    rows = [line.split("|") for line in found.stdout.splitlines()]
    return [row for row in rows if not states or row[1] in states]


def wait_until(condition, what, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds} s; jobs: {jobs()}")


def training(state="RUNNING"):
    """Return Slurm's training jobs in a state."""
    return [job for job in jobs(state) if job[3].startswith("rule_train")]


@pytest.fixture
def run(prepared, tmp_path):
    folder = tmp_path / "grid"
    shutil.copytree(prepared, folder)
    yield Run(folder)
    subprocess.run(["scancel", "-u", "root"], capture_output=True)
