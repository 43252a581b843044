"""A real Slurm: a grid through the profile, and the faults of shared clusters, each injected while a cell trains.

Each fault must end with a finished grid whose weights and answers are those of an undisturbed run, and no cell trained twice.
"""

import json
import os
import re
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import RECORD, jobs, locked
from processes import PATIENCE, trainers_in, wait_until

from reassess.core.files import read_json

wait_until = partial(wait_until, also=lambda: f"jobs: {jobs()}")
GONE_ON = re.compile(r"resuming from checkpoint-(\d+)")


def resources(*more):
    """Return the options that give each training job a GPU, and whatever else is named."""
    return ("--set-resources", "train:gpu=1", "train:slurm_extra=\"'--signal=TERM@60'\"", *more)


def same_as(run, undisturbed, method):
    """Hold weights and answers of a cell against those of the undisturbed run."""
    assert run.manifest(method)["weights_hash"] == undisturbed.manifest(method)["weights_hash"]
    assert run.manifest(method)["samples"] == undisturbed.manifest(method)["samples"]
    if not (run.results_of(method) / "scores.json").is_file():
        run.evaluate(method)
    ours, theirs = (one.results_of(method) / "predictions.parquet" for one in (run, undisturbed))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_grid_through_the_profile_is_the_local_one_and_each_job_has_its_gpu(run, undisturbed):
    drawn = [f"{rule}=draw" for rule in ("collect", "tabulate", "test_claims", "draw_figure")]
    shared = [
        "--groups",
        "evaluate=scores",
        *drawn,
        "--group-components",
        "scores=3",
    ]  # as the profile proposes
    process = run.start(*resources("evaluate:gpu=1", *shared), target="all")
    seen = {}

    def over():
        for number, _, node, comment in run.jobs("RUNNING"):
            if number not in seen:  # and Slurm forgets them in time
                seen[number] = (comment.split("_wildcards_")[0], node, *asked_for(number))
        return process.poll() is not None

    wait_until(over, "the grid")
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
    # What is drawn went into one job, and so did the evaluations; each training into one of its own, on the nodes with GPUs.
    drawing = "rule_draw_collect_draw_figure_tabulate_test_claims"
    rules, nodes, cpus, gpus = zip(*sorted(seen.values()), strict=True)
    assert rules == (drawing, "rule_scores_evaluate", "rule_train", "rule_train")
    assert cpus == (1, 1, 1, 1) and gpus == (
        0,
        1,
        1,
        1,
    )  # a group asks for what the largest of its jobs needs, not for the sum
    assert set(nodes[1:]) <= {"n1", "n2"}


def asked_for(number):
    """Return the CPUs and GPUs that Slurm was asked for by a job."""
    said = subprocess.run(
        ["scontrol", "-o", "show", "job", number], capture_output=True, text=True, check=True
    ).stdout
    gpus = re.search(r"TresPerJob=gres:gpu:(\d+)", said)
    return int(re.search(r"NumCPUs=(\d+)", said)[1]), int(gpus[1]) if gpus else 0


def disturbed(fault, run, undisturbed, disturb, *more):
    """Let a cell train until it has a trainer checkpoint, disturb it, hold the end against the undisturbed run, and note the times.

    Returns what the job said when it went on.
    """
    process = run.start(*resources(*more), target=run.trained("sft"))
    (number, _, node, _), *_ = wait_until(
        lambda: run.checkpoints("sft") and run.training(), "a trainer checkpoint"
    )
    reached, began = run.reached("sft"), time.monotonic()
    disturb(number, node)
    gone_on = wait_until(lambda: GONE_ON.search(run.said("sft")), f"going on after {fault}")
    trains, words = time.monotonic() - began, run.said("sft")
    run.wait_for(process)
    note(fault, max(0, reached - int(gone_on[1])), trains, time.monotonic() - began)
    assert run.manifest("sft")["resumed"] is True
    same_as(run, undisturbed, "sft")
    return words


def note(fault, again, trains, scored):
    """Write a line for the table of faults: updates done again, and seconds."""
    with locked(RECORD.with_suffix(".lock")), RECORD.open("a") as record:
        record.write(
            json.dumps({"fault": fault, "again": again, "trains": trains, "scored": scored}) + "\n"
        )


def scontrol(*words):
    subprocess.run(["scontrol", *words], check=True, timeout=30)


def test_a_job_that_somebody_cancels_is_tried_again_and_goes_on(run, undisturbed):
    disturbed(
        "scancel by somebody",
        run,
        undisturbed,
        lambda number, node: subprocess.run(["scancel", number], check=True),
    )


def test_a_job_that_is_killed_outright_is_tried_again_and_goes_on(run, undisturbed):
    """As by the kernel when memory runs out: no signal that a process could hear."""
    kill = lambda number, node: subprocess.run(["scancel", "--signal=KILL", number], check=True)  # noqa: E731
    disturbed("killed outright", run, undisturbed, kill)


