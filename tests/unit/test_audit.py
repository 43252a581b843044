"""`make audit` on offline copies of databases: what is affected, what is too old, what cannot be read."""

import importlib.util
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reassess.core.project import ROOT

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / "envs/audit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["audit"]


def entry(name, events=(), versions=(), kind="ECOSYSTEM", identifier="PYSEC-1", **more):
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "versions": list(versions),
        "ranges": [{"type": kind, "events": list(events)}],
    }
    modified = NOW.isoformat().replace("+00:00", "Z")
    return {"id": identifier, "modified": modified, "affected": [affected], **more}


CONTROL = entry("requests", [{"introduced": "0"}, {"fixed": "2.20.0"}], aliases=["CVE-2018-18074"])


def export(folder, *entries):
    """Write an export of OSV with these entries and one that is known; return its path."""
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, one in enumerate([CONTROL, *entries]):
            archive.writestr(f"{number}.json", json.dumps(one))
    return path


def lock(folder, *pinned):
    path = folder / "base.txt"
    path.write_text("".join(f"{one} \\\n    --hash=sha256:00\n" for one in pinned))
    return path


@pytest.mark.parametrize(
    ("events", "affected", "safe"),
    [
        ([{"introduced": "0"}, {"fixed": "1.5"}], ["0.1", "1.4.9", "1.5rc1"], ["1.5", "2.0"]),
        ([{"introduced": "1.0"}, {"last_affected": "1.5"}], ["1.0", "1.5"], ["0.9", "1.5.1"]),
        ([{"introduced": "1.0"}], ["1.0", "9.0"], ["0.9"]),
        ([{"introduced": "0"}], ["0.1", "9.0"], []),
        (
            [{"introduced": "2.0"}, {"fixed": "1.5"}, {"introduced": "1.0"}, {"fixed": "2.1"}],
            ["1.2", "2.0"],
            ["0.9", "1.5", "1.9", "2.1"],
        ),
    ],
)
def test_the_ranges_of_osv(audit, tmp_path, capsys, events, affected, safe):
    database = audit.read_osv(export(tmp_path, entry("Some_Package", events)))
    for version in affected + safe:
        found = audit.ask_offline(database, [lock(tmp_path, f"some.package=={version}")])
        assert found == (version in affected), version
        assert ("PYSEC-1" in capsys.readouterr().out) == (version in affected)


def test_a_listed_version_counts_and_its_local_part_does_not(audit, tmp_path):
    database = audit.read_osv(export(tmp_path, entry("torch", versions=["2.13.0"])))
    assert audit.ask_offline(database, [lock(tmp_path, "torch==2.13.0+cpu", "numpy==2.4.6")]) == 1
    assert audit.ask_offline(database, [lock(tmp_path, "torch==2.13.1")]) == 0


def test_withdrawn_entries_and_commits_do_not_count(audit, tmp_path):
    entries = [
        entry("torch", [{"introduced": "0"}], withdrawn="2020-01-01T00:00:00Z"),
        entry("torch", [{"introduced": "0"}], kind="GIT"),
    ]
    database = audit.read_osv(export(tmp_path, *entries))
    assert audit.ask_offline(database, [lock(tmp_path, "torch==2.13.0")]) == 0


def test_a_folder_of_entries_is_read_like_an_archive(audit, tmp_path):
    (tmp_path / "all/deep").mkdir(parents=True)
    (tmp_path / "all/deep/1.json").write_text(json.dumps(CONTROL))
    assert audit.read_osv(tmp_path / "all").advisories["requests"][0].affects("2.19.0")


def test_a_database_that_does_not_know_a_known_one_is_not_believed(audit, tmp_path, capsys):
    (tmp_path / "all").mkdir()
    (tmp_path / "all/1.json").write_text(json.dumps(entry("numpy", [{"introduced": "3"}])))
    assert audit.ask_offline(audit.read_osv(tmp_path / "all"), [lock(tmp_path, "numpy==1")]) == 0
    assert "NOT compared" in capsys.readouterr().out


def test_an_old_database_states_its_age_and_its_coverage(audit, tmp_path, capsys):
    database = audit.read_osv(export(tmp_path))._replace(date=NOW - timedelta(days=400))
    audit.ask_offline(database, [lock(tmp_path, "requests==2.34.2", "numpy==2.4.6")])
    said = capsys.readouterr().out
    assert "400 days OLD" in said and "1 of 2 packages" in said
    audit.ask_offline(database._replace(date=NOW), [lock(tmp_path, "requests==2.34.2")])
    assert "OLD" not in capsys.readouterr().out


def test_a_range_that_cannot_be_read_is_named(audit, tmp_path, capsys):
    odd = audit._advisory({"PYSEC-2"}, (), ["<r5238"])
    database = audit.read_osv(export(tmp_path))
    database.advisories["numpy"] = [odd]
    assert audit.ask_offline(database, [lock(tmp_path, "numpy==2.4.6")]) == 0
    said = capsys.readouterr().out
    assert "UNDECIDED" in said and "<r5238" in said and "PYSEC-2" in said


def test_every_lock_is_audited_and_torch_is_in_every_bill_of_materials():
    makefile = Path(ROOT / "Makefile").read_text()
    recipe = makefile[makefile.index("\nsbom:") :].split("\n\n")[0]
    assert "envs/torch.txt" in recipe
    for name in ("base", "cuda", "dev", "gpu", "vllm-cpu"):
        assert f" {name}" in recipe
