"""Installed packages are those that were locked: RECORDs, recorded digests, unlisted code."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from reassess.cluster import environment as environment_checks
from reassess.cluster.installed import RECORDS, examine_installed
from reassess.core.errors import ReassessError
from reassess.core.manifest import Manifest
from reassess.core.project import ROOT
from reassess.core.provenance import (
    Distribution,
    canonical,
    damaged,
    distributions,
    environment,
    installed_digest,
    read_wheel,
    record_digest,
    unlisted,
)

TAG = "cp311-cp311-manylinux_2_28_x86_64"


def line(path, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}"


def make_wheel(folder, name="torch", version="2.13.0+cpu", tag=TAG, code=b"x = 1\n"):
    """Write a wheel with code, a library, a script and a file of its `.data`; return its path."""
    info, data = f"{name}-{version}.dist-info", f"{name}-{version}.data"
    files = {
        f"{name}/__init__.py": code,
        f"{name}/lib/big, with a comma.so": b"\x7fELF" + bytes(range(256)),
        f"{data}/purelib/{name}_extra.py": b"y = 2\n",
        f"{data}/scripts/{name}run": b"#!python\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = [line(f'"{path}"' if "," in path else path, one) for path, one in files.items()]
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for where, content in files.items():
            archive.writestr(where, content)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return path


def install(wheel, folder):
    """Unpack a wheel as an installer does, with lines of its own in RECORD; return the result."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (info,) = folder.glob("*.dist-info")
    name, version = info.name.removesuffix(".dist-info").split("-")
    data = folder / f"{name}-{version}.data"
    (data / f"purelib/{name}_extra.py").rename(folder / f"{name}_extra.py")
    (info / "INSTALLER").write_text("an installer")
    (folder / f"{name}/__pycache__").mkdir()
    (folder / f"{name}/__pycache__/__init__.cpython-311.pyc").write_bytes(b"compiled")
    lines = (info / "RECORD").read_text().splitlines()
    lines = [one.replace(f"{data.name}/purelib/", "") for one in lines if "/scripts/" not in one]
    lines += [
        line(f"../../../bin/{name}run", b"#!/here/python\n"),
        line(f"{info.name}/INSTALLER", b"an installer"),
        f"{name}/__pycache__/__init__.cpython-311.pyc,,",
    ]
    (info / "RECORD").write_bytes("\r\n".join(sorted(lines)).encode() + b"\r\n")
    (folder.parents[2] / "bin").mkdir(exist_ok=True)
    (folder.parents[2] / f"bin/{name}run").write_bytes(b"#!/here/python\n")
    (data / f"scripts/{name}run").unlink()
    return Distribution(canonical(name), version, info)


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "lib/python3.11/site-packages"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path)


@pytest.fixture
def records(tmp_path, wheel):
    read = read_wheel(wheel)
    entry = {"wheel": read.file, "sha256": read.sha256}
    path = tmp_path / "records.json"
    path.write_text(json.dumps({read.name: {read.version: {read.record: entry}}}))
    return path


def wrong(*arguments):
    return [finding.line() for finding in examine_installed(*arguments) if not finding.fine]


def test_an_installed_distribution_has_the_digest_of_its_wheel(wheel, site):
    installed = install(wheel, site)
    assert read_wheel(wheel).record == installed_digest(installed)
    assert installed.tags() == {TAG}
    assert not list(damaged(installed)) and not list(unlisted([installed]))
    assert distributions([str(site)]) == [installed]


def test_the_digest_sees_every_file_and_no_order(wheel, site):
    text = install(wheel, site).record.read_bytes()
    lines = text.split(b"\r\n")
    assert record_digest(b"\n".join(reversed(lines))) == record_digest(text)
    brought = [
        one
        for one in lines
        if b"sha256" in one and not one.startswith(b"../") and b"/INSTALLER" not in one
    ]
    assert len(brought) == 5
    for one in brought:
        assert record_digest(text.replace(one, b"")) != record_digest(text), one
        assert record_digest(text.replace(one, one.replace(b"=", b"=0", 1))) != record_digest(text)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "torch/__init__.py",
        "torch/lib/big, with a comma.so",
        "torch_extra.py",
        "torch-2.13.0+cpu.dist-info/METADATA",
        "../../../bin/torchrun",
    ],
)
@pytest.mark.parametrize("how", [flip, Path.unlink, lambda path: path.write_bytes(b"short")])
def test_a_changed_file_is_found_by_name(wheel, site, records, name, how):
    installed = install(wheel, site)
    assert not wrong([installed], records)
    how(site / name)
    (found,) = wrong([installed], records)
    assert name in found and "torch 2.13.0+cpu" in found


