"""`reassess doctor --profile slurm`: what would fail on a Slurm cluster."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from reassess.cluster.finding import Finding
from reassess.cluster.profile import PLACEHOLDER, default_resource, find_file
from reassess.core.errors import nearest
from reassess.core.files import Json
from reassess.core.locks import exclusive
from reassess.grid.study import Grid
from reassess.workflow.plan import requests
from reassess.workflow.resources import Resources

CLIENTS = ("sbatch", "squeue", "scancel", "sinfo", "srun")
ANSWER_SECONDS = 20  # for a query to the controller
START_SECONDS = 60  # for a job that looks at the scratch folder
UNLOCKED = 99  # exit code of that job if a lock of the submitting machine does not hold there

Limits = Mapping[str, int]  # of a partition, such as `max_gpu`


@dataclass(frozen=True)
class Node:
    """A node as `sinfo` lists it: CPUs, memory in MiB, GPUs by model.

    The model is an empty string where the site names none.
    """

    name: str
    partition: str
    cpus: int
    memory: int
    gpus: Mapping[str, int]


def examine_slurm(settings: Json, folder: Path, grid: Grid) -> list[Finding]:
    """Findings about the Slurm cluster of a profile.

    Args:
        settings: the profile's.
        folder: where the profile is.
        grid: whose jobs shall run there.
    """
    missing = [name for name in CLIENTS if not shutil.which(name)]
    if missing:
        fix = "run this on a login node, which has Slurm's client; or use the default profile here"
        return [Finding(f"Slurm's client: {', '.join(missing)} not found", False, fix)]
    try:
        nodes = parse_nodes(_query("sinfo", "-h", "-a", "-N", "-o", "%N|%R|%c|%m|%G"))
    except (subprocess.SubprocessError, ValueError) as error:
        fix = (
            "`scontrol ping` reports whether the controller is up; SLURM_CONF may name another "
            "cluster"
        )
        return [Finding(f"Slurm's controller does not answer ({error})", False, fix)]
    count = len({node.name for node in nodes})
    partitions = _partitions(settings)
    return [
        Finding(f"Slurm answers: {count} nodes", bool(nodes), "ask the site which cluster this is"),
        _account(settings, folder),
        *_partition_names(partitions, nodes),
        *_gpu_model(settings, nodes),
        *(
            _largest_job(rule, request, partitions, nodes)
            for rule, request in requests(grid, settings).items()
        ),
        *_folders(grid, partitions, nodes),
    ]


def _query(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS
    ).stdout


def parse_nodes(text: str) -> list[Node]:
    """Nodes from `sinfo`'s lines; `%G` is like `gpu:h200:2(S:0-1),gpu:a100:1` or `(null)`."""
    nodes = []
    for line in text.splitlines():
        name, partition, cpus, memory, gres = line.split("|")
        gpus: dict[str, int] = {}
        for model, count in re.findall(r"gpu:(?:([\w.-]+):)?(\d+)", gres):
            gpus[model] = gpus.get(model, 0) + int(count)
        nodes.append(Node(name, partition, int(cpus.rstrip("+")), int(memory.rstrip("+")), gpus))
    return nodes


def _partitions(settings: Json) -> dict[str, Limits]:
    """The limits of each partition in the partitions file that a profile names."""
    name = settings.get("slurm-partition-config")
    path = find_file(name) if name else None
    return {} if path is None else dict(yaml.safe_load(path.read_text())["partitions"])


def _account(settings: Json, folder: Path) -> Finding:
    account, path = default_resource(settings, "slurm_account"), folder / "config.yaml"
    if account == PLACEHOLDER:
        fix = f"put your account's name, or remove the line, in {path}"
        return Finding(f"account {account!r}", False, fix)
    if account is None or not shutil.which("sacctmgr"):
        return Finding(f"account {account or 'none: the default'}", True)
    try:
        listed = _query("sacctmgr", "-n", "-P", "show", "assoc", "format=account")
    except subprocess.SubprocessError:
        return Finding(f"account {account!r} (the site has no list of accounts)", True)
    accounts = sorted({line for line in listed.splitlines() if line})
    fix = f"accounts here: {', '.join(accounts)}{nearest(account, accounts)}; put one in {path}"
    return Finding(f"account {account!r}", not accounts or account in accounts, fix)


