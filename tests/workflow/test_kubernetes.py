"""The profile for Kubernetes against a stand-in for kubectl, whose pods are processes of this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from processes import PATIENCE, complete_checkpoints, trainers_in, wait_until
from tiny import SFT, tiny_config

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
        tiny_config(folder, settings={"sft": sft}, results="results", scratch="scratch")
        # The profile is used as from the project's folder; only the template is a site's own.
        profile = folder / "workflow/profiles/kubernetes"
        shutil.copytree(ROOT / "workflow/profiles/kubernetes", profile)
        template = (profile / "job.yaml").read_text()
        assert template.count("CHANGE-ME") == 4  # three places, and the sentence that names them
        template = template.replace("mountPath: CHANGE-ME", f"mountPath: {folder}").replace(
            "CHANGE-ME", "site"
        )
        (profile / "job.yaml").write_text(template)

    def snakemake(self, *words):
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            *words,
        ]
        log = (self.folder / "log").open("a")
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
        )
        self.started.append(process)
        return process

    def end(self):
        """Leave nothing behind, whatever went wrong."""
        for process in self.started:
            process.kill()
        for trainer in trainers_in(self.folder):
            os.kill(trainer, signal.SIGKILL)

    def submit(self, *words, target="all"):
        profile = [
            "--profile",
            "workflow/profiles/kubernetes",
            "--set-resources",
            "train:gpu=2",
            "--latency-wait",
            "5",
        ]
        profile += ["--seconds-between-status-checks", "1"]
        return self.snakemake(*profile, *words, "--config", "config=tiny.yaml", "--", target)

    def finish(self, process):
        assert process.wait(timeout=PATIENCE) == 0, (self.folder / "log").read_text()[-4000:]

    def preempt(self, name):
        """Do as Kubernetes does: SIGTERM to the first process of the pod, and a new pod when it has ended."""
        (self.jobs / f"{name}.preempted").touch()
        os.kill(int((self.jobs / f"{name}.pid").read_text()), signal.SIGTERM)

    def created(self, rule):
        found = [json.loads(path.read_text()) for path in sorted(self.jobs.glob("*.json"))]
        return [job for job in found if job["metadata"]["labels"]["reassess/rule"] == rule]


@pytest.fixture
def cluster(tmp_path):
    found = Cluster(tmp_path / "grid")
    yield found
    found.end()


def test_a_grid_goes_through_though_its_trainer_is_preempted_and_snakemake_killed(cluster):
    grid = Grid.load(cluster.folder / "tiny.yaml")
    cell = next(one for one in grid.cells.values() if one.arm == "sft")
    manifest = cluster.folder / grid.paths.train_manifest(cell.id)
    log = cluster.folder / grid.paths.log("train", cell.id)
    said = lambda: log.read_text() if log.is_file() else ""  # noqa: E731 - each job begins it anew
    cluster.finish(
        cluster.snakemake(
            "--cores", "2", "--config", "config=tiny.yaml", "--until", "prepare_rows", "--", "cells"
        )
    )
    process = cluster.submit()
    work = cluster.folder / grid.paths.work(cell.id)
    wait_until(lambda: complete_checkpoints(work), "a trainer checkpoint")
    (job,) = cluster.created("train")
    cluster.preempt(job["metadata"]["name"])
    wait_until(lambda: "resuming from checkpoint-" in said(), "the pod's second start")
    (trainer,) = trainers_in(cluster.folder)
    os.kill(trainer, signal.SIGSTOP)  # or it would be done before Snakemake is called again
    process.kill()
    process.wait()
    assert cluster.snakemake("--unlock", "--config", "config=tiny.yaml").wait(timeout=PATIENCE) == 0
    process = cluster.submit()
    wait_until(lambda: "held by another job" in said(), "the double")
    os.kill(trainer, signal.SIGCONT)
    cluster.finish(process)
    assert read_json(manifest)["resumed"] is True
    assert (
        len(cluster.created("train")) == 2
    )  # Kubernetes tried the first again by itself; the second took its result over
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (
        container["resources"]["limits"]["nvidia.com/gpu"]
        == container["resources"]["requests"]["nvidia.com/gpu"]
        == "2"
    )
    assert container["resources"]["limits"]["memory"] == "1500Mi"
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 30 * 60
    # What is drawn is one job, without GPUs, that asks for what the largest of its parts needs.
    assert (cluster.folder / "results/tiny/figures/capacity.png").is_file()
    drawn = cluster.created("draw")
    assert len(drawn) == 1 and "nvidia.com/gpu" not in json.dumps(drawn)
    (container,) = drawn[0]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {
        "cpu": "1",
        "memory": f"{Collect(grid).resources(Collect.key()).memory}Mi",
    }
