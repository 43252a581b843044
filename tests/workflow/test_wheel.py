"""An installed wheel works outside a checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from reassess.core.project import CARRIED, ROOT

pytestmark = pytest.mark.slow
BUILD = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the content of a wheel, which was built from a copy of the project."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*CARRIED, "src", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                source / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
            )
        else:
            shutil.copy(ROOT / name, source / name)
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    shutil.rmtree(source)
    return folder / "site"


def reassess(site, folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-m", "reassess.cli.entry", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_folder_from_init_plans_and_runs_jobs_of_the_grid(installed, tmp_path):
    done = reassess(installed, tmp_path, "init", "study")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "study"
    assert (folder / "workflow/profiles/slurm/partitions.yaml").is_file()
    checked = reassess(installed, folder, "grid", "check")
    assert "19 cells evaluated" in checked.stdout, checked.stderr
    planned = reassess(installed, folder, "plan", "--config", "config/paper.yaml")
    assert planned.returncode == 0 and "train" in planned.stdout, planned.stderr
    made = reassess(installed, folder, "run", "--config", "config.yaml", "build_tokenizer")
    assert made.returncode == 0, made.stdout + made.stderr
    assert (folder / "scratch/micro/tokenizer/tokenizer.json").is_file()
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "config",
        "config.yaml",
        "results",  # the record of what was made
        "scratch",
        "workflow",
    ]


def test_programs_beside_an_installed_wheel_import_transformers(installed, tmp_path):
    """Such as lm-eval's command: a .pth file of the wheel lets torchvision be imported."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    shutil.copytree(installed, packages, dirs_exist_ok=True)
    # The pinned packages, by a path: the .pth files among them are not read.
    (packages / "pinned.pth").write_text(sysconfig.get_path("purelib") + "\n")
    code = "import lm_eval.models.hf_vlms as a, sys; print(sys.modules['reassess'].__file__)"
    done = subprocess.run(
        [environment / "bin" / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(packages) in done.stdout


def test_a_wheel_requires_what_the_locks_pin(installed):
    (metadata,) = installed.glob("reassess-*.dist-info/METADATA")
    required = re.findall(r"^Requires-Dist: (\S+)==(\S+)$", metadata.read_text(), re.MULTILINE)
    locked = dict(re.findall(r"^(\S+)==(\S+) ", (ROOT / "envs/base.txt").read_text(), re.MULTILINE))
    pins = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in required}
    assert {"torch", "snakemake", "trl", "lm-eval"} <= set(pins)
    assert {name: locked[name] for name in pins if name != "torch"} == {
        name: version for name, version in pins.items() if name != "torch"
    }


def test_init_never_overwrites(installed, tmp_path):
    (tmp_path / "config.yaml").write_text("grid: mine\n")
    done = reassess(installed, tmp_path, "init", ".")
    assert done.returncode == 1
    assert "config.yaml" in done.stderr
    assert (tmp_path / "config.yaml").read_text() == "grid: mine\n"
    assert not (tmp_path / "workflow").exists()


def test_what_only_a_checkout_can_do_is_refused_by_name(installed, tmp_path):
    done = reassess(installed, tmp_path, "new", "figure", "mine")
    assert done.returncode == 1
    assert "checkout" in done.stderr
