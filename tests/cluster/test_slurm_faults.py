"""A real Slurm: the faults of shared clusters, each injected while a cell trains.

Each must end with a finished grid whose weights and answers are those of an undisturbed run, and no
cell trained twice.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from processes import trainers_in, wait_for_end
from runs import Clock, note, resources, same_as, scontrol, snakemake_of, wait_until

RESUMED = re.compile(r"resuming from checkpoint-(\d+)")


def disturbed(fault, run, undisturbed, disturb, *more):
    """Disturb a cell that trains, compare the result with the undisturbed run, note the times.

    `disturb` takes the job's number and node. Returns the job's log after it has resumed.
    """
    process = run.start(resources(*more), target=run.trained("sft"))
    number, _, node, _ = run.wait_for_training()
    reached, seconds = run.reached("sft"), Clock()
    disturb(number, node)
    resumed = run.wait(lambda: RESUMED.search(run.cell_log("sft")), f"resuming after {fault}")
    trains, log = seconds(), run.cell_log("sft")
    run.wait_for_end(process)
    note(fault, max(0, reached - int(resumed[1])), trains, seconds())
    assert run.manifest("sft")["resumed"] is True
    same_as(run, undisturbed, "sft")
    return log


def test_a_job_that_somebody_cancels_is_tried_again_and_resumes(run, undisturbed):
    def cancel(number, node):
        subprocess.run(["scancel", number], check=True)

    disturbed("scancel by somebody", run, undisturbed, cancel)


def test_a_job_that_is_killed_outright_is_tried_again_and_resumes(run, undisturbed):
    """As by the kernel when memory runs out: no signal that a process could handle."""

    def kill(number, node):
        subprocess.run(["scancel", "--signal=KILL", number], check=True)

    disturbed("killed outright", run, undisturbed, kill)


def test_a_job_near_its_time_limit_saves_and_the_next_attempt_resumes(run, undisturbed):
    """A minute before the end of its two, Slurm sends the signal that the profile requests.

    The trainer is stopped until then.
    """

    def limit(number, node):
        (trainer,) = trainers_in(run.folder)
        os.kill(trainer, signal.SIGSTOP)
        run.wait(lambda: is_pending(trainer, signal.SIGTERM), "the signal")
        os.kill(trainer, signal.SIGCONT)
        saving = "SIGTERM: saving after this update"
        run.wait(lambda: saving in run.cell_log("sft"), "the trainer's message")
        reached.append(run.reached("sft"))

    reached = []
    log = disturbed("near the time limit", run, undisturbed, limit, "train:runtime=2*attempt")
    assert int(RESUMED.search(log)[1]) >= reached[0]  # no update is repeated


def is_pending(pid, number):
    """Whether a signal waits for a stopped process."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = re.findall(r"^(?:SigPnd|ShdPnd):\s*(\w+)", status, re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def release(run, number):
    """Let a job that Slurm put back into its queue start at once; Slurm holds it for 2 minutes."""

    def has_ended():
        return number not in [job[0] for job in run.jobs("RUNNING", "COMPLETING")]

    run.wait(has_ended, "the end of the job")
    if number in [job[0] for job in run.jobs("PENDING")]:
        scontrol("update", f"jobid={number}", "StartTime=now")


def preempt(run):
    def disturb(number, node):
        place = ["-p", "high", "-N1", "-w", node, "--gpus-per-node=2", "--mem=100"]
        command = ["sbatch", "--parsable", *place, "-o", "/dev/null", "--wrap", "sleep 3"]
        subprocess.run(command, check=True, timeout=30, capture_output=True)
        release(run, number)

    return disturb


def test_more_memory_is_requested_when_it_ran_out(run, undisturbed):
    process = run.start(resources("train:mem_mb=attempt*450"), target=run.trained("grpo"))
    (number, *_), *_ = run.wait(run.training, "the first attempt")
    run.wait(lambda: number not in [job[0] for job in run.training()], "its end")
    assert not run.checkpoints("grpo")
    seconds = Clock()
    run.wait(
        lambda: run.checkpoints("grpo") or process.poll() is not None,
        "the first update of the second attempt",
    )
    trains = seconds()
    run.wait_for_end(process)
    note("memory runs out", 0, trains, seconds())
    same_as(run, undisturbed, "grpo")
    log = run.log()
    assert "(1 GPUs, 450 MB" in log and "(1 GPUs, 900 MB" in log


