"""The manifest of a job: what ran, on what, with which versions, for how long and at what cost.

It is written last, so that its presence means that the job is complete.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NotRequired, TypedDict

from reassess.core import numerics
from reassess.core.energy import Meter
from reassess.core.files import Json, sha256_file
from reassess.core.fingerprint import fingerprint
from reassess.core.price import Rates
from reassess.core.project import ROOT
from reassess.core.provenance import environment

PACKAGES = (
    "torch", "transformers", "trl", "accelerate", "datasets", "lm-eval", "math-verify",
    "snakemake", "numpy", "pandas", "pyarrow", "matplotlib", "seaborn", "peft", "tokenizers",
    "safetensors", "vllm",
)  # fmt: skip


class Hardware(TypedDict):
    """What a job ran on."""

    machine: str  # architecture, such as `x86_64`
    cores: int | None
    processor: NotRequired[str]  # the model's name, where the system has /proc/cpuinfo
    memory_mb: int  # MiB
    family: NotRequired[int]  # of the processor, as are the next two, where the system tells
    model: NotRequired[int]
    stepping: NotRequired[int]
    kernels: NotRequired[str]  # the instructions torch uses, such as `AVX512`, if torch is loaded
    accelerators: list[str]  # names of the GPUs that torch sees, if torch is loaded
    visible_devices: str | None  # CUDA_VISIBLE_DEVICES


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that can change a result."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


@cache
def code_commit() -> str:
    """The commit of the code, with `+changes` if the tree differs from it.

    `unknown` outside a checkout.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@cache
def hardware() -> Hardware:
    """Processor, cores, memory and accelerators of this machine."""
    description: Hardware = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "accelerators": _accelerators(),
        "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        **numerics.processor(),  # type: ignore[typeddict-item]
    }
    if "torch" in sys.modules:
        description["kernels"] = sys.modules["torch"].backends.cpu.get_cpu_capability()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        description["processor"] = names[0] if names else "unknown"
    return description


def _accelerators() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _numerics() -> Json:
    """The mode of numerics, and what it computes, if torch was needed."""
    mode = {"mode": numerics.current()}
    return {**mode, "fingerprint": fingerprint()} if "torch" in sys.modules else mode


def lock_hash() -> str:
    """The hash of the lock file of the Python packages; `unknown` where there is no such file."""
    lock = ROOT / "envs" / "base.txt"
    return sha256_file(lock) if lock.exists() else "unknown"


def peak_memory_mb() -> float:
    """The largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def threads() -> int:
    """The threads of a process of this job."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


class Manifest:
    """Fields about a job, to which closing adds time, memory and environment."""

    def __init__(self, action: str, spec: Json, spec_hash: str) -> None:
        """Start the clock of `action`, the job with this `spec`."""
        self._started, self._meter = time.monotonic(), Meter()
        self._rates: Rates | None = None
        self._content: Json = {"action": action, "spec": spec, "spec_hash": spec_hash}
        self._content["started"] = datetime.now(UTC).isoformat(timespec="seconds")

    def add(self, **fields: object) -> None:
        """Add fields."""
        self._content.update(fields)

    def price_at(self, rates: Rates | None) -> None:
        """Add the price at these rates when the manifest is closed; none: no price."""
        self._rates = rates

    def close(self) -> Json:
        """The complete manifest; energy and price are in it where they are known.

        Raises:
            ReassessError: the spec is of `portable` numerics, and this process in others.
        """
        numerics.require(self._content["spec"].get("numerics"))
        seconds = round(time.monotonic() - self._started, 3)
        return {
            **self._content,
            "seconds": seconds,
            **self._costs(seconds),
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "threads": threads(),
            "numerics": _numerics(),
            "versions": versions(),
            "code_commit": code_commit(),
            "lock_hash": lock_hash(),
            "environment": environment(),
            "hardware": hardware(),
        }

    def _costs(self, seconds: float) -> Json:
        """Energy and price, each if it is known."""
        costs: Json = {}
        energy = self._meter.stop()
        if energy is not None:
            costs["energy"] = energy
        if self._rates is not None:
            cores = threads() * int(os.environ.get("WORLD_SIZE", "1"))
            price = self._rates.price(seconds, cores, len(hardware()["accelerators"]))
            if price is not None:
                costs["price"] = price
        return costs
