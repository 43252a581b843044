"""Jobs as Kubernetes pods, below Snakemake's generic cluster executor; the profile `kubernetes` calls this.

Snakemake's own executor for Kubernetes allows no shared file system, and weights and trainer checkpoints lie on one here.

    python -m reassess.cluster.kubernetes submit TEMPLATE JOBSCRIPT    prints the name of a new Job
    python -m reassess.cluster.kubernetes status NAME                  prints running, success or failed
    python -m reassess.cluster.kubernetes run SECONDS SCRIPT           the pod's own process: runs the script, hands signals on
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from reassess.cluster.profile import PLACEHOLDER
from reassess.core.errors import ReassessError
from reassess.workflow import signals

GPU = "nvidia.com/gpu"
NAME, WILDCARDS = (
    "app.kubernetes.io/name",
    "reassess/job",
)  # a label; an annotation that says which cell
SELECTOR = f"{NAME}=reassess"
CARRIED = (
    "OMP_NUM_THREADS",
    "PATH",
    "PYTHONPATH",
)  # of the environment; secrets come into a pod by Kubernetes' own means
SAVE_SECONDS = 300  # before its time limit a trainer is told to save
LONGEST_NAME = 40  # of what a name says; Kubernetes allows 63 with what is added to it


def manifest(
    template: Mapping[str, Any], jobscript: str, folder: Path, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the Job that runs one of Snakemake's job scripts: a site's template with name, resources and script filled in.

    Args:
        template: a Job of `batch/v1` with one container.
        jobscript: the script's text; its line `# properties = {...}` says what the job is and asks for (`mem_mb` in MiB, `runtime`
            in minutes, `gpu`).
        folder: where the job runs, on the volume that the pods share.
        environment: of the submitting process.

    Raises:
        ReassessError: the template is not filled in, or is none.
    """
    blanks = unfilled(template)
    if blanks:
        raise ReassessError(f"the job template still says {PLACEHOLDER} at {', '.join(blanks)}")
    found = re.search(r"^# properties = (.*)$", jobscript, re.MULTILINE)
    if found is None:
        raise ReassessError(
            "this is no job script of Snakemake: it has no line `# properties = ...`"
        )
    properties = json.loads(found[1])
    asked, name = (
        properties["resources"],
        properties.get("rule") or properties.get("groupid", "group"),
    )
    seconds = 60 * int(asked["runtime"])
    job: dict[str, Any] = json.loads(json.dumps(template))  # a copy
    pod, container = parts_of(job)
    word = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST_NAME].strip("-")
    labels = {NAME: "reassess", "reassess/rule": word}
    said = {WILDCARDS: json.dumps(properties.get("wildcards", {}))}
    for part in (job, job["spec"]["template"]):
        metadata = part.setdefault("metadata", {})
        metadata["labels"] = {**metadata.get("labels", {}), **labels}
        metadata["annotations"] = {**metadata.get("annotations", {}), **said}
    job["metadata"]["name"] = f"reassess-{word}-{uuid.uuid4().hex[:10]}"
    pod["activeDeadlineSeconds"] = seconds
    container["command"] = [sys.executable, "-m", "reassess.cluster.kubernetes", "run"]
    container["args"] = [str(seconds), jobscript]
    container["workingDir"] = str(folder)
    container["env"] = [
        *container.get("env", []),
        *({"name": name, "value": environment[name]} for name in CARRIED if name in environment),
    ]
    limits = {
        "memory": f"{int(asked['mem_mb'])}Mi",
        **({GPU: str(asked["gpu"])} if int(asked.get("gpu", 0)) else {}),
    }
    given = container.get("resources", {})
    container["resources"] = {
        "limits": {**given.get("limits", {}), **limits},
        "requests": {
            "cpu": str(asked.get("cpus_per_task") or properties.get("threads", 1)),
            **given.get("requests", {}),
            **limits,
        },
    }
    return job


