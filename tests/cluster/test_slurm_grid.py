"""A real Slurm: a grid through the profile, its status meanwhile, and many jobs of seconds."""

import os
import re
import subprocess
import sys
import time

from processes import files_below
from runs import resources, same_as, slurm_jobs, wait_until

from reassess.core.files import read_json

DRAWN = ("collect", "tabulate", "test_claims", "draw_figure")


def test_a_grid_through_the_profile_is_the_local_one_and_each_job_has_its_gpu(run, undisturbed):
    # Groups as the profile proposes them.
    groups = ["evaluate=scores", *(f"{rule}=draw" for rule in DRAWN)]
    process = run.start(
        resources("evaluate:gpu=1"),
        target="all",
        groups=groups,
        **{"group-components": ["scores=3"]},
    )
    seen = {}

    def over():
        for number, _, node, comment in run.jobs("RUNNING"):
            if number not in seen:  # Slurm forgets jobs after a while
                seen[number] = (comment.split("_wildcards_")[0], node, *requested_by(number))
        return process.poll() is not None

    run.wait(over, "the grid")
    assert process.returncode == 0, run.log()[-4000:]
    for method in ("sft", "grpo"):
        same_as(run, undisturbed, method)
        manifest = run.manifest(method)
        assert manifest["hardware"]["visible_devices"] in ("0", "1")
        assert not manifest["resumed"]
        scored = read_json(run.results_of(method) / "scores.json")
        assert scored["manifest"]["hardware"]["visible_devices"] in ("0", "1")
    assert undisturbed.manifest("sft")["hardware"]["visible_devices"] is None
    assert (run.folder / "results/tiny/figures/capacity.png").is_file()
    # What is drawn is one job, and so are the evaluations; each training is one, on a GPU node.
    drawing = f"rule_draw_{'_'.join(sorted(DRAWN))}"
    rules, nodes, cpus, gpus = zip(*sorted(seen.values()), strict=True)
    assert rules == (drawing, "rule_scores_evaluate", "rule_train", "rule_train")
    # A group requests what the largest of its jobs needs, not the sum.
    assert cpus == (1, 1, 1, 1) and gpus == (0, 1, 1, 1)
    assert set(nodes[1:]) <= {"n1", "n2"}


def requested_by(number):
    """The CPUs and GPUs that a job has requested of Slurm."""
    shown = subprocess.run(
        ["scontrol", "-o", "show", "job", number], capture_output=True, text=True, check=True
    ).stdout
    gpus = re.search(r"TresPerJob=gres:gpu:(\d+)", shown)
    return int(re.search(r"NumCPUs=(\d+)", shown)[1]), int(gpus[1]) if gpus else 0


def test_status_shows_the_jobs_of_its_own_grid(run):
    """`reassess run` gives its jobs the grid's name, by which two grids of a folder differ."""
    other = run.folder / "other.yaml"
    other.write_text("extends: tiny.yaml\ngrid: other\n")
    process = run.start_run(resources(), target=run.trained("sft"))
    number, *_ = run.wait_for_training()

    def status(config):
        command = [sys.executable, "-m", "reassess.cli.entry", "status", "--config", config]
        return subprocess.run(
            command, cwd=run.folder, capture_output=True, text=True, check=True
        ).stdout

    assert f"Slurm job {number} (train): running (n" in status("tiny.yaml")
    assert "Slurm job" not in status("other.yaml")
    run.wait_for_end(process)


SLEEPERS = """
rule all:
    input: expand("out/{n}", n=range(int(config["jobs"])))

rule sleep:
    output: touch("out/{n}")
    resources: mem_mb=400, runtime=1
    shell: "sleep 0.01"
"""
# Each takes some seconds of Snakemake's own; `make test-slurm-scale` takes 2,000.
JOBS = int(os.environ.get("REASSESS_SLEEPERS", "24"))


def test_sleeping_jobs_go_through_in_groups_and_never_more_than_the_limit(tmp_path, undisturbed):
    """As the documentation advises for jobs of seconds: n to a submission, two of them at once."""
    limit, together = 2, max(6, JOBS // 20)
    (tmp_path / "Snakefile").write_text(SLEEPERS)
    options = {
        "executor": "slurm",
        "jobs": limit,
        "slurm-status-command": "squeue",
        "slurm-init-seconds-before-status-checks": 5,
        "default-resources": "slurm_partition=cpu",
        "groups": "sleep=naps",
        "group-components": f"naps={together}",
        "cores": 2,
        "resources": "mem_mb=800",
        "config": f"jobs={JOBS}",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["snakemake", "--slurm-no-account", *words],
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    began, numbers, at_once = time.monotonic(), set(), []

    def own_jobs():
        queue = slurm_jobs("RUNNING", "PENDING", "COMPLETING")
        return [job for job in queue if job[4] == str(tmp_path)]

    def over():
        own = own_jobs()
        at_once.append(sum(job[1] != "COMPLETING" for job in own))
        numbers.update(job[0] for job in own)
        return process.poll() is not None

    wait_until(over, f"{JOBS} jobs", lambda: (own_jobs(), files_below(tmp_path)))
    assert process.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    assert len(list((tmp_path / "out").iterdir())) == JOBS
    assert len(numbers) == -(-JOBS // together) and max(at_once) <= limit
    seconds = time.monotonic() - began
    print(f"{JOBS} jobs in {len(numbers)} submissions, {max(at_once)} at once: {seconds:.0f} s")