def test_a_job_near_its_time_limit_saves_and_the_next_attempt_goes_on(run, undisturbed):
    """A minute before the end of its two, Slurm sends the signal that the profile asks for. The trainer is held until then."""

    def limit(number, node):
        (trainer,) = trainers_in(run.folder)
        os.kill(trainer, signal.SIGSTOP)
        wait_until(lambda: is_pending(trainer, signal.SIGTERM), "the signal", seconds=120)
        os.kill(trainer, signal.SIGCONT)
        wait_until(
            lambda: "SIGTERM: saving after this update" in run.said("sft"),
            "the trainer's word",
            seconds=30,
        )
        reached.append(run.reached("sft"))

    reached = []
    words = disturbed("near the time limit", run, undisturbed, limit, "train:runtime=2*attempt")
    assert int(GONE_ON.search(words)[1]) >= reached[0]  # not an update is done again


def is_pending(pid, number):
    """Return whether a signal waits for a stopped process."""
    waiting = re.findall(
        r"^(?:SigPnd|ShdPnd):\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    return any(int(mask, 16) >> (number - 1) & 1 for mask in waiting)


def release(run, number):
    """Let a job that Slurm put back into its queue start at once; Slurm holds it for two minutes."""
    wait_until(
        lambda: number not in [job[0] for job in run.jobs("RUNNING", "COMPLETING")],
        "the end of the job",
    )
    if number in [job[0] for job in run.jobs("PENDING")]:
        scontrol("update", f"jobid={number}", "StartTime=now")


def preempt(run):
    def disturb(number, node):
        place = ["-p", "high", "-N1", "-w", node, "--gpus-per-node=2", "--mem=100"]
        words = ["sbatch", "--parsable", *place, "-o", "/dev/null", "--wrap", "sleep 3"]
        subprocess.run(words, check=True, timeout=30, capture_output=True)
        release(run, number)

    return disturb


def test_more_memory_is_asked_for_when_it_ran_out(run, undisturbed):
    process = run.start(*resources("train:mem_mb=attempt*450"), target=run.trained("grpo"))
    (number, *_), *_ = wait_until(run.training, "the first attempt")
    wait_until(lambda: number not in [job[0] for job in run.training()], "its end")
    assert not run.checkpoints("grpo")
    began = time.monotonic()
    wait_until(
        lambda: run.checkpoints("grpo") or process.poll() is not None,
        "the first update of the second attempt",
    )
    trains = time.monotonic() - began
    run.wait_for(process)
    note("memory runs out", 0, trains, time.monotonic() - began)
    same_as(run, undisturbed, "grpo")
    log = run.log()
    assert "(1 GPUs, 450 MB" in log and "(1 GPUs, 900 MB" in log


def test_a_full_scratch_disk_is_named_and_the_job_goes_on_when_there_is_room(run, undisturbed):
    """The work folders of training lie on a small file system of their own, which is filled up while the cell trains."""
    disk = run.folder / run.grid.paths.work(run.cell("sft").id).parent
    disk.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        filler = disk / "filler"

        def fill(number, node):
            with filler.open("wb") as opened:
                while True:
                    try:
                        os.write(opened.fileno(), bytes(2**16))
                    except OSError:
                        break
            wait_until(
                lambda: "no space left for trainer checkpoints" in run.said("sft"), "the message"
            )
            messages.append(run.said("sft"))
            filler.unlink()

        messages = []
        disturbed("full scratch disk", run, undisturbed, fill)
        assert re.search(
            r"error: no space left for trainer checkpoints in .*; make room: checkpoint-\d+ is whole",
            messages[0],
        )
        assert "Traceback" not in messages[0]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_files_that_show_up_late_are_waited_for(run, undisturbed):
    """Snakemake sleeps while a job ends and its files are hidden; awake, it finds the job done and its files missing."""
    process = run.start(*resources(), target=run.trained("sft"))
    (number, *_), *_ = wait_until(run.training, "the job")
    os.kill(process.pid, signal.SIGSTOP)
    wait_until(lambda: number in [job[0] for job in run.jobs("COMPLETED")], "the end of the job")
    manifest = run.results_of("sft") / "train.json"
    hidden = manifest.with_name("hidden.json")
    manifest.rename(hidden)
    os.kill(process.pid, signal.SIGCONT)
    began = time.monotonic()
    wait_until(lambda: "missing files" in run.log(), "Snakemake's wait", seconds=60)
    hidden.rename(manifest)
    run.wait_for(process)
    note("files seen late", 0, 0, time.monotonic() - began)
    same_as(run, undisturbed, "sft")
    assert run.manifest("sft")["resumed"] is False


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_snakemake_dies_and_is_called_again(run, undisturbed, how):
    """Jobs that run on are not disturbed by their doubles: a double waits for the cell and takes over its result."""
    target = run.scores("sft")
    process = run.start(*resources(), target=target)
    wait_until(lambda: run.checkpoints("sft") and run.training(), "a trainer checkpoint")
    began = time.monotonic()
    if how == "SIGKILL":
        process.kill()
        process.wait()
        assert run.training()  # the job runs on
        run.unlock()
    else:
        process.terminate()  # it waits for what runs, and starts nothing more
        process.wait(timeout=PATIENCE)
    run.finish(*resources(), target=target)
    note(f"Snakemake gets {how}", 0, 0, time.monotonic() - began)
    same_as(run, undisturbed, "sft")
    assert run.manifest("sft")["resumed"] is False  # trained once, by one job


SLEEPERS = """
rule all:
    input: expand("out/{n}", n=range(int(config["jobs"])))

rule sleep:
    output: touch("out/{n}")
    resources: mem_mb=400, runtime=1
    shell: "sleep 0.01"
"""
JOBS = int(
    os.environ.get("REASSESS_SLEEPERS", "24")
)  # of some seconds of Snakemake's own each: `make test-slurm-scale` takes 2,000


def test_sleeping_jobs_go_through_in_groups_and_never_more_than_the_limit(
    tmp_path, undisturbed, cluster
):
    """As the documentation advises for jobs of seconds: so many to a submission, and two at a time in each."""
    limit, together = 2, max(6, JOBS // 20)
    (tmp_path / "Snakefile").write_text(SLEEPERS)
    words = [
        "--executor",
        "slurm",
        "--jobs",
        str(limit),
        "--slurm-status-command",
        "squeue",
        "--slurm-no-account",
    ]
    words += [
        "--slurm-init-seconds-before-status-checks",
        "5",
        "--default-resources",
        "slurm_partition=cpu",
    ]
    words += [
        "--groups",
        "sleep=naps",
        "--group-components",
        f"naps={together}",
        "--cores",
        "2",
        "--resources",
        "mem_mb=800",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["snakemake", *words, "--config", f"jobs={JOBS}"],
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    here = SimpleNamespace(most=0, seen=set(), began=time.monotonic())

    def over():
        ours = [job for job in jobs("RUNNING", "PENDING", "COMPLETING") if job[4] == str(tmp_path)]
        here.most = max(here.most, sum(job[1] != "COMPLETING" for job in ours))
        here.seen |= {job[0] for job in ours}
        return process.poll() is not None

    wait_until(over, f"{JOBS} jobs", seconds=PATIENCE + 5 * JOBS)
    assert process.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    assert len(list((tmp_path / "out").iterdir())) == JOBS
    assert len(here.seen) == -(-JOBS // together) and here.most <= limit
    print(
        f"{JOBS} jobs in {len(here.seen)} submissions, {here.most} at a time: {time.monotonic() - here.began:.0f} s"
    )


@pytest.mark.alone
def test_a_preempted_job_comes_back_and_goes_on(run, undisturbed):
    """Slurm kills it at once here, and puts it back into the queue itself: no attempt is used up."""
    disturbed(
        "preemption, killed at once",
        run,
        undisturbed,
        preempt(run),
        "train:slurm_partition=preempt",
    )


@pytest.mark.alone
def test_a_job_that_is_preempted_with_a_time_of_grace_goes_on(run, undisturbed):
    """This version of Slurm says nothing when the time of grace begins; the trainer is held, or it would be done within it."""

    def disturb(number, node):
        (trainer,) = trainers_in(run.folder)
        os.kill(trainer, signal.SIGSTOP)
        preempt(run)(number, node)

    disturbed(
        "preemption after a time of grace",
        run,
        undisturbed,
        disturb,
        "train:slurm_partition=graceful",
    )


@pytest.mark.alone
def test_a_node_that_goes_down_loses_nothing(run, undisturbed):
    def down(number, node):
        scontrol(
            "update", f"nodename={node}", "state=drain", "reason=test"
        )  # or the job would go back to it
        scontrol("update", f"nodename={node}", "state=down", "reason=test")
        release(run, number)
        wait_until(
            lambda: [job for job in run.jobs("RUNNING") if job[0] == number and job[2] != node],
            "the job on another node",
        )
        subprocess.run(
            ["scontrol", "update", f"nodename={node}", "state=resume"]
        )  # it may have come back by itself

    disturbed("node down and drained", run, undisturbed, down)


@pytest.mark.alone
def test_a_node_whose_daemon_died_is_waited_for_not_doubled(run, undisturbed, cluster):
    """The job's processes outlive their slurmd. Slurm starts the job anew elsewhere: the double waits for them and takes over."""
    process = run.start(*resources(), target=run.trained("sft"))
    (number, _, node, _), *_ = wait_until(
        lambda: run.checkpoints("sft") and run.training(), "a trainer checkpoint"
    )
    began = time.monotonic()
    (trainer,) = trainers_in(run.folder)
    os.kill(trainer, signal.SIGSTOP)  # or it would be done before Slurm misses its node
    cluster.stop_node(node)
    try:
        release(run, number)
        wait_until(lambda: "held by another job" in run.said("sft"), "the double")
        os.kill(trainer, signal.SIGCONT)
        run.wait_for(process)
    finally:
        cluster.start_node(node)
        wait_until(cluster.is_up, "the node", seconds=60)
    same_as(run, undisturbed, "sft")
    assert run.manifest("sft")["resumed"] is False  # trained once, by the first
    note("slurmd killed", 0, 0, time.monotonic() - began)
