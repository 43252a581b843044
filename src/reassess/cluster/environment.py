"""`reassess doctor`: checks of the environment that jobs run in."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from reassess.cluster.finding import Finding
from reassess.cluster.installed import examine_installed
from reassess.core import numerics
from reassess.core.project import ROOT

TORCH = "2.13.0"  # by hash in envs/torch.txt
FREE_DISK_GB = 3
FREE_MEMORY_MB = 2000


def examine(folder: Path | None = None) -> list[Finding]:
    """Findings of every check, for a project in `folder` (default: the current one)."""
    folder = folder or Path.cwd()
    return [
        _python(),
        *_packages(ROOT / "envs" / "base.txt"),
        *examine_installed(),
        _torchvision(),
        _threads(),
        _kernels(),
        _disk(folder),
        _memory(),
        _git(folder),
    ]


def _python() -> Finding:
    running = platform.python_version()
    fix = "make the environment with Python 3.11: `make setup`"
    return Finding(f"Python {running}", running.startswith("3.11."), fix)


def pins(lock: Path) -> dict[str, str]:
    """Name and version of each pin of a lock file; empty if there is no such file."""
    if not lock.exists():
        return {}
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s\\;]+)", lock.read_text(), re.MULTILINE))


def _packages(lock: Path) -> Iterator[Finding]:
    pinned = {"torch": TORCH, **pins(lock)}
    problems = [problem for name, wanted in pinned.items() if (problem := _problem(name, wanted))]
    for problem in problems:
        yield Finding(problem, False, "`make setup` installs the pinned version")
    if not problems:
        what = f"{len(pinned)} packages as pinned in envs/base.txt"
        yield Finding(what, len(pinned) > 1, "envs/base.txt is missing")


def _problem(name: str, pinned: str) -> str | None:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return f"{name} is missing (pinned {pinned})"
    if installed.partition("+")[0] == pinned:
        return None
    return f"{name} is {installed} (pinned {pinned})"


def _torchvision() -> Finding:
    """A torchvision that does not fit torch breaks the import of all of transformers.

    The imports run in a process of their own that does not import this package, as lm-eval's
    command does.
    """
    code = "from transformers import PreTrainedModel; import torchvision.transforms.v2.functional"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    error = (done.stderr.strip().splitlines() or [""])[-1]
    fix = (
        "`make setup` installs the torchvision pinned in envs/base.txt with `--no-deps`, and "
        "copies envs/zz_reassess_shim.pth beside it"
    )
    return Finding(
        f"transformers and torchvision import together {error}".strip(), done.returncode == 0, fix
    )


def _threads() -> Finding:
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    fix = (
        "`export OMP_NUM_THREADS=1`: more threads in a job are slower here and change the last "
        "bits of results"
    )
    return Finding(f"OMP_NUM_THREADS is {threads}", threads == "1", fix)


def _kernels() -> Finding:
    """Without /proc, torch falls back to its slowest kernels: other last bits, other weights."""
    capability = os.environ.get("ATEN_CPU_CAPABILITY")
    due = numerics.ENVIRONMENT["ATEN_CPU_CAPABILITY"] if numerics.current() == "portable" else ""
    if capability and capability != due:
        what, fix = f"ATEN_CPU_CAPABILITY is {capability}", "`unset ATEN_CPU_CAPABILITY`"
        return Finding(what, False, f"{fix}: it changes the last bits of results")
    readable = not sys.platform.startswith("linux") or Path("/proc/cpuinfo").is_file()
    fix = "mount /proc: without it torch uses other kernels, which change the last bits of results"
    return Finding(f"/proc/cpuinfo is {'there' if readable else 'missing'}", readable, fix)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 2**30
    fix = "free some space, or point `scratch:` in the config at another disk"
    return Finding(f"{free:.0f} GiB of disk free", free >= FREE_DISK_GB, fix)


def _memory() -> Finding:
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 2**20
    fix = "close other programs, or run fewer jobs at once: `reassess run --cores 1`"
    return Finding(f"{free} MiB of memory free", free >= FREE_MEMORY_MB, fix)


def _git(folder: Path) -> Finding:
    checkout = shutil.which("git") is not None and (folder / ".git").exists()
    what = "git checkout" if checkout else "no git checkout here"
    return Finding(what, checkout, "clone with git: manifests name the commit")