def parts_of(job: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pod of a Job and its container.

    Raises:
        ReassessError: it is no Job with one container.
    """
    try:
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
    except (KeyError, TypeError, ValueError) as error:
        raise ReassessError(f"the job template is no Job with one container ({error})") from None
    return pod, container


def unfilled(template: Mapping[str, Any]) -> list[str]:
    """Return the places of a template that a site has not filled in."""
    return [where for where, value in _leaves(template) if PLACEHOLDER in str(value)]


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    inner = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if inner is None:
        yield where.removeprefix("."), value
        return
    for key, one in inner:
        yield from _leaves(one, f"{where}[{key}]" if isinstance(value, list) else f"{where}.{key}")


def submit(template: Path, jobscript: Path) -> str:
    """Create a job; return its name.

    Raises:
        ReassessError: the template is missing or wrong, or Kubernetes refuses the job.
    """
    try:
        text = yaml.safe_load(template.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ReassessError(f"job template {template}: {error}") from None
    job = manifest(text, jobscript.read_text(), Path.cwd(), os.environ)
    done = kubectl("create", "-f", "-", "-o", "name", given=json.dumps(job))
    if done.returncode:
        raise ReassessError(f"Kubernetes refuses {job['metadata']['name']}: {done.stderr.strip()}")
    return str(job["metadata"]["name"])


def status(name: str) -> tuple[str, str]:
    """Return how a job stands, in the executor's words, and a remark.

    A question that is not answered ends nothing: the job is taken to run, and asked for again at the next look.
    """
    done = kubectl("get", "job", name, "--ignore-not-found", "-o", "json")
    if done.returncode:
        return "running", f"{name}: not known at present ({done.stderr.strip()})"
    if not done.stdout.strip():
        return "failed", f"{name} is gone: somebody deleted it"
    conditions = json.loads(done.stdout).get("status", {}).get("conditions") or ()
    for one in conditions:
        if one.get("status") == "True" and one["type"] == "Complete":
            return "success", ""
        if one.get("status") == "True" and one["type"] == "Failed":
            return "failed", f"{name}: {one.get('reason', '')} {one.get('message', '')}".strip()
    return "running", ""


def kubectl(*words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Ask Kubernetes something.

    Raises:
        ReassessError: there is no kubectl.
    """
    try:
        return subprocess.run(
            ["kubectl", "--request-timeout=30s", *words],
            input=given,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise ReassessError("kubectl is not installed here") from None


def run(seconds: int, script: str) -> int:
    """Run a job script in a pod, return its exit code (128 and the signal's number, if it died of one).

    The shell that a pod would start with hands no signal on. This process does: to the trainer, which saves, or to all where none
    trains. It also tells the trainer itself, some time before the limit of `seconds`.
    """
    heard: list[int] = []
    jobs: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, frame: object) -> None:
        heard.append(number)
        for job in jobs:
            _hand_on(job)

    signal.signal(signal.SIGTERM, hand_on)
    job = subprocess.Popen(["bash", "-c", script], start_new_session=True)
    jobs.append(job)
    if heard:  # before there was anything to hand it on to
        _hand_on(job)
    limit = threading.Timer(max(seconds - SAVE_SECONDS, seconds / 2), _save)
    limit.daemon = True
    limit.start()
    code = job.wait()
    return code if code >= 0 else 128 - code


def _save() -> None:
    signals.terminate(signals.trainers())


def _hand_on(job: subprocess.Popen[bytes]) -> None:
    if found := signals.trainers():
        signals.terminate(found)
        return
    with suppress(
        ProcessLookupError
    ):  # its group as a whole: a process that is just being forked would escape a list of them
        os.killpg(job.pid, signal.SIGTERM)


def main(words: list[str]) -> int:
    """Do one of the three; return the exit code."""
    try:
        match words:
            case ["submit", template, jobscript]:
                print(submit(Path(template), Path(jobscript)))
            case ["status", name]:
                found, remark = status(name)
                print(remark, file=sys.stderr, end="\n" if remark else "")
                print(found)
            case ["run", seconds, script]:
                return run(int(seconds), script)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ReassessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
