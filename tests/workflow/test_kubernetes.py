"""The profile for Kubernetes with a stand-in for kubectl, whose pods are processes of this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial

import pytest
from processes import complete_checkpoints, files_below, trainers_in, wait_for_end, wait_until
from tiny import SFT, tiny_config

from reassess.cluster.kubernetes import GPU
from reassess.core.files import read_json
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.workflow.jobs import Collect

pytestmark = pytest.mark.slow
UPDATES = 500


class Cluster:
    """A folder with a tiny grid in it, ready to train, and a kubectl."""

    def __init__(self, folder):
        self.folder, self.jobs, self.started = folder, folder / "cluster", []
        binaries = folder / "bin"
        binaries.mkdir(parents=True)
        self.jobs.mkdir()
        kubectl = binaries / "kubectl"
        kubectl.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests/kubectl.py"} "$@"\n')
        kubectl.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "FAKE_CLUSTER": str(self.jobs),
        }
        sft = {**SFT, "max_steps": UPDATES, "save_every": 50, "probe_every": UPDATES}
        # The cells start from the second base of their model.
        replicates = {"seeds": [2], "world": {"bases": 2}}
        places = {"results": "results", "scratch": "scratch"}
        tiny_config(folder, settings={"sft": sft}, **places, **replicates)
        # The profile is used as from the project's folder; only the template is a site's own.
        profile = folder / "workflow/profiles/kubernetes"
        shutil.copytree(ROOT / "workflow/profiles/kubernetes", profile)
        template = (profile / "job.yaml").read_text()
        template = template.replace("mountPath: CHANGE-ME", f"mountPath: {folder}")
        (profile / "job.yaml").write_text(template.replace("CHANGE-ME", "site"))

    def start(self, *command):
        log = (self.folder / "log").open("a")
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    def snakemake(self, *options):
        return self.start("snakemake", "--snakefile", str(ROOT / "Snakefile"), *options)

    def submit(self):
        """Start the whole grid on the cluster, with two GPUs a training job."""
        profile = ["--profile", "workflow/profiles/kubernetes", "--latency-wait", "5"]
        resources = ["--set-resources", "train:gpu=2", "--seconds-between-status-checks", "1"]
        return self.snakemake(*profile, *resources, "--config", "config=tiny.yaml", "--", "all")

    def end(self):
        """Leave no process behind, whatever went wrong."""
        for process in self.started:
            process.kill()
        for trainer in trainers_in(self.folder):
            os.kill(trainer, signal.SIGKILL)

    def progress(self):
        return files_below(self.folder)

    def finish(self, process):
        code = wait_for_end(process, "the end of Snakemake", progress=self.progress)
        assert code == 0, (self.folder / "log").read_text()[-4000:]

    def preempt(self, name):
        """Do as Kubernetes does: SIGTERM to the pod's first process, and a new pod at its end."""
        (self.jobs / f"{name}.preempted").touch()
        os.kill(int((self.jobs / f"{name}.pid").read_text()), signal.SIGTERM)

    def created(self, rule):
        """The Jobs of a rule."""
        jobs = [json.loads(path.read_text()) for path in sorted(self.jobs.glob("*.json"))]
        return [job for job in jobs if job["metadata"]["labels"]["reassess/rule"] == rule]


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path / "grid")
    yield made
    made.end()


def resources_of(job):
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return container["resources"]


def test_a_grid_is_finished_though_its_trainer_is_preempted_and_snakemake_killed(cluster):
    grid = Grid.load(cluster.folder / "tiny.yaml")
    cell = next(cell for cell in grid.cells.values() if cell.arm == "sft")
    manifest = cluster.folder / grid.paths.train_manifest(cell.id)
    log = cluster.folder / grid.paths.log("train", cell.id)
    work = cluster.folder / grid.paths.work(cell.id)
    wait = partial(wait_until, progress=cluster.progress)

    def logged(text):  # each job begins the log anew
        return log.is_file() and text in log.read_text()

    rows = ("--cores", "2", "--config", "config=tiny.yaml", "--until", "prepare_rows")
    cluster.finish(cluster.snakemake(*rows, "--", "cells"))
    process = cluster.submit()
    wait(lambda: complete_checkpoints(work), "a trainer checkpoint")
    (job,) = cluster.created("train")
    cluster.preempt(job["metadata"]["name"])
    wait(lambda: logged("resuming from checkpoint-"), "the pod's second start")
    (trainer,) = trainers_in(cluster.folder)
    os.kill(trainer, signal.SIGSTOP)  # or it would be done before Snakemake is started again
    process.kill()
    process.wait()
    cluster.finish(cluster.snakemake("--unlock", "--config", "config=tiny.yaml"))
    process = cluster.submit()
    wait(lambda: logged("held by another job"), "the second job of the cell")
    os.kill(trainer, signal.SIGCONT)
    cluster.finish(process)

    assert read_json(manifest)["resumed"] is True
    base = read_json(cluster.folder / grid.paths.base_manifest("llava-w32@2"))
    assert read_json(manifest)["start_weights_hash"] == base["weights_hash"]
    # Kubernetes started the first again by itself; the second took its result over.
    assert len(cluster.created("train")) == 2
    requested = resources_of(job)
    assert requested["limits"] == {GPU: "2", "memory": "1500Mi"}
    assert requested["requests"][GPU] == "2"
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 30 * 60
    # What is drawn is one job, without GPUs, that requests what the largest of its parts needs.
    assert (cluster.folder / "results/tiny/figures/capacity.png").is_file()
    (drawn,) = cluster.created("draw")
    memory = Collect(grid).resources(Collect.key()).memory
    assert resources_of(drawn)["requests"] == {"cpu": "1", "memory": f"{memory}Mi"}
    assert GPU not in json.dumps(drawn)
