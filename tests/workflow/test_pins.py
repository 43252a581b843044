"""Versions agree wherever they are named, and the locks hold what a lock should and no more."""

import base64
import json
import re

import yaml

from reassess.cluster.environment import TORCH, pins
from reassess.core.files import sha256_file
from reassess.core.manifest import ROOT

BASE, DEV = ROOT / "envs/base.txt", ROOT / "envs/dev.txt"


def test_the_lock_holds_what_was_asked_for():
    locked = {name.lower().replace("_", "-"): version for name, version in pins(BASE).items()}
    asked = dict(
        re.findall(r"^([A-Za-z0-9-]+)==(\S+)$", (ROOT / "envs/base.in").read_text(), re.MULTILINE)
    )
    assert len(asked) > 20
    assert {name.lower(): locked.get(name.lower()) for name in asked} == {
        name.lower(): version for name, version in asked.items()
    }


def test_locks_are_hashed_and_name_no_address_and_no_torch():
    for path in (ROOT / "envs").glob("*.txt"):
        text = path.read_text()
        if path.stem == "overrides":
            continue
        assert "://" not in text
        assert not re.search(r"^torch==", text, re.MULTILINE), (
            f"{path.name} names torch, which is installed by itself"
        )
        assert path.stem in ("gpu", "vllm-cpu") or not re.search(
            r"^(triton|nvidia[a-z0-9-]*)==", text, re.MULTILINE
        ), path.name
        lines = re.findall(r"^[A-Za-z0-9_.-]+==.*", text, re.MULTILINE)
        assert lines
        for line in lines:
            assert line.endswith("\\"), f"{path.name}: {line} has no hash"


def test_the_wheels_that_the_flake_pins_are_those_of_the_present_locks():
    """A changed lock asks for a new hash: make wheelhouse, nix hash path (docs/nix.md)."""
    pinned = json.loads((ROOT / "envs/wheelhouse.json").read_text())
    assert set(pinned) == {"cpu", "gpu"}
    for kind, one in pinned.items():
        now = {name: sha256_file(ROOT / f"envs/{name}.txt") for name in one["locks"]}
        assert now == one["locks"], f"the wheelhouse {kind!r} was hashed from other locks"
        assert one["torch"].partition("+")[0] == TORCH


def test_dev_and_base_agree_where_both_pin():
    base, dev = pins(BASE), pins(DEV)
    assert {name: dev[name] for name in set(base) & set(dev)} == {
        name: base[name] for name in set(base) & set(dev)
    }


def test_python_and_torch_are_the_same_everywhere():
    makefile, project, flake = (
        (ROOT / name).read_text() for name in ("Makefile", "pyproject.toml", "flake.nix")
    )
    assert f"TORCH := {TORCH}" in makefile
    assert "PYTHON ?= python3.11" in makefile
    assert 'requires-python = ">=3.11,<3.12"' in project
    assert set(re.findall(r"pkgs\.python(\d+)", flake)) == {"311"}


def test_the_flake_lock_is_complete():
    lock = json.loads((ROOT / "flake.lock").read_text())
    inputs = set(re.findall(r"inputs\.(\w+)\.url", (ROOT / "flake.nix").read_text()))
    assert set(lock["nodes"]["root"]["inputs"]) == inputs
    for name in inputs:
        locked = lock["nodes"][name]["locked"]
        assert re.fullmatch(r"[0-9a-f]{40}", locked["rev"])
        assert len(base64.b64decode(locked["narHash"].removeprefix("sha256-"))) == 32


def test_ci_runs_the_readmes_command():
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == "Apache-2.0"


def test_ci_of_every_forge_calls_the_projects_own_commands_with_pinned_actions_and_no_rights():
    github = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert github["permissions"] == {"contents": "read"}
    steps = [step for job in github["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in used)
    assert all(
        "permissions" not in job or job["permissions"] == {"contents": "read"}
        for job in github["jobs"].values()
    )
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    theirs = [
        line
        for job in gitlab.values()
        if isinstance(job, dict) and "script" in job
        for line in job["script"]
    ]
    ours = [step["run"] for step in steps if "run" in step]
    assert sorted(ours) == sorted(theirs)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.removeprefix("make ") for line in ours} <= targets
    assert {"lint", "test", "smoke", "verify"} <= {line.removeprefix("make ") for line in ours}
