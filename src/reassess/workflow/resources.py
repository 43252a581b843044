"""What jobs request of a cluster: GPUs, CPUs, memory, time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import ceil

from reassess.grid.costs import Estimate
from reassess.grid.study import Grid

GRES = "REASSESS_GRES"  # at a site without `--gpus`: the name of its GPUs under `--gres`
GPU_MEMORY = 65536  # MiB of main memory for each GPU of a job
SMALLEST_MEMORY = 1500  # MiB for a job of tiny models on a CPU
GPU_CPUS = 8  # for each GPU: its process, data loading, the engine (a choice of ours)
NAMES = {  # as Snakemake's executors call them
    "gpus": "gpu",
    "cpus": "cpus_per_task",
    "memory": "mem_mb",
    "minutes": "runtime",
}


@dataclass(frozen=True)
class Resources:
    """What a job requests on its first attempt: GPUs, CPUs, MiB, minutes."""

    gpus: int = 0
    cpus: int = 1
    memory: int = SMALLEST_MEMORY
    minutes: int = 15

    def at_least(self, other: Resources) -> Resources:
        """Return the larger of both in everything."""
        names = [field.name for field in fields(self)]
        return Resources(*(max(getattr(self, name), getattr(other, name)) for name in names))


def estimated(grid: Grid, estimate: Estimate, least: int) -> Resources:
    """The request of a job with an estimated cost: twice its time, `least` minutes or more."""
    minutes = max(least, ceil(2 * 60 * estimate.hours))
    return for_gpus(grid, estimate.gpus, minutes)


def for_gpus(grid: Grid, gpus: int, minutes: int) -> Resources:
    """Return the request of a job with some GPUs, or with none."""
    return Resources(gpus, max(1, GPU_CPUS * gpus), model_memory(grid, gpus), minutes)


def model_memory(grid: Grid, gpus: int = 0) -> int:
    """Return the MiB for a job that holds a model: 64 GiB a GPU, or as much for a full-size one."""
    return GPU_MEMORY * max(1, gpus) if gpus or full_size(grid) else SMALLEST_MEMORY


def for_data(grid: Grid) -> Resources:
    """Return the request of a job that holds the pool or its traces."""
    return Resources(0, 4, 16384, 120) if full_size(grid) else Resources()


def full_size(grid: Grid) -> bool:
    """Return whether models run on GPUs: then models, images and answers are of full size."""
    return grid.world.layout(next(iter(grid.config.models))).device == "cuda"


def with_profile(rule: str, request: Resources, profile: Mapping[str, object]) -> Resources:
    """Return a request with the numbers that a profile's `set-resources` has for its rule."""
    settings = profile.get("set-resources")
    given: dict[str, str] = {}
    if isinstance(settings, Mapping):  # a profile may write them in either way
        for named_rule, values in settings.items():
            given |= {f"{named_rule}:{name}": str(value) for name, value in values.items()}
    elif isinstance(settings, list):
        given = dict(str(entry).partition("=")[::2] for entry in settings)
    values = {name: given.get(f"{rule}:{option}", "") for name, option in NAMES.items()}
    return replace(request, **{name: int(text) for name, text in values.items() if text.isdigit()})


def gpu_option(gpus: int) -> int:
    """Return what a job requests under `gpu`: nothing where its GPUs are requested by `gres`."""
    return 0 if os.environ.get(GRES) else gpus


def gres_option(gpus: int) -> str:
    """Return what a job requests under `gres`, such as `gpu:h200:2`; empty where `gpu` is used."""
    name = os.environ.get(GRES)
    return f"{name}:{gpus}" if name and gpus else ""
