"""Versions agree wherever they are named, and the locks hold what a lock should and no more."""

import base64
import json
import re

import yaml

from reassess.doctor import TORCH, pins
from reassess.manifest import ROOT

BASE, DEV = ROOT / "envs/base.txt", ROOT / "envs/dev.txt"


def test_the_lock_holds_what_was_asked_for():
    locked = {name.lower().replace("_", "-"): version for name, version in pins(BASE).items()}
    asked = dict(re.findall(r"^([A-Za-z0-9-]+)==(\S+)$", (ROOT / "envs/base.in").read_text(), re.MULTILINE))
    assert len(asked) > 20
    assert {name.lower(): locked.get(name.lower()) for name in asked} == {name.lower(): version for name, version in asked.items()}


def test_locks_are_hashed_and_name_no_address_and_no_torch():
    for path in (BASE, DEV):
        text = path.read_text()
        assert "://" not in text
        assert not re.search(r"^(torch|triton|nvidia[a-z0-9-]*)==", text, re.MULTILINE)
        for line in re.findall(r"^[A-Za-z0-9_.-]+==.*", text, re.MULTILINE):
            assert line.endswith("\\"), f"{line} has no hash"


def test_dev_and_base_agree_where_both_pin():
    base, dev = pins(BASE), pins(DEV)
    assert {name: dev[name] for name in set(base) & set(dev)} == {name: base[name] for name in set(base) & set(dev)}


def test_python_and_torch_are_the_same_everywhere():
    makefile, project, flake = ((ROOT / name).read_text() for name in ("Makefile", "pyproject.toml", "flake.nix"))
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