def test_a_file_changed_together_with_its_record_is_found(wheel, site, records):
    installed = install(wheel, site)
    code = site / "torch/__init__.py"
    old = line("torch/__init__.py", code.read_bytes())
    code.write_bytes(b"x = 2\n")
    text = installed.record.read_text().replace(old, line("torch/__init__.py", b"x = 2\n"))
    installed.record.write_text(text)
    assert not list(damaged(installed))
    assert wrong([installed], records)


@pytest.mark.parametrize("name", ["evil.pth", "sitecustomize.py", "torch/more.py", "torch/x.so"])
def test_code_that_no_wheel_brought_is_found(wheel, site, records, name):
    installed = install(wheel, site)
    (site / name).write_text("import os\n")
    (found,) = wrong([installed], records)
    assert str(site / name) in found


def test_a_shim_that_is_not_ours_is_found(wheel, site, records):
    installed = install(wheel, site)
    shim = site / "zz_reassess_shim.pth"
    shim.write_bytes((ROOT / "envs/zz_reassess_shim.pth").read_bytes())
    assert not wrong([installed], records)
    flip(shim)
    (found,) = wrong([installed], records)
    assert str(shim) in found


def test_an_unknown_build_of_torch_is_named_with_what_records_it(tmp_path, site, records):
    other = make_wheel(tmp_path, version="2.13.0+rocm7")
    (found,) = wrong([install(other, site)], records)
    assert "2.13.0+rocm7" in found and read_wheel(other).record in found
    assert "envs/records.py" in found and "envs/torch.txt" in found


def test_another_wheel_of_a_locked_version_is_found_and_another_platform_is_not(tmp_path, site):
    locked = read_wheel(make_wheel(tmp_path, "numpy", "2.4.6"))
    records = tmp_path / "records.json"
    entry = {"wheel": locked.file, "sha256": locked.sha256}
    records.write_text(json.dumps({"numpy": {"2.4.6": {locked.record: entry}}}))
    changed = install(make_wheel(tmp_path, "numpy", "2.4.6", code=b"x = 3\n"), site)
    (found,) = wrong([changed], records)
    assert "numpy 2.4.6" in found and locked.file in found
    elsewhere = tmp_path / "other/lib/site-packages"
    elsewhere.mkdir(parents=True)
    arm = make_wheel(tmp_path, "numpy", "2.4.6", TAG.replace("x86_64", "aarch64"), b"x = 4\n")
    assert not wrong([install(arm, elsewhere)], records)


def test_a_missing_or_unreadable_record_is_found(wheel, site, records):
    installed = install(wheel, site)
    installed.record.unlink()
    assert any("RECORD" in one for one in wrong([installed], records))


def test_a_wheel_that_disagrees_with_its_record_is_refused(wheel, tmp_path):
    broken = tmp_path / "broken.whl"
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(broken, "w") as new:
        for one in old.namelist():
            content = old.read(one)
            new.writestr(one, content + b"#" if one.endswith("__init__.py") else content)
    with pytest.raises(ReassessError, match=r"__init__\.py"):
        read_wheel(broken)
    broken.write_bytes(b"no archive")
    with pytest.raises(ReassessError, match=r"broken\.whl"):
        read_wheel(broken)


def test_only_wheels_of_a_lock_are_recorded(wheel):
    command = [sys.executable, str(ROOT / "envs/records.py"), str(wheel)]
    before = RECORDS.read_bytes()
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert read_wheel(wheel).sha256 in refused.stderr and "Traceback" not in refused.stderr
    assert RECORDS.read_bytes() == before


def test_every_recorded_wheel_stands_in_a_lock_by_its_hash():
    locked = set()
    for lock in (ROOT / "envs").glob("*.txt"):
        locked |= set(re.findall(r"sha256:([0-9a-f]{64})", lock.read_text()))
    records = json.loads(RECORDS.read_text())
    entries = [one for versions in records.values() for v in versions.values() for one in v.items()]
    assert len(entries) > 150
    assert all(entry["sha256"] in locked for _, entry in entries)
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest, _ in entries)
    torch = {entry["sha256"] for version in records["torch"].values() for entry in version.values()}
    pinned = re.findall(r"sha256:([0-9a-f]{64})", (ROOT / "envs/torch.txt").read_text())
    assert torch == set(pinned)


def test_the_installed_wheels_are_the_locked_ones():
    records = json.loads(RECORDS.read_text())
    installed = {one.name: one for one in distributions()}
    known = [
        name
        for name, one in installed.items()
        if installed_digest(one) in records.get(name, {}).get(one.version, {})
    ]
    assert "torch" in known


def test_a_manifest_says_which_wheels_ran():
    closed = Manifest("train", {}, "hash").close()["environment"]
    torch = {one.name: one for one in distributions()}["torch"]
    assert closed["torch"] == {"version": torch.version, "record": installed_digest(torch)}
    assert re.fullmatch(r"[0-9a-f]{64}", closed["hash"]) and closed["distributions"] > 100


