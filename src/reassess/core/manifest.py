"""The manifest: what ran, on what, with what, how long. Written last, so its presence means the job is whole."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from reassess.core.files import sha256_file

PACKAGES = (
    "torch", "transformers", "trl", "accelerate", "datasets", "lm-eval", "math-verify", "snakemake", "numpy", "pandas", "pyarrow",
    "matplotlib", "seaborn", "peft", "tokenizers", "safetensors", "vllm",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[3]


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that can change a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_commit() -> str:
    """Return the commit of the code, with `+changes` if the tree differs from it; `unknown` outside a checkout."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@cache
def hardware() -> dict[str, Any]:
    """Return processor, cores, memory and accelerators."""
    found: dict[str, Any] = {"machine": platform.machine(), "cores": os.cpu_count()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        found["processor"] = names[0] if names else "unknown"
    found["memory_mb"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    found["accelerators"] = _accelerators()
    found["visible_devices"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found


def _accelerators() -> list[str]:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def lock_hash() -> str:
    """Return the hash of the lock file of the Python packages; `unknown` where it is not beside the code."""
    lock = ROOT / "envs" / "base.txt"
    return sha256_file(lock) if lock.exists() else "unknown"


def peak_memory_mb() -> float:
    """Return this process's largest resident size so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Manifest:
    """Collects what a job did, and adds time, memory and environment when it is closed."""

    def __init__(self, action: str, spec: dict[str, Any], spec_hash: str) -> None:
        """Start the clock of `action`, which realises `spec`."""
        self._started = time.monotonic()
        self._content: dict[str, Any] = {"action": action, "spec": spec, "spec_hash": spec_hash}
        self._content["started"] = datetime.now(UTC).isoformat(timespec="seconds")

    def add(self, **values: Any) -> None:
        """Add fields."""
        self._content.update(values)

    def close(self) -> dict[str, Any]:
        """Return the finished manifest."""
        return {
            **self._content,
            "seconds": round(time.monotonic() - self._started, 3),
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count(),
            "versions": versions(),
            "code_commit": code_commit(),
            "lock_hash": lock_hash(),
            "hardware": hardware(),
        }
