"""Jobs as Kubernetes pods, below Snakemake's generic cluster executor.

The profile `kubernetes` calls this. Snakemake's own executor for Kubernetes supports no shared file
system; weights and trainer checkpoints lie on one here.

    python -m reassess.cluster.kubernetes submit TEMPLATE JOBSCRIPT    prints the name of a new Job
    python -m reassess.cluster.kubernetes status NAME       prints running, success or failed
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path

import yaml

from reassess.cluster.profile import PLACEHOLDER
from reassess.core.errors import ReassessError
from reassess.core.files import Json

GPU = "nvidia.com/gpu"
NAME = "app.kubernetes.io/name"  # label of everything that is submitted here
RULE = "reassess/rule"  # label: the rule, or the group of rules
OUTPUTS = "reassess/outputs"  # annotation: the files that the job makes, which name its cells
SELECTOR = f"{NAME}=reassess"
# Of the environment; secrets come into a pod by Kubernetes' own means.
CARRIED = ("OMP_NUM_THREADS", "PATH", "PYTHONPATH")
LONGEST_NAME = 40  # of the part that is a rule's name; Kubernetes allows 63 in all


def manifest(template: Json, jobscript: str, folder: Path, environment: Mapping[str, str]) -> Json:
    """The Job that runs one of Snakemake's job scripts: a site's template, filled in.

    Args:
        template: a Job of `batch/v1` with one container.
        jobscript: the script's text; its line `# properties = {...}` names the rule, the outputs
            and the requested resources (`mem_mb` in MiB, `runtime` in minutes, `gpu`).
        folder: where the job runs, on the volume that the pods share.
        environment: of the submitting process.

    Raises:
        ReassessError: the template is not filled in, or is no such Job.
    """
    blanks = unfilled(template)
    if blanks:
        raise ReassessError(f"the job template still says {PLACEHOLDER} at {', '.join(blanks)}")
    properties = _properties(jobscript)
    rule = properties.get("rule") or properties.get("groupid", "group")
    seconds = 60 * int(properties["resources"]["runtime"])
    job = deepcopy(template)
    pod, container = parts_of(job)
    label = re.sub(r"[^a-z0-9]+", "-", rule.lower())[:LONGEST_NAME].strip("-")
    annotations = {OUTPUTS: json.dumps(properties.get("output") or [])}
    for part in (job, job["spec"]["template"]):
        metadata = part.setdefault("metadata", {})
        metadata["labels"] = {**metadata.get("labels", {}), NAME: "reassess", RULE: label}
        metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}
    job["metadata"]["name"] = f"reassess-{label}-{uuid.uuid4().hex[:10]}"
    pod["activeDeadlineSeconds"] = seconds
    container["command"] = [sys.executable, "-m", "reassess.cluster.pod"]
    container["args"] = [str(seconds), jobscript]
    container["workingDir"] = str(folder)
    container["env"] = [
        *container.get("env", []),
        *({"name": name, "value": environment[name]} for name in CARRIED if name in environment),
    ]
    container["resources"] = _resources(properties, container.get("resources", {}))
    return job


def _properties(jobscript: str) -> Json:
    line = re.search(r"^# properties = (.*)$", jobscript, re.MULTILINE)
    if line is None:
        raise ReassessError("no job script of Snakemake: it has no line `# properties = ...`")
    properties: Json = json.loads(line[1])
    return properties


def _resources(properties: Json, given: Json) -> Json:
    """Limits and requests of a container: those `given` by the site, and the job's own."""
    requested = properties["resources"]
    limits = {"memory": f"{int(requested['mem_mb'])}Mi"}
    if int(requested.get("gpu", 0)):
        limits[GPU] = str(requested["gpu"])
    cpus = str(requested.get("cpus_per_task") or properties.get("threads", 1))
    return {
        "limits": {**given.get("limits", {}), **limits},
        "requests": {"cpu": cpus, **given.get("requests", {}), **limits},
    }


def parts_of(job: Json) -> tuple[Json, Json]:
    """The pod of a Job and its container.

    Raises:
        ReassessError: it is no Job with one container.
    """
    try:
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
    except (KeyError, TypeError, ValueError) as error:
        raise ReassessError(f"the job template is no Job with one container ({error})") from None
    return pod, container


def unfilled(template: Json) -> list[str]:
    """The places of a template that a site has not filled in."""
    return [place for place, value in _leaves(template) if PLACEHOLDER in str(value)]


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Place, such as `spec.containers[0].image`, and value of everything that is no collection."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value


def submit(template: Path, jobscript: Path) -> str:
    """Create a Job; return its name.

    Raises:
        ReassessError: the template is missing or wrong, or Kubernetes refuses the Job.
    """
    try:
        content = yaml.safe_load(template.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ReassessError(f"job template {template}: {error}") from None
    job = manifest(content, jobscript.read_text(), Path.cwd(), os.environ)
    done = kubectl("create", "-f", "-", "-o", "name", stdin=json.dumps(job))
    if done.returncode:
        raise ReassessError(f"Kubernetes refuses {job['metadata']['name']}: {done.stderr.strip()}")
    return str(job["metadata"]["name"])


def status(name: str) -> tuple[str, str]:
    """The state of a Job, in the executor's words, and a remark.

    If Kubernetes does not answer, the Job counts as running: the executor polls again later.
    """
    done = kubectl("get", "job", name, "--ignore-not-found", "-o", "json")
    if done.returncode:
        return "running", f"{name}: Kubernetes does not answer ({done.stderr.strip()})"
    if not done.stdout.strip():
        return "failed", f"{name} is gone: somebody deleted it"
    for condition in json.loads(done.stdout).get("status", {}).get("conditions") or ():
        if condition.get("status") != "True":
            continue
        if condition["type"] == "Complete":
            return "success", ""
        if condition["type"] == "Failed":
            reason, message = condition.get("reason", ""), condition.get("message", "")
            return "failed", f"{name}: {reason} {message}".strip()
    return "running", ""


def kubectl(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl, and capture what it prints.

    Raises:
        ReassessError: there is no kubectl.
    """
    try:
        return subprocess.run(
            ["kubectl", "--request-timeout=30s", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise ReassessError("kubectl is not installed here") from None


def main(arguments: list[str]) -> int:
    """Submit a job or report its state; return the exit code."""
    try:
        match arguments:
            case ["submit", template, jobscript]:
                print(submit(Path(template), Path(jobscript)))
            case ["status", name]:
                state, remark = status(name)
                print(remark, file=sys.stderr, end="\n" if remark else "")
                print(state)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ReassessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