def _partition_names(partitions: Mapping[str, Limits], nodes: Sequence[Node]) -> Iterator[Finding]:
    existing = sorted({node.partition for node in nodes})
    if not partitions:
        fix = "name one under slurm-partition-config in the profile"
        yield Finding("no partitions file", False, fix)
    for name in partitions:
        fix = f"partitions here: {', '.join(existing)}{nearest(name, existing)}"
        yield Finding(
            f"partition {name!r}", name in existing, f"{fix}; correct the partitions file"
        )


def _gpu_model(settings: Json, nodes: Sequence[Node]) -> Iterator[Finding]:
    model = default_resource(settings, "gpu_model")
    if model is not None:
        models = sorted({name for node in nodes for name in node.gpus if name})
        fix = f"GPU models here: {', '.join(models) or 'none is named'}{nearest(model, models)}"
        yield Finding(f"GPU model {model!r}", model in models, fix)


def _largest_job(
    rule: str, request: Resources, partitions: Mapping[str, Limits], nodes: Sequence[Node]
) -> Finding:
    """Whether a partition of the file admits a request and some node in it can run it."""
    job = (
        f"largest {rule} job: {request.gpus} GPUs, {request.cpus} CPUs, {request.memory} MiB, "
        f"{request.minutes} min"
    )
    requested = {
        "max_gpu": request.gpus,
        "max_mem_mb": request.memory,
        "max_runtime": request.minutes,
        "max_cpus_per_task": request.cpus,
    }
    admitting = [
        name
        for name, limits in partitions.items()
        if all(value <= limits.get(limit, value) for limit, value in requested.items())
    ]
    if not admitting:
        fix = "raise its limits, if the site's are higher, or request less"
        return Finding(f"{job}: no partition of the file admits it", False, fix)
    names = ", ".join(admitting)
    admitted = [node for node in nodes if node.partition in admitting]
    memory = max((node.memory for node in admitted), default=0)
    gpus = max((sum(node.gpus.values()) for node in admitted), default=0)
    cpus = max((node.cpus for node in admitted), default=0)
    fewer_cpus = f"put {rule}:cpus_per_task={cpus} under set-resources in the profile"
    for needed, available, unit, fix in (
        (request.memory, memory, "MiB", "request less memory, or other nodes"),
        (request.gpus, gpus, "GPUs", "lower `gpus` of the model"),
        (request.cpus, cpus, "CPUs", fewer_cpus),
    ):
        if needed > available:
            return Finding(
                f"{job}: no node of {names} has more than {available} {unit}", False, fix
            )
    return Finding(f"{job}: {names}", True)


def _folders(
    grid: Grid, partitions: Mapping[str, Limits], nodes: Sequence[Node]
) -> Iterator[Finding]:
    """Whether jobs in each partition see a file that is written, and locked, on this machine."""
    existing = sorted(set(partitions) & {node.partition for node in nodes})
    for option, folder in (("scratch", grid.paths.scratch), ("results", grid.paths.results)):
        folder.mkdir(parents=True, exist_ok=True)
        token = folder.resolve() / f".reassess-{uuid.uuid4().hex}"
        try:
            with exclusive(token):
                for partition in existing:
                    yield _seen(option, token, partition)
        finally:
            token.unlink(missing_ok=True)


def _seen(option: str, token: Path, partition: str) -> Finding:
    """Whether a job in a partition sees the locked file `token`, below the folder of `option`."""
    file = shlex.quote(str(token))
    script = (
        f"ls {file} && if command -v flock > /dev/null && "
        f"flock --nonblock {file} true; then exit {UNLOCKED}; fi"
    )
    size = ["-n", "1", "-t", "1", "--mem=100"]
    command = ["srun", "-p", partition, *size, "--immediate=30", "-Q", "sh", "-c", script]
    what = f"{option} folder on the nodes of {partition!r}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        return Finding(f"{what}: not looked at, no node was free", True)
    if done.returncode == UNLOCKED:
        fix = (
            "two jobs could train one cell at once: ask the site to mount it with flock "
            "(Lustre: `flock`, not `localflock`)"
        )
        return Finding(f"{what}: a lock held here has no effect there", False, fix)
    if done.returncode and "No such file" not in done.stderr:
        return Finding(f"{what}: not looked at ({done.stderr.strip()[:80]})", True)
    fix = f"point `{option}:` in the config at a folder that all nodes share; {token.parent} is not"
    return Finding(f"{what}: shared with this machine", done.returncode == 0, fix)