def test_a_full_scratch_disk_is_named_and_the_job_resumes_when_there_is_room(run, undisturbed):
    """The work folders of training are on a small file system, which is filled up meanwhile."""
    disk = run.folder / run.grid.paths.work(run.cell("sft").id).parent
    disk.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    filler, logs = disk / "filler", []

    def fill(number, node):
        with filler.open("wb") as opened:
            while True:
                try:
                    os.write(opened.fileno(), bytes(2**16))
                except OSError:
                    break
        run.wait(lambda: "no space left" in run.cell_log("sft"), "the message")
        logs.append(run.cell_log("sft"))
        filler.unlink()

    try:
        disturbed("full scratch disk", run, undisturbed, fill)
        (line,) = (line for line in logs[0].splitlines() if "no space left" in line)
        assert line.startswith("error:") and re.search(r"checkpoint-\d+ is complete", line)
        assert str(disk.relative_to(run.folder)) in line
        assert "Traceback" not in logs[0]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_files_that_appear_late_are_waited_for(run, undisturbed):
    """Snakemake is stopped while a job ends and its files are hidden; then it misses them."""
    process = run.start(resources(), target=run.trained("sft"))
    (number, *_), *_ = run.wait(run.training, "the job")
    os.kill(process.pid, signal.SIGSTOP)
    run.wait(lambda: number in [job[0] for job in run.jobs("COMPLETED")], "the end of the job")
    manifest = run.results_of("sft") / "train.json"
    hidden = manifest.with_name("hidden.json")
    manifest.rename(hidden)
    os.kill(process.pid, signal.SIGCONT)
    seconds = Clock()
    run.wait(lambda: "missing files" in run.log(), "Snakemake's wait")
    hidden.rename(manifest)
    run.wait_for_end(process)
    note("files seen late", 0, 0, seconds())
    same_as(run, undisturbed, "sft")
    assert run.manifest("sft")["resumed"] is False


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_snakemake_ends_and_is_started_again(run, undisturbed, how):
    """Jobs that still run are left alone: a second job waits for the cell and takes its result."""
    target = run.scores("sft")
    process = run.start_run(resources(), target)
    run.wait_for_training()
    seconds = Clock()
    if how == "SIGKILL":
        os.killpg(process.pid, signal.SIGKILL)  # with the Snakemake that it has started
        process.wait()
        assert run.training()  # the job still runs
    else:
        snakemake_of(process).terminate()  # it waits for what runs, and starts nothing more
        wait_for_end(process, "the end of Snakemake", progress=run.progress)
    run.wait_for_end(run.start_run(resources(), target))
    note(f"Snakemake receives {how}", 0, 0, seconds())
    same_as(run, undisturbed, "sft")
    assert run.manifest("sft")["resumed"] is False  # trained once, by one job


@pytest.mark.alone
def test_a_preempted_job_comes_back_and_resumes(run, undisturbed):
    """Slurm kills it at once here, and puts it back into the queue: no attempt is used up."""
    partition = "train:slurm_partition=preempt"
    disturbed("preemption, killed at once", run, undisturbed, preempt(run), partition)


@pytest.mark.alone
def test_a_job_that_is_preempted_with_a_time_of_grace_resumes(run, undisturbed):
    """This version of Slurm sends no signal when the time of grace begins.

    The trainer is stopped, or it would be done within that time.
    """

    def disturb(number, node):
        (trainer,) = trainers_in(run.folder)
        os.kill(trainer, signal.SIGSTOP)
        preempt(run)(number, node)

    partition = "train:slurm_partition=graceful"
    disturbed("preemption after a time of grace", run, undisturbed, disturb, partition)


@pytest.mark.alone
def test_a_node_that_goes_down_loses_nothing(run, undisturbed):
    def down(number, node):
        # Drained first, or the job would go back to it.
        scontrol("update", f"nodename={node}", "state=drain", "reason=test")
        scontrol("update", f"nodename={node}", "state=down", "reason=test")
        release(run, number)
        run.wait(
            lambda: [job for job in run.jobs("RUNNING") if job[0] == number and job[2] != node],
            "the job on another node",
        )
        # It may have come back by itself.
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"])

    disturbed("node down and drained", run, undisturbed, down)


@pytest.mark.alone
def test_a_node_whose_daemon_died_is_waited_for_not_doubled(run, undisturbed, cluster):
    """The job's processes outlive their slurmd, and Slurm starts the job anew elsewhere.

    The second one waits for them and takes over their result.
    """
    process = run.start(resources(), target=run.trained("sft"))
    number, _, node, _ = run.wait_for_training()
    seconds = Clock()
    (trainer,) = trainers_in(run.folder)
    os.kill(trainer, signal.SIGSTOP)  # or it would be done before Slurm misses its node
    cluster.stop_node(node)
    try:
        release(run, number)
        run.wait(lambda: "held by another job" in run.cell_log("sft"), "the second job")
        os.kill(trainer, signal.SIGCONT)
        run.wait_for_end(process)
    finally:
        cluster.start_node(node)
        wait_until(cluster.is_up, "the node")
    same_as(run, undisturbed, "sft")
    assert run.manifest("sft")["resumed"] is False  # trained once, by the first
    note("slurmd killed", 0, 0, seconds())
