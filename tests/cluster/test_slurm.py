"""A real Slurm: a grid through the profile, and the faults of shared clusters, each injected while a cell trains.

Each fault must end with a finished grid whose weights and answers are those of an undisturbed run, and no cell trained twice.
"""

import json
import subprocess

import pytest
from conftest import jobs, training, wait_until


def resources(*more):
    """Return the options that give each training job a GPU, and whatever else is named."""
    return ("--set-resources", "train:gpu=1", *more)


def same_as(run, undisturbed, method):
    """Hold weights and answers of a cell against those of the undisturbed run."""
    assert run.manifest(method)["weights_hash"] == undisturbed.manifest(method)["weights_hash"]
    ours, theirs = (one.predictions(method) for one in (run, undisturbed))
    assert ours.equals(theirs)


def test_a_grid_through_the_profile_is_the_local_one_and_each_job_has_its_gpu(run, undisturbed):
    process = run.start(*resources(), target="all")
    seen = {}

    def over():
        for number, state, node, comment in jobs("RUNNING", "COMPLETING"):
            seen[comment.split("_wildcards_")[0], number] = (state, node)
        return process.poll() is not None

    wait_until(over, "the grid", seconds=400)
    assert process.returncode == 0, run.log()[-4000:]
    for method in ("sft", "grpo"):
        same_as(run, undisturbed, method)
        manifest = run.manifest(method)
        assert manifest["hardware"]["visible_devices"] in ("0", "1")
        assert not manifest["resumed"]
    assert undisturbed.manifest("sft")["hardware"]["visible_devices"] is None
    assert (run.folder / "results/tiny/figures/capacity.png").is_file()
    # What is drawn went into one job; the cells each into one of their own, training on the nodes with GPUs.
    placed = [(rule, node) for (rule, _), (_, node) in seen.items()]
    assert {node for rule, node in placed if rule == "rule_train"} <= {"n1", "n2"}
    assert sum(rule.startswith("rule_draw_figure") or "draw" in rule for rule, _ in placed) <= 1


def disturbed(run, undisturbed, disturb, *more, seconds=300, method="sft"):
    """Let a cell train until it has a trainer checkpoint, disturb it, and hold the end against the undisturbed run."""
    target = str(run.grid.cell_dir(run.cell(method)) / "scores.json")
    process = run.start(*resources(*more), target=target)
    (number, _, node, _), *_ = wait_until(lambda: run.checkpoints(method) and training(), "a trainer checkpoint")
    disturb(number, node)
    run.wait_for(process, seconds)
    assert run.manifest(method)["resumed"] is True
    assert run.manifest(method)["samples"] == undisturbed.manifest(method)["samples"]
    same_as(run, undisturbed, method)


def scontrol(*words):
    subprocess.run(["scontrol", *words], check=True, timeout=10)


def test_a_job_that_somebody_cancels_is_tried_again_and_goes_on(run, undisturbed):
    disturbed(run, undisturbed, lambda number, node: subprocess.run(["scancel", number], check=True))


def test_a_job_that_is_killed_outright_is_tried_again_and_goes_on(run, undisturbed):
    """As by the kernel when memory runs out: no signal that a process could hear."""
    disturbed(run, undisturbed, lambda number, node: subprocess.run(["scancel", "--signal=KILL", number], check=True))


def release(number):
    """Let a job that Slurm put back into its queue start at once; Slurm holds it for two minutes."""
    wait_until(lambda: not [job for job in jobs("RUNNING", "COMPLETING") if job[0] == number], "the end of the job")
    if [job for job in jobs("PENDING") if job[0] == number]:
        scontrol("update", f"jobid={number}", "StartTime=now")


def test_a_preempted_job_comes_back_and_goes_on(run, undisturbed):
    """Slurm kills it at once here, and puts it back into the queue itself: no attempt is used up."""

    def preempt(number, node):
        place = ["-p", "high", "-N1", "-w", node, "--gpus-per-node=2", "--mem=100"]
        words = ["sbatch", "--parsable", *place, "-o", "/dev/null", "--wrap", "sleep 3"]
        subprocess.run(words, check=True, timeout=10, capture_output=True)
        release(number)

    disturbed(run, undisturbed, preempt, "train:slurm_partition=preempt")


def test_a_node_that_goes_down_loses_nothing(run, undisturbed):
    def down(number, node):
        scontrol("update", f"nodename={node}", "state=drain", "reason=test")  # or the job would go back to it
        scontrol("update", f"nodename={node}", "state=down", "reason=test")
        release(number)
        wait_until(lambda: [job for job in jobs("RUNNING") if job[0] == number and job[2] != node], "the job on another node")
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"])  # it may have come back by itself

    disturbed(run, undisturbed, down)


def test_more_memory_is_asked_for_when_it_ran_out(run, undisturbed):
    target = str(run.grid.cell_dir(run.cell("grpo")) / "scores.json")
    run.finish(*resources("train:mem_mb=attempt*450"), target=target)
    same_as(run, undisturbed, "grpo")
    log = run.log()
    assert "(1 GPUs, 450 MB" in log and "(1 GPUs, 900 MB" in log


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_snakemake_dies_and_is_called_again(run, undisturbed, how):
    """Jobs that run on are not disturbed by their doubles: a double waits for the cell and takes over its result."""
    target = str(run.grid.cell_dir(run.cell("sft")) / "scores.json")
    process = run.start(*resources(), target=target)
    wait_until(lambda: run.checkpoints("sft") and training(), "a trainer checkpoint")
    if how == "SIGKILL":
        process.kill()
        process.wait()
        assert training()  # the job runs on
        run.unlock()
        run.finish(*resources(), target=target)
    else:
        process.terminate()  # it waits for what runs, and starts nothing more
        process.wait(timeout=200)
        run.finish(*resources(), target=target)
    manifest = run.manifest("sft")
    assert manifest["samples"] == undisturbed.manifest("sft")["samples"]
    same_as(run, undisturbed, "sft")
    assert json.dumps(manifest).count('"resumed": false') == 1  # trained once, by one job
