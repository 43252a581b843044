"""`reassess doctor --profile slurm`: what would go wrong on a Slurm cluster, said before anything is submitted."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reassess.cluster.finding import Finding
from reassess.cluster.profile import PLACEHOLDER
from reassess.core.errors import nearest
from reassess.core.locks import exclusive
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.workflow.plan import requests
from reassess.workflow.resources import Resources

CLIENTS = ("sbatch", "squeue", "scancel", "sinfo", "srun")
ANSWER_SECONDS = 20  # for a question to the controller
UNLOCKED = 99  # exit code of that job where a lock of ours does not hold
START_SECONDS = 60  # for a job that looks at the scratch folder


@dataclass(frozen=True)
class Node:
    """A node as `sinfo` tells of it: CPUs, memory in MiB, GPUs by model (an empty name where the site gives none)."""

    name: str
    partition: str
    cpus: int
    memory: int
    gpus: Mapping[str, int]


def examine_slurm(settings: Mapping[str, Any], folder: Path, grid: Grid) -> list[Finding]:
    """Return what a look at the Slurm cluster of a profile finds: its settings, and the folder that it lies in."""
    missing = [name for name in CLIENTS if not shutil.which(name)]
    if missing:
        cure = "run this where Slurm's client is: a login node; or use the default profile on this machine"
        return [Finding(f"Slurm's client: {', '.join(missing)} not found", False, cure)]
    try:
        nodes = _nodes(_ask("sinfo", "-h", "-a", "-N", "-o", "%N|%R|%c|%m|%G"))
    except (subprocess.SubprocessError, ValueError) as error:
        cure = (
            "`scontrol ping` says whether the controller is up; SLURM_CONF may name another cluster"
        )
        return [Finding(f"Slurm's controller does not answer ({error})", False, cure)]
    partitions = _partitions(settings)
    return [
        Finding(
            f"Slurm answers: {len({node.name for node in nodes})} nodes",
            bool(nodes),
            "ask the site which cluster you are on",
        ),
        _account(settings, folder),
        *_named(partitions, nodes),
        *_model(settings, nodes),
        *(
            found
            for rule, request in requests(grid, settings).items()
            for found in _fits(rule, request, partitions, nodes)
        ),
        *_scratch(grid, partitions, nodes),
    ]


def _ask(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS
    ).stdout


def _nodes(text: str) -> list[Node]:
    """Read nodes off `sinfo`; `%G` is like `gpu:h200:2(S:0-1),gpu:a100:1` or `(null)`."""
    found = []
    for line in text.splitlines():
        name, partition, cpus, memory, gres = line.split("|")
        gpus: dict[str, int] = {}
        for model, count in re.findall(r"gpu:(?:([\w.-]+):)?(\d+)", gres):
            gpus[model] = gpus.get(model, 0) + int(count)
        found.append(Node(name, partition, int(cpus.rstrip("+")), int(memory.rstrip("+")), gpus))
    return found


def _partitions(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the limits of the partitions file that a profile names, relative to where it is used or to the project."""
    name = settings.get("slurm-partition-config")
    path = next(
        (one for one in (Path(str(name)), ROOT / str(name)) if name and one.is_file()), None
    )
    return {} if path is None else dict(yaml.safe_load(path.read_text())["partitions"])


def _resource(settings: Mapping[str, Any], name: str) -> str | None:
    for one in settings.get("default-resources") or ():
        key, _, value = str(one).partition("=")
        if key == name:
            return value.strip("\"'")
    return None


def _account(settings: Mapping[str, Any], folder: Path) -> Finding:
    named, path = _resource(settings, "slurm_account"), folder / "config.yaml"
    if named == PLACEHOLDER:
        return Finding(
            f"account {named!r}", False, f"put your account's name, or remove the line, in {path}"
        )
    if named is None or not shutil.which("sacctmgr"):
        return Finding(f"account {named or 'none: the default'}", True)
    try:
        known = sorted(
            {
                line
                for line in _ask(
                    "sacctmgr", "-n", "-P", "show", "assoc", "format=account"
                ).splitlines()
                if line
            }
        )
    except subprocess.SubprocessError:
        return Finding(f"account {named!r} (the site keeps no accounts that could be asked)", True)
    cure = f"accounts here: {', '.join(known)}{nearest(named, known)}; put one in {path}"
    return Finding(f"account {named!r}", not known or named in known, cure)


