"""A tiny grid that goes through the real Slurm, and the record of how it overcame faults."""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cluster as slurm
import processes
import psutil
import steps
import yaml
from processes import command_of, complete_checkpoints, files_below, wait_for_end
from tiny import tiny_config

from reassess.core.files import read_json
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.workflow.jobs import Train

PARTITIONS = """\
partitions:
  gpu: {max_runtime: 60, max_mem_mb: 9000, max_gpu: 2}
  cpu: {max_runtime: 60, max_mem_mb: 16000, max_gpu: 0}
"""
UPDATES = 700  # of the cell that is disturbed
RECORD = slurm.HOME / "faults.jsonl"


@contextlib.contextmanager
def locked(path, how=fcntl.LOCK_EX):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, how)
        yield


def slurm_jobs(*states):
    """(id, state, node, name of the rule and cell, folder) of Slurm's jobs."""
    listed = subprocess.run(
        ["squeue", "-h", "-a", "-t", "all", "-o", "%i|%T|%N|%k|%Z"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    rows = [line.split("|") for line in listed.stdout.splitlines()]
    return [row for row in rows if not states or row[1] in states]


def resources(*more):
    """The options that give each training job a GPU, and whatever else is named."""
    return ["train:gpu=1", "train:slurm_extra=\"'--signal=TERM@60'\"", *more]


class Run:
    """A grid in a folder of its own, driven through the Slurm profile as a user would."""

    def __init__(self, folder):
        self.folder = folder
        self.grid = Grid.load(folder / "tiny.yaml")
        (folder / "partitions.yaml").write_text(PARTITIONS)

    # --- driving it ------------------------------------------------------------------------------

    def profile(self, requested, **settings):
        """Write a site's profile: the shipped one with its partitions, and some resources."""
        profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
        del profile["default-resources"]  # the placeholder of an account
        profile |= {
            "slurm-no-account": True,
            "slurm-partition-config": str(self.folder / "partitions.yaml"),
            "slurm-init-seconds-before-status-checks": 5,
            "latency-wait": 15,
            "set-resources": list(requested),
            **settings,
        }
        folder = self.folder / "profile"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(profile))
        return folder

    def start(self, requested, target="cells", **settings):
        """Start Snakemake, which logs every submission."""
        profile = ["--profile", str(self.profile(requested, **settings))]
        snakefile = ["snakemake", "--snakefile", str(ROOT / "Snakefile")]
        return self._start([*snakefile, *profile, "--config", "config=tiny.yaml", "--", target])

    def start_run(self, requested, target):
        """Start `reassess run`, which resumes what a killed Snakemake has left."""
        profile = ["--profile", str(self.profile(requested))]
        command = ["reassess.cli.entry", "run", "--config", "tiny.yaml", *profile, target]
        return self._start(command)

    def _start(self, command):
        log = (self.folder / "snakemake.log").open("a")
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def progress(self):
        """What changes as long as anything of this grid progresses."""
        return self.jobs(), files_below(self.folder)

    def wait(self, condition, what):
        return processes.wait_until(condition, what, self.progress, also=self.problem)

    def wait_for_end(self, process):
        code = wait_for_end(process, "the run", progress=self.progress, also=self.problem)
        assert code == 0, self.log()[-4000:]

    def problem(self):
        return f"jobs: {slurm_jobs()}\n{self.log()[-3000:]}"

    def log(self):
        return (self.folder / "snakemake.log").read_text()

    def local(self, *targets):
        """Run the same grid on this machine, without a scheduler."""
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        options = ["--cores", "2", "--config", "config=tiny.yaml", "--", *targets]
        done = subprocess.run(
            [*snakemake, *options], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # --- its cells -------------------------------------------------------------------------------

    def cell(self, method):
        return next(cell for cell in self.grid.cells.values() if cell.arm == method)

    def scores(self, method):
        return str(self.grid.paths.scores(self.cell(method).id))

    def trained(self, method):
        return str(self.grid.paths.train_manifest(self.cell(method).id))

    def results_of(self, method):
        return self.folder / self.grid.paths.cell(self.cell(method).id)

    def manifest(self, method):
        return read_json(self.results_of(method) / "train.json")

    def evaluate(self, method):
        """Score a cell here: the faults are in training, and a job through Slurm takes long."""
        before = Path.cwd()
        os.chdir(self.folder)  # the paths of a grid are relative
        try:
            steps.evaluate(self.grid, self.cell(method))
        finally:
            os.chdir(before)

    def cell_log(self, method):
        """The log of a cell's training job, in its present attempt."""
        path = self.folder / self.grid.paths.log("train", self.cell(method).id)
        return path.read_text(errors="replace") if path.is_file() else ""

    def reached(self, method):
        """The last update in the log of a cell's training job."""
        logged = re.findall(r"'epoch': '([\d.]+)'", self.cell_log(method))
        return round(float(logged[-1]) * UPDATES) if logged else 0

    def checkpoints(self, method):
        """The updates of the complete trainer checkpoints of a run that is not over."""
        return complete_checkpoints(self.folder / self.grid.paths.work(self.cell(method).id))

    # --- its jobs --------------------------------------------------------------------------------

    def jobs(self, *states):
        """(id, state, node, name of the rule and cell) of this grid's jobs."""
        return [job[:4] for job in slurm_jobs(*states) if Path(job[4]) == self.folder]

    def training(self, state="RUNNING"):
        """This grid's training jobs in a state."""
        return [job for job in self.jobs(state) if job[3].startswith("rule_train")]

    def wait_for_training(self):
        """Wait until a cell trains and has a trainer checkpoint; return the job."""
        first, *_ = self.wait(
            lambda: self.checkpoints("sft") and self.training(), "a trainer checkpoint"
        )
        return first


def snakemake_of(process):
    """The Snakemake that a `reassess run` has started."""
    children = psutil.Process(process.pid).children()
    return next(child for child in children if "snakemake" in command_of(child))


def prepare(folder):
    """Write a grid and run everything that comes before its cells."""
    sft = {
        "max_steps": UPDATES,
        "batch_size": 8,
        "warmup_steps": 1,
        "save_every": 100,
        "probe_every": UPDATES,
    }
    grpo = {
        "max_steps": 3,
        "prompts_per_step": 2,
        "num_generations": 2,
        "max_completion_length": 8,
        "save_every": 1,
        "probe_every": 2,
    }
    tiny_config(
        folder,
        methods=["base", "sft", "grpo"],
        settings={"sft": sft, "grpo": grpo},
        results="results",
        scratch="scratch",
    )
    run = Run(folder)
    train = Train(run.grid)
    run.local(*{str(path) for key in train.needed() for path in train.inputs(key)})


def same_as(run, undisturbed, method):
    """Compare weights and answers of a cell with those of the undisturbed run."""
    assert run.manifest(method)["weights_hash"] == undisturbed.manifest(method)["weights_hash"]
    assert run.manifest(method)["samples"] == undisturbed.manifest(method)["samples"]
    if not (run.results_of(method) / "scores.json").is_file():
        run.evaluate(method)
    answers = [one.results_of(method) / "predictions.parquet" for one in (run, undisturbed)]
    assert answers[0].read_bytes() == answers[1].read_bytes()


def note(fault, again, trains, scored):
    """Write a line for the table of faults: updates that were repeated, and seconds."""
    line = json.dumps({"fault": fault, "again": again, "trains": trains, "scored": scored})
    with locked(RECORD.with_suffix(".lock")), RECORD.open("a") as record:
        record.write(f"{line}\n")


def scontrol(*arguments):
    subprocess.run(["scontrol", *arguments], check=True, timeout=30)


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.began = time.monotonic()

    def __call__(self):
        return time.monotonic() - self.began


wait_until = partial(processes.wait_until, also=lambda: f"jobs: {slurm_jobs()}")
