"""The flake, as far as it can be checked without nixpkgs.

It parses, agrees with its lock, and every output evaluates against a stub.
"""

import json
import re
import shutil
import subprocess

import pytest

from reassess.cluster.environment import TORCH
from reassess.core.project import ROOT

pytestmark = pytest.mark.skipif(
    not shutil.which("nix"), reason="nix is not installed: make test-nix installs Debian's nix-bin"
)
NIX = ("nix", "--offline", "--extra-experimental-features", "nix-command flakes")
STUB = ("--override-input", "nixpkgs", f"path:{ROOT / 'tests/nix/stub'}", "--no-write-lock-file")
SYSTEM = "x86_64-linux"
OUTPUTS = [
    *(f"devShells.{SYSTEM}.{name}" for name in ("default", "cuda")),
    *(
        f"packages.{SYSTEM}.{name}"
        for name in ("default", "gpu", "wheelhouse", "wheelhouse-gpu", "image")
    ),
    *(f"checks.{SYSTEM}.{name}" for name in ("environment", "figures", "scores")),
]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    """A store and a cache of the tests' own."""
    folder = tmp_path_factory.mktemp("nix")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patched.setenv("NIX_REMOTE", str(folder / "root"))
        yield


def nix(*words):
    return subprocess.run([*NIX, *words], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def flake(tmp_path_factory):
    """The tracked files that the flake reads, without an environment beside them.

    A flake's folder is copied as a whole at each evaluation.
    """
    folder = tmp_path_factory.mktemp("flake")
    for name in ("flake.nix", "flake.lock", "Makefile"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "envs", folder / "envs")
    (folder / "results/reference/micro").mkdir(parents=True)
    return folder


def evaluate(flake, what, *options):
    evaluated = nix("eval", "--json", *STUB, f"path:{flake}#{what}", *options)
    assert evaluated.returncode == 0, evaluated.stderr
    return json.loads(evaluated.stdout)


def test_it_parses():
    for path in (ROOT / "flake.nix", ROOT / "tests/nix/stub/flake.nix"):
        subprocess.run(["nix-instantiate", "--parse", str(path)], check=True, capture_output=True)


def test_the_lock_is_the_one_of_its_inputs(flake, tmp_path):
    assert nix("flake", "metadata", "--no-update-lock-file", f"path:{flake}").returncode == 0
    shutil.copytree(flake, tmp_path / "other")
    changed = (flake / "flake.nix").read_text().replace("nixos-unstable", "nixos-24.05")
    (tmp_path / "other/flake.nix").write_text(changed)
    refused = nix("flake", "metadata", "--no-update-lock-file", f"path:{tmp_path / 'other'}")
    # It would have to be fetched.
    assert refused.returncode != 0 and "nixos-24.05" in refused.stderr


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_evaluates(flake, output):
    assert re.fullmatch(r"/nix/store/\w+-[\w.-]+\.drv", evaluate(flake, f"{output}.drvPath"))


@pytest.mark.parametrize(
    ("name", "command"), [("default", "reassess-run"), ("test", "reassess-test")]
)
def test_apps_name_their_program(flake, name, command):
    app = evaluate(flake, f"apps.{SYSTEM}.{name}")
    assert app["type"] == "app" and app["program"].endswith(f"/bin/{command}")


def test_there_are_no_other_outputs_and_all_pass_nix_own_check(flake):
    shown = nix("flake", "show", "--json", *STUB, f"path:{flake}")
    outputs = {
        f"{kind}.{SYSTEM}.{name}"
        for kind, systems in json.loads(shown.stdout).items()
        for name in systems[SYSTEM]
    }
    assert outputs == {*OUTPUTS, f"apps.{SYSTEM}.default", f"apps.{SYSTEM}.test"}
    checked = nix("flake", "check", "--no-build", *STUB, f"path:{flake}")
    assert checked.returncode == 0, checked.stderr


def test_versions_and_wheels_agree_with_the_locks(flake):
    text = (ROOT / "flake.nix").read_text()
    assert re.search(r'torch = "([\d.]+)"', text)[1] == TORCH
    for name in ("wheelhouse", "wheelhouse-gpu"):
        assert re.fullmatch(
            r"sha256-[A-Za-z0-9+/]{43}=", evaluate(flake, f"packages.{SYSTEM}.{name}.outputHash")
        )


def test_a_broken_output_is_seen(flake, tmp_path):
    """The stub refuses what nixpkgs does not have."""
    shutil.copytree(flake, tmp_path / "broken")
    broken = (
        (flake / "flake.nix").read_text().replace("pkgs.autoPatchelfHook", "pkgs.autoPatchElfHook")
    )
    (tmp_path / "broken/flake.nix").write_text(broken)
    refused = nix("eval", *STUB, f"path:{tmp_path / 'broken'}#packages.{SYSTEM}.default.drvPath")
    assert refused.returncode != 0 and "autoPatchElfHook" in refused.stderr
