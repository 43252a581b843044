"""`reassess doctor --profile kubernetes`: what would go wrong on a Kubernetes cluster, said before anything is submitted."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reassess.cluster.finding import Finding
from reassess.cluster.kubernetes import GPU, kubectl, parts_of, unfilled
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.workflow.plan import requests
from reassess.workflow.resources import Resources

UNITS = {
    "": 2**-20,
    "k": 1e3 / 2**20,
    "M": 1e6 / 2**20,
    "G": 1e9 / 2**20,
    "Ki": 2**-10,
    "Mi": 1,
    "Gi": 2**10,
    "Ti": 2**20,
}


def examine_kubernetes(settings: Mapping[str, Any], folder: Path, grid: Grid) -> list[Finding]:
    """Return what a look at the Kubernetes cluster of a profile finds: its job template, and the cluster that kubectl speaks to."""
    if not shutil.which("kubectl"):
        return [
            Finding(
                "kubectl not found",
                False,
                "run this where kubectl is; or use the default profile on this machine",
            )
        ]
    path, template = _template(settings)
    if template is None:
        cure = f"name one in cluster-generic-submit-cmd of {folder / 'config.yaml'}, as the profile `kubernetes` does"
        return [Finding(f"no job template {path or 'is named'}", False, cure)]
    try:
        pod, container = parts_of(template)
    except ReassessError as error:
        return [
            Finding(f"{path}: {error}", False, "begin with the one of the profile `kubernetes`")
        ]
    blanks = unfilled(template)
    if blanks:
        return [
            Finding(
                f"{path} is not filled in: {', '.join(blanks)}",
                False,
                "put your image, your volume and its place there",
            )
        ]
    allowed = kubectl("auth", "can-i", "create", "jobs.batch")
    if allowed.stdout.strip() != "yes":
        said = allowed.stderr.strip() or allowed.stdout.strip()
        cure = "`kubectl config get-contexts` says which cluster and namespace is asked; your site grants the right"
        return [Finding(f"jobs may not be created ({said})", False, cure)]
    return [
        Finding("Kubernetes answers, and jobs may be created", True),
        *_claims(pod, path),
        *_shared(pod, container, grid, path),
        *_fits(pod, requests(grid, settings)),
    ]


def _template(settings: Mapping[str, Any]) -> tuple[Path | None, Any]:
    """Return the template that a profile submits with, relative to where it is used or to the project."""
    named = [
        word
        for word in shlex.split(settings.get("cluster-generic-submit-cmd", ""))
        if word.endswith((".yaml", ".yml"))
    ]
    if not named:
        return None, None
    path = next((one for one in (Path(named[0]), ROOT / named[0]) if one.is_file()), None)
    return (Path(named[0]), None) if path is None else (path, yaml.safe_load(path.read_text()))


def _claims(pod: Mapping[str, Any], path: Path | None) -> Iterator[Finding]:
    """Volumes must be there, and written by several nodes at once."""
    for volume in pod.get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if not name:
            continue
        found = kubectl("get", "pvc", name, "-o", "json")
        if found.returncode:
            said = found.stderr.strip()
            yield Finding(
                f"volume claim {name!r}: {said}",
                False,
                f"`kubectl get pvc` lists those of this namespace; mend {path}",
            )
            continue
        modes = json.loads(found.stdout)["spec"].get("accessModes", [])
        cure = "its jobs run on many nodes and read each other's files: ask the site for a volume that is ReadWriteMany"
        yield Finding(
            f"volume claim {name!r} is {', '.join(modes)}", "ReadWriteMany" in modes, cure
        )


def _shared(
    pod: Mapping[str, Any], container: Mapping[str, Any], grid: Grid, path: Path | None
) -> Iterator[Finding]:
    """Results, scratch and project must lie on a volume that pods mount at the same path as this machine."""
    lasting = {
        volume["name"]
        for volume in pod.get("volumes") or ()
        if {"persistentVolumeClaim", "hostPath", "nfs", "csi"} & set(volume)
    }
    mounts = [
        Path(one["mountPath"])
        for one in container.get("volumeMounts") or ()
        if one["name"] in lasting
    ]
    for what, folder in (
        ("results", grid.paths.results),
        ("scratch", grid.paths.scratch),
        ("this folder", Path()),
    ):
        place = folder.resolve()
        cure = f"pods see {', '.join(map(str, mounts)) or 'no volume'}: move it there, or mend mountPath in {path}"
        yield Finding(
            f"{what}: {place} on a shared volume",
            any(place.is_relative_to(mount) for mount in mounts),
            cure,
        )


def _fits(pod: Mapping[str, Any], asked: Mapping[str, Resources]) -> Iterator[Finding]:
    """The largest jobs must fit a node that the template's `nodeSelector` admits."""
    found = kubectl("get", "nodes", "-o", "json")
    if found.returncode:
        yield Finding(f"nodes: not looked at ({found.stderr.strip()[:80]})", True)
        return
    nodes, wanted = json.loads(found.stdout)["items"], pod.get("nodeSelector") or {}
    for label, value in wanted.items():
        there = sorted(
            {
                node["metadata"]["labels"][label]
                for node in nodes
                if label in node["metadata"].get("labels", {})
            }
        )
        yield Finding(
            f"nodes with {label}={value}",
            value in there,
            f"nodes here have: {', '.join(there) or 'no such label'}",
        )
    admitted = [
        node for node in nodes if wanted.items() <= node["metadata"].get("labels", {}).items()
    ]
    room = {_room(node["status"]["allocatable"]) for node in admitted}
    largest = (
        "; ".join(
            f"{gpus} GPUs with {cpus} CPUs and {memory} MiB" for gpus, cpus, memory in sorted(room)
        )
        or "none"
    )
    for rule, request in asked.items():
        fits = any(
            request.gpus <= gpus and request.cpus <= cpus and request.memory <= memory
            for gpus, cpus, memory in room
        )
        what = f"largest {rule} job: {request.gpus} GPUs, {request.cpus} CPUs, {request.memory} MiB"
        yield Finding(what, fits, f"nodes have: {largest}; ask for less")


def _room(allocatable: Mapping[str, str]) -> tuple[int, int, int]:
    """Return the GPUs, CPUs and MiB of a node that jobs can have; CPUs are written like `64` or `63500m`."""
    cpus = allocatable["cpu"]
    whole = int(cpus[:-1]) // 1000 if cpus.endswith("m") else int(cpus)
    return int(allocatable.get(GPU, 0)), whole, mebibytes(allocatable["memory"])


def mebibytes(quantity: str) -> int:
    """Return a quantity of memory, such as `64Gi` or `1500000Ki`, in MiB.

    Raises:
        ReassessError: it is written in no way that Kubernetes has.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", quantity)
    if found is None or found[2] not in UNITS:
        raise ReassessError(f"{quantity!r} is no quantity of memory")
    return int(float(found[1]) * UNITS[found[2]])
