"""`reassess doctor --profile kubernetes`: what would fail on a Kubernetes cluster."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from reassess.cluster.finding import Finding
from reassess.cluster.kubernetes import GPU, kubectl, parts_of, unfilled
from reassess.cluster.profile import find_file
from reassess.core.errors import ReassessError
from reassess.core.files import Json
from reassess.grid.study import Grid
from reassess.workflow.plan import requests
from reassess.workflow.resources import Resources

UNITS = {  # of memory, in MiB
    "": 2**-20,
    "k": 1e3 / 2**20,
    "M": 1e6 / 2**20,
    "G": 1e9 / 2**20,
    "Ki": 2**-10,
    "Mi": 1,
    "Gi": 2**10,
    "Ti": 2**20,
}
LASTING = {"persistentVolumeClaim", "hostPath", "nfs", "csi"}  # volumes that outlive a pod


def examine_kubernetes(settings: Json, folder: Path, grid: Grid) -> list[Finding]:
    """Findings about the job template of a profile and the cluster that kubectl talks to.

    Args:
        settings: the profile's.
        folder: where the profile is.
        grid: whose jobs shall run there.
    """
    if not shutil.which("kubectl"):
        fix = "run this where kubectl is; or use the default profile on this machine"
        return [Finding("kubectl not found", False, fix)]
    name = _template_name(settings)
    path = find_file(name) if name else None
    if path is None:
        fix = (
            f"name one in cluster-generic-submit-cmd of {folder / 'config.yaml'}, as the profile "
            "`kubernetes` does"
        )
        return [Finding(f"no job template {name or 'is named'}", False, fix)]
    template = yaml.safe_load(path.read_text())
    try:
        pod, container = parts_of(template)
    except ReassessError as error:
        return [Finding(f"{path}: {error}", False, "start from that of the profile `kubernetes`")]
    if blanks := unfilled(template):
        what = f"{path} is not filled in: {', '.join(blanks)}"
        return [Finding(what, False, "fill in your image, your volume and its mount path")]
    allowed = kubectl("auth", "can-i", "create", "jobs.batch")
    if allowed.stdout.strip() != "yes":
        answer = allowed.stderr.strip() or allowed.stdout.strip()
        fix = (
            "`kubectl config get-contexts` shows the cluster and namespace in use; your site "
            "grants the right"
        )
        return [Finding(f"jobs may not be created ({answer})", False, fix)]
    return [
        Finding("Kubernetes answers, and jobs may be created", True),
        *_claims(pod, path),
        *_shared_folders(pod, container, grid, path),
        *_selected_nodes(pod, requests(grid, settings)),
    ]


def _template_name(settings: Json) -> str | None:
    """The template that a profile submits with, as it is named in the command."""
    words = shlex.split(settings.get("cluster-generic-submit-cmd", ""))
    return next((word for word in words if word.endswith((".yaml", ".yml"))), None)


def _claims(pod: Json, path: Path) -> Iterator[Finding]:
    """Whether the pod's volumes exist, and several nodes may write them at once."""
    for volume in pod.get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if not name:
            continue
        claim = kubectl("get", "pvc", name, "-o", "json")
        if claim.returncode:
            fix = f"`kubectl get pvc` lists those of this namespace; correct {path}"
            yield Finding(f"volume claim {name!r}: {claim.stderr.strip()}", False, fix)
            continue
        modes = json.loads(claim.stdout)["spec"].get("accessModes", [])
        what = f"volume claim {name!r} is {', '.join(modes)}"
        fix = (
            "jobs run on many nodes and read each other's files: request a volume that is "
            "ReadWriteMany from the site"
        )
        yield Finding(what, "ReadWriteMany" in modes, fix)


def _shared_folders(pod: Json, container: Json, grid: Grid, path: Path) -> Iterator[Finding]:
    """Whether results, scratch and project are on a volume mounted as on this machine."""
    lasting = {
        volume["name"] for volume in pod.get("volumes") or () if LASTING.intersection(volume)
    }
    mounts = [
        Path(mount["mountPath"])
        for mount in container.get("volumeMounts") or ()
        if mount["name"] in lasting
    ]
    mounted = ", ".join(map(str, mounts)) or "no volume"
    fix = f"pods see {mounted}: move it there, or correct mountPath in {path}"
    for name, folder in (
        ("results", grid.paths.results),
        ("scratch", grid.paths.scratch),
        ("this folder", Path()),
    ):
        resolved = folder.resolve()
        shared = any(resolved.is_relative_to(mount) for mount in mounts)
        yield Finding(f"{name}: {resolved} on a shared volume", shared, fix)


def _selected_nodes(pod: Json, requested: Mapping[str, Resources]) -> Iterator[Finding]:
    """Whether the largest jobs fit a node that the template's `nodeSelector` admits."""
    listed = kubectl("get", "nodes", "-o", "json")
    if listed.returncode:
        yield Finding(f"nodes: not looked at ({listed.stderr.strip()[:80]})", True)
        return
    nodes: list[Json] = json.loads(listed.stdout)["items"]
    selector: dict[str, str] = pod.get("nodeSelector") or {}
    for label, value in selector.items():
        values = sorted({labels[label] for node in nodes if label in (labels := _labels(node))})
        fix = f"nodes here have: {', '.join(values) or 'no such label'}"
        yield Finding(f"nodes with {label}={value}", value in values, fix)
    admitted = [node for node in nodes if selector.items() <= _labels(node).items()]
    sizes = sorted({_size(node["status"]["allocatable"]) for node in admitted})
    largest = "; ".join(
        f"{gpus} GPUs with {cpus} CPUs and {memory} MiB" for gpus, cpus, memory in sizes
    )
    for rule, request in requested.items():
        fits = any(
            request.gpus <= gpus and request.cpus <= cpus and request.memory <= memory
            for gpus, cpus, memory in sizes
        )
        what = f"largest {rule} job: {request.gpus} GPUs, {request.cpus} CPUs, {request.memory} MiB"
        yield Finding(what, fits, f"nodes have: {largest or 'none'}; request less")


def _labels(node: Json) -> dict[str, str]:
    labels: dict[str, str] = node["metadata"].get("labels", {})
    return labels


def _size(allocatable: Mapping[str, str]) -> tuple[int, int, int]:
    """GPUs, CPUs and MiB of a node that jobs can have; CPUs are written like `64` or `63500m`."""
    cpus = allocatable["cpu"]
    whole = int(cpus[:-1]) // 1000 if cpus.endswith("m") else int(cpus)
    return int(allocatable.get(GPU, 0)), whole, mebibytes(allocatable["memory"])


def mebibytes(quantity: str) -> int:
    """A quantity of memory, such as `64Gi` or `1500000Ki`, in MiB.

    Raises:
        ReassessError: it is not written as Kubernetes writes quantities.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", quantity)
    if parts is None or parts[2] not in UNITS:
        raise ReassessError(f"{quantity!r} is no quantity of memory")
    return int(float(parts[1]) * UNITS[parts[2]])