def test_the_hash_of_an_environment_sees_another_build_and_no_other_folder(tmp_path, monkeypatch):
    hashes = []
    for place, code in (("a", b"x = 1\n"), ("b", b"x = 1\n"), ("c", b"x = 5\n")):
        site = tmp_path / place / "lib/python3.11/site-packages"
        site.mkdir(parents=True)
        install(make_wheel(tmp_path / place, code=code), site)
        monkeypatch.setattr(sys, "path", [str(site)])
        environment.cache_clear()
        hashes.append(environment()["hash"])
    monkeypatch.undo()
    environment.cache_clear()
    assert hashes[0] == hashes[1] != hashes[2]


def test_an_editable_installation_is_no_part_of_the_environment(wheel, site, monkeypatch):
    installed = install(wheel, site)
    monkeypatch.setattr(sys, "path", [str(site)])
    environment.cache_clear()
    assert environment()["distributions"] == 1
    address = {"url": "file:///somewhere", "dir_info": {"editable": True}}
    (installed.folder / "direct_url.json").write_text(json.dumps(address))
    environment.cache_clear()
    assert environment()["distributions"] == 0
    monkeypatch.undo()
    environment.cache_clear()


UV = ROOT / ".tools/bin/uv"


@pytest.fixture
def lock_of_torch(tmp_path):
    """A folder like envs/, with two builds of a torch beside it; installs them from there alone."""
    offered = tmp_path / "offered"
    offered.mkdir()
    wheels = [
        make_wheel(offered, version=version, tag="py3-none-any")
        for version in ("2.13.0", "2.13.0+cpu")
    ]
    hashes = [read_wheel(one).sha256 for one in wheels]
    pinned = "torch==2.13.0 \\\n" + " \\\n".join(f"    --hash=sha256:{one}" for one in hashes)
    (tmp_path / "torch.txt").write_text(pinned + "\n")
    shutil.copy(ROOT / "envs/torch.sh", tmp_path)
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, tmp_path / "env"], check=True)

    def setup():
        settings = {"UV_FIND_LINKS": str(offered), "UV_NO_INDEX": "1", "UV_NO_CACHE": "1"}
        command = [tmp_path / "torch.sh", UV, tmp_path / "env"]
        environment = {**os.environ, **settings, "VIRTUAL_ENV": ""}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        found = [
            one.version for one in distributions([str(*(tmp_path / "env/lib").glob("*/site-*"))])
        ]
        return done, found

    return setup, tmp_path / "torch.txt", wheels


@pytest.mark.skipif(
    not UV.exists(), reason="uv is not beside this checkout: `make setup` puts it there"
)
def test_torch_is_installed_by_hash_and_the_cpu_build_where_there_is_one(lock_of_torch):
    setup, *_ = lock_of_torch
    done, found = setup()
    assert done.returncode == 0 and found == ["2.13.0+cpu"], done.stderr


@pytest.mark.skipif(
    not UV.exists(), reason="uv is not beside this checkout: `make setup` puts it there"
)
@pytest.mark.parametrize("build", [0, 1])
def test_a_torch_of_another_hash_is_refused(lock_of_torch, build):
    setup, lock, wheels = lock_of_torch
    if build == 0:
        wheels[1].unlink()
    wanted = read_wheel(wheels[build]).sha256
    lock.write_text(lock.read_text().replace(wanted, wanted[::-1]))
    done, found = setup()
    assert done.returncode != 0 and wanted in done.stderr and found == []


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["avx2", "default"])
def test_a_manifest_says_which_kernels_ran(capability):
    """They change the last bits of results, on one and the same processor."""
    code = "import torch; from reassess.core.manifest import hardware; print(hardware()['kernels'])"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
    said = subprocess.run(command, capture_output=True, text=True, env=environment).stdout
    torch = pytest.importorskip("torch")
    assert said.strip() in (capability.upper(), torch.backends.cpu.get_cpu_capability())


def test_the_doctor_names_other_kernels(monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    found = environment_checks._kernels()
    assert not found.fine and "ATEN_CPU_CAPABILITY is default" in found.line()
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    monkeypatch.setattr(sys, "platform", "linux")
    found = environment_checks._kernels()
    assert not found.fine and "/proc" in found.line()


def test_what_nix_has_patched_is_not_compared(wheel, site, records, monkeypatch):
    installed = install(wheel, site)
    flip(site / "torch/lib/big, with a comma.so")
    assert wrong([installed], records)
    monkeypatch.setattr("reassess.cluster.installed.NIX", site)
    (finding,) = examine_installed([installed], records)
    assert finding.fine and "1 packages" in finding.what
