"""Checks of the environment: what is wrong, and how to mend it."""

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
from reassess.core.project import ROOT

TORCH = "2.13.0"  # installed on its own, so it stands in no lock
FREE_DISK_GB = 3
FREE_MEMORY_MB = 2000


def examine(folder: Path | None = None) -> list[Finding]:
    """Return the findings of every check, for a project in `folder` (default: where this one is run)."""
    here = folder or Path.cwd()
    return [
        _python(),
        *_packages(ROOT / "envs" / "base.txt"),
        _torchvision(),
        _threads(),
        _disk(here),
        _memory(),
        _git(here),
    ]


def _python() -> Finding:
    found = platform.python_version()
    return Finding(
        f"Python {found}",
        found.startswith("3.11."),
        "make the environment with Python 3.11: `make setup`",
    )


def pins(lock: Path) -> dict[str, str]:
    """Return name and version of each pin of a lock file."""
    return (
        dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s\\;]+)", lock.read_text(), re.MULTILINE))
        if lock.exists()
        else {}
    )


def _packages(lock: Path) -> Iterator[Finding]:
    wanted = {"torch": TORCH, **pins(lock)}
    wrong = []
    for name, pinned in wanted.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            wrong.append(f"{name} is missing (pinned {pinned})")
            continue
        if found.partition("+")[0] != pinned:
            wrong.append(f"{name} is {found} (pinned {pinned})")
    if not wrong:
        yield Finding(
            f"{len(wanted)} packages as pinned in envs/base.txt",
            len(wanted) > 1,
            "envs/base.txt is missing",
        )
    for sentence in wrong:
        yield Finding(sentence, False, "`make setup` installs the pinned version")


def _torchvision() -> Finding:
    """A torchvision that does not fit torch breaks the import of all of transformers; try it in a process of its own."""
    code = "import reassess; from transformers import AutoProcessor; import torchvision.transforms.v2.functional"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1:] or [""]
    cure = "install the torchvision pinned in envs/base.txt with `--no-deps`, beside the torch that is there"
    return Finding(
        f"transformers and torchvision import together {last[0]}".strip(),
        done.returncode == 0,
        cure,
    )


def _threads() -> Finding:
    found = os.environ.get("OMP_NUM_THREADS", "not set")
    cure = "`export OMP_NUM_THREADS=1`: more threads in a job are slower here and change the last bits of results"
    return Finding(f"OMP_NUM_THREADS is {found}", found == "1", cure)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 2**30
    cure = "free some space, or point `scratch:` in the config at another disk"
    return Finding(f"{free:.0f} GiB of disk free", free >= FREE_DISK_GB, cure)


def _memory() -> Finding:
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 2**20
    cure = "close other programs, or run fewer jobs at once: `reassess run --cores 1`"
    return Finding(f"{free} MiB of memory free", free >= FREE_MEMORY_MB, cure)


def _git(folder: Path) -> Finding:
    found = shutil.which("git") is not None and (folder / ".git").exists()
    return Finding(
        "git checkout" if found else "no git checkout here",
        found,
        "clone with git: manifests name the commit",
    )