def _named(partitions: Mapping[str, Any], nodes: list[Node]) -> Iterator[Finding]:
    there = sorted({node.partition for node in nodes})
    if not partitions:
        yield Finding(
            "no partitions file", False, "name one under slurm-partition-config in the profile"
        )
    for name in partitions:
        cure = (
            f"partitions here: {', '.join(there)}{nearest(name, there)}; mend the partitions file"
        )
        yield Finding(f"partition {name!r}", name in there, cure)


def _model(settings: Mapping[str, Any], nodes: list[Node]) -> Iterator[Finding]:
    model = _resource(settings, "gpu_model")
    if model is not None:
        there = sorted({one for node in nodes for one in node.gpus if one})
        cure = f"GPU models here: {', '.join(there) or 'none is named'}{nearest(model, there)}"
        yield Finding(f"GPU model {model!r}", model in there, cure)


def _fits(
    rule: str, request: Resources, partitions: Mapping[str, Any], nodes: list[Node]
) -> Iterator[Finding]:
    asked = f"largest {rule} job: {request.gpus} GPUs, {request.cpus} CPUs, {request.memory} MiB, {request.minutes} min"
    limits = {
        "max_gpu": request.gpus,
        "max_mem_mb": request.memory,
        "max_runtime": request.minutes,
        "max_cpus_per_task": request.cpus,
    }
    admitting = [
        name
        for name, found in partitions.items()
        if all(value <= found.get(limit, value) for limit, value in limits.items())
    ]
    if not admitting:
        yield Finding(
            f"{asked}: no partition of the file admits it",
            False,
            "raise its limits, if the site's are higher, or ask for less",
        )
        return
    fitting = [node for node in nodes if node.partition in admitting]
    memory = max((node.memory for node in fitting), default=0)
    gpus = max((sum(node.gpus.values()) for node in fitting), default=0)
    cpus = max((node.cpus for node in fitting), default=0)
    if request.memory > memory:
        yield Finding(
            f"{asked}: no node of {', '.join(admitting)} has more than {memory} MiB",
            False,
            "ask for less memory, or other nodes",
        )
    elif request.gpus > gpus:
        yield Finding(
            f"{asked}: no node of {', '.join(admitting)} has more than {gpus} GPUs",
            False,
            "lower `gpus` of the model",
        )
    elif request.cpus > cpus:
        cure = f"put {rule}:cpus_per_task={cpus} under set-resources in the profile"
        yield Finding(
            f"{asked}: no node of {', '.join(admitting)} has more than {cpus} CPUs", False, cure
        )
    else:
        yield Finding(f"{asked}: {', '.join(admitting)}", True)


def _scratch(grid: Grid, partitions: Mapping[str, Any], nodes: list[Node]) -> Iterator[Finding]:
    """Let a job in each partition look for a file that is written, and locked, here."""
    for what, folder in (("scratch", grid.paths.scratch), ("results", grid.paths.results)):
        folder.mkdir(parents=True, exist_ok=True)
        token = folder.resolve() / f".reassess-{uuid.uuid4().hex}"
        try:
            with exclusive(token):
                for name in sorted(set(partitions) & {node.partition for node in nodes}):
                    yield _seen(what, token, name)
        finally:
            token.unlink(missing_ok=True)


def _seen(what: str, token: Path, partition: str) -> Finding:
    file = shlex.quote(str(token))
    look = f"ls {file} && if command -v flock > /dev/null && flock --nonblock {file} true; then exit {UNLOCKED}; fi"
    command = [
        "srun",
        "-p",
        partition,
        "-n",
        "1",
        "-t",
        "1",
        "--mem=100",
        "--immediate=30",
        "-Q",
        "sh",
        "-c",
        look,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        return Finding(
            f"{what} folder on the nodes of {partition!r}: not looked at, no node was free", True
        )
    if done.returncode == UNLOCKED:
        cure = "two jobs could train one cell at once: ask the site to mount it with flock (Lustre: `flock`, not `localflock`)"
        return Finding(
            f"{what} folder on the nodes of {partition!r}: a lock held here is not seen there",
            False,
            cure,
        )
    if done.returncode and "No such file" not in done.stderr:
        return Finding(
            f"{what} folder on the nodes of {partition!r}: not looked at ({done.stderr.strip()[:80]})",
            True,
        )
    cure = f"point `{what}:` in the config at a folder that all nodes share; {token.parent} is not"
    return Finding(
        f"{what} folder is seen from the nodes of {partition!r}", done.returncode == 0, cure
    )
