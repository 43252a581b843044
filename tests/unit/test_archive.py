"""Bundles as files: what they hold, and how they are checked, unpacked, redrawn and merged."""

import hashlib
import json
import re
import shutil
import subprocess
import zipfile

import jsonschema
import pandas as pd
import pyarrow.parquet as pq
import pytest
from synthetic import make_bundle
from typer.testing import CliRunner

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened, pack, redraw
from reassess.bundles.checksums import SUMS, require_whole, tampered
from reassess.bundles.collect import FRAMES
from reassess.bundles.dictionary import TABLES
from reassess.bundles.drawings import DRAWN_WITH
from reassess.bundles.merge import conflicts, merge
from reassess.cli.main import act, app
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json
from reassess.verify import verify_figures

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_figure")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The folder of a synthetic grid's bundle."""
    folder = tmp_path_factory.mktemp("grid")
    return make_bundle(folder).paths.bundle


@pytest.fixture(scope="module")
def archive(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "study.zip"
    pack(bundle, path)
    return path


@pytest.fixture
def unpacked(archive, tmp_path):
    with zipfile.ZipFile(archive) as opened_archive:
        opened_archive.extractall(tmp_path / "study")
    return tmp_path / "study"


def test_the_same_bundle_gives_the_same_archive(bundle, archive, tmp_path):
    pack(bundle, tmp_path / "again.zip")
    assert (
        hashlib.sha256((tmp_path / "again.zip").read_bytes()).digest()
        == hashlib.sha256(archive.read_bytes()).digest()
    )


def test_an_archive_holds_tables_drawings_config_and_checksums(unpacked):
    names = {
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    }
    assert {f"bundle/{name}.parquet" for name in TABLE_NAMES} < names
    assert {
        "bundle/study.json",
        "config.yaml",
        "claims.json",
        "datapackage.json",
        "ro-crate-metadata.json",
        DRAWN_WITH,
    } < names
    assert {
        "figures/capacity.svg",
        "figures/capacity.png",
        "figures/capacity.pdf",
        "tables/main.csv",
    } < names
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict", SUMS], cwd=unpacked, capture_output=True, text=True
    )
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == len(names) - 1  # all but the list itself


def test_every_column_is_explained(unpacked):
    package = read_json(unpacked / "datapackage.json")
    assert {one["name"] for one in package["resources"]} == TABLE_NAMES
    for one in package["resources"]:
        path = unpacked / one["path"]
        assert one["hash"] == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        fields = one["schema"]["fields"]
        assert [field["name"] for field in fields] == pq.read_schema(path).names
        assert all(field["description"] for field in fields)
    kinds = {
        field["name"]: field["type"]
        for one in package["resources"]
        for field in one["schema"]["fields"]
    }
    assert (kinds["correct"], kinds["length"], kinds["value"], kinds["cell"]) == (
        "boolean",
        "integer",
        "number",
        "string",
    )
    jsonschema.validate(package, PACKAGE)
    assert set(TABLES) == TABLE_NAMES


TABLE_NAMES = {*FRAMES, "predictions"}
# What Frictionless Data Package 2 demands of the parts used here.
PACKAGE = {
    "type": "object",
    "required": ["resources"],
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z0-9._-]+$"},
        "licenses": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"required": ["name"]}, {"required": ["path"]}]},
        },
        "resources": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["name", "path"],
                "properties": {
                    "name": {"type": "string"},
                    "path": {"type": "string", "pattern": r"^(?!.*\.\.)[^/].*"},
                    "bytes": {"type": "integer"},
                    "hash": {"type": "string", "pattern": r"^(md5|sha1|sha256|sha512):[0-9a-f]+$"},
                },
            },
        },
    },
}


def test_the_crate_lists_every_file_and_what_made_them(unpacked):
    graph = {one["@id"]: one for one in read_json(unpacked / "ro-crate-metadata.json")["@graph"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    listed = {one["@id"] for one in graph["./"]["hasPart"]}
    assert listed <= set(graph)
    there = {
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    }
    assert listed == there - {SUMS, "ro-crate-metadata.json"}
    assert {one["@id"] for one in graph["#run"]["result"]} == {
        name for name in there if name.startswith("bundle/")
    }
    assert graph["./"]["license"]["@id"].endswith("Apache-2.0")


def test_a_laptop_redraws_the_same_bytes(archive, unpacked, tmp_path):
    redraw(archive, tmp_path / "redrawn")
    drawn = [path for path in (tmp_path / "redrawn").rglob("*") if path.is_file()]
    assert len(drawn) > 15
    for path in drawn:
        assert path.read_bytes() == (unpacked / path.relative_to(tmp_path / "redrawn")).read_bytes()
    assert verify_figures(archive).differences == []


def test_a_changed_or_missing_file_is_named(unpacked, tmp_path):
    assert tampered(unpacked) == []
    with (unpacked / "bundle/scores.parquet").open("ab") as changed:
        changed.write(b"x")
    (unpacked / "claims.html").unlink()
    with pytest.raises(ReassessError) as raised:
        redraw(unpacked, tmp_path / "out")
    assert re.search(r"bundle/scores.parquet: .*changed.*claims.html: missing", str(raised.value))
    assert not (tmp_path / "out").exists()


def test_a_bundle_of_a_newer_version_is_refused(unpacked, tmp_path):
    study = read_json(unpacked / "bundle/study.json")
    write_json(unpacked / "bundle/study.json", {**study, "format": 99})
    (unpacked / SUMS).unlink()
    with pytest.raises(ReassessError, match=r"study.json.*\b99\b.*\b1\b"):
        redraw(unpacked, tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["../outside", "/absolute", "a/../../b", "a//b", "back\\slash", "twice"]
)
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path, name):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as evil:
        about = zipfile.ZipInfo("x")
        about.filename = name
        evil.writestr(about, "x")
        if name == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                evil.writestr(name, "y")
    with (
        pytest.raises(ReassessError, match=r"evil\.zip.*entry"),
        opened(path),
    ):
        pass


def test_a_link_in_an_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as evil:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        evil.writestr(link, "/etc/passwd")
    with (
        pytest.raises(ReassessError, match="'link'"),
        opened(tmp_path / "link.zip"),
    ):
        pass


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("reassess.bundles.archive.LARGEST", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as evil:
        evil.writestr("zeros", bytes(10_000))
    with (
        pytest.raises(ReassessError, match=r"bomb\.zip.*more than"),
        opened(tmp_path / "bomb.zip"),
    ):
        pass


def test_no_archive_and_half_an_archive(archive, tmp_path):
    with pytest.raises(ReassessError, match=r"none\.zip"), opened(tmp_path / "none.zip"):
        pass
    (tmp_path / "half.zip").write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(ReassessError, match=r"half\.zip.*archive"), opened(tmp_path / "half.zip"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReassessError, match=r"folder.*study\.json"), opened(tmp_path / "folder"):
        pass


def test_another_matplotlib_and_a_missing_font_are_named(unpacked, tmp_path, monkeypatch):
    then = read_json(unpacked / DRAWN_WITH)
    write_json(unpacked / DRAWN_WITH, {**then, "matplotlib": "3.0.0", "machine": "riscv"})
    (unpacked / SUMS).unlink()
    notes = verify_figures(unpacked).notes
    assert any(note.startswith("matplotlib was 3.0.0") for note in notes)
    assert any(note.startswith("machine was riscv") for note in notes)
    monkeypatch.setattr("matplotlib.font_manager.fontManager.ttflist", [])
    monkeypatch.setattr(
        "matplotlib.font_manager.findfont",
        lambda *a, **k: (_ for _ in ()).throw(ValueError("none")),
    )
    with pytest.raises(ReassessError, match="'DejaVu Sans'"):
        redraw(unpacked, tmp_path / "out")


# --- merging ----------------------------------------------------------------------------------------------------------


def part(unpacked, folder, cells):
    """Return a bundle of some cells of another, in a folder of its own."""
    shutil.copytree(unpacked / "bundle", folder / "bundle")
    for name in TABLE_NAMES:
        frame = pd.read_parquet(folder / f"bundle/{name}.parquet")
        frame[frame["cell"].isin(cells)].to_parquet(folder / f"bundle/{name}.parquet", index=False)
    return folder


def test_halves_merge_to_the_whole(unpacked, archive, tmp_path):
    cells = sorted(Bundle.load(unpacked / "bundle").manifests["cell"])
    first, second = (
        part(unpacked, tmp_path / "a", cells[:12]),
        part(unpacked, tmp_path / "b", cells[10:]),
    )
    merge(first, second, tmp_path / "merged.zip")
    with opened(tmp_path / "merged.zip") as root:
        require_whole(root, root)
        ours, whole = Bundle.load(root / "bundle"), Bundle.load(unpacked / "bundle")
        pd.testing.assert_frame_equal(ours.scores, whole.scores)
        pd.testing.assert_frame_equal(ours.history, whole.history)
        assert [one["grid"] for one in ours.study["merged"]] == ["micro", "micro"]
        assert (root / "figures/capacity.svg").read_bytes() == (
            unpacked / "figures/capacity.svg"
        ).read_bytes()


def test_what_two_labs_disagree_on_is_named(unpacked, tmp_path):
    cell = "llava-w32/same-family/2000/sft/seed1"
    other = part(
        unpacked, tmp_path / "other", set(Bundle.load(unpacked / "bundle").manifests["cell"])
    )
    scores = pd.read_parquet(other / "bundle/scores.parquet")
    row = scores.index[scores["cell"] == cell][3]
    scores.loc[row, "correct"] = not scores.loc[row, "correct"]
    scores.to_parquet(other / "bundle/scores.parquet", index=False)
    with pytest.raises(
        ReassessError, match=rf"1 cells were run in both.*{cell} \(1 of \d+ items\).*--keep"
    ):
        merge(unpacked, other, tmp_path / "merged.zip")
    merge(unpacked, other, tmp_path / "merged.zip", keep="second")
    with opened(tmp_path / "merged.zip") as root:
        assert conflicts(Bundle.load(root / "bundle"), Bundle.load(other / "bundle")) == []
    manifests = pd.read_parquet(other / "bundle/manifests.parquet")
    manifests.loc[manifests["cell"] == cell, "spec_hash"] = "other"
    manifests.to_parquet(other / "bundle/manifests.parquet", index=False)
    assert conflicts(Bundle.load(unpacked / "bundle"), Bundle.load(other / "bundle")) == [
        f"{cell} (another spec)"
    ]


@pytest.mark.parametrize(("kind", "name"), [("models", "llava-w32"), ("arms", "sft")])
def test_bundles_of_different_studies_do_not_merge(unpacked, tmp_path, kind, name):
    other = part(unpacked, tmp_path / "other", [])
    study = read_json(other / "bundle/study.json")
    study[kind][name] = {**study[kind][name], "added": 1}
    write_json(other / "bundle/study.json", study)
    with pytest.raises(ReassessError, match=f"disagree on {kind[:-1]} '{name}'"):
        merge(unpacked, other, tmp_path / "merged.zip")


def test_other_rows_do_not_merge(unpacked, tmp_path):
    cells = sorted(Bundle.load(unpacked / "bundle").manifests["cell"])
    first = part(unpacked, tmp_path / "a", [cell for cell in cells if "/grpo/" not in cell])
    second = part(unpacked, tmp_path / "b", [cell for cell in cells if "/grpo/" in cell])
    manifests = pd.read_parquet(second / "bundle/manifests.parquet").assign(rows_hash="others")
    manifests.to_parquet(second / "bundle/manifests.parquet", index=False)
    with pytest.raises(ReassessError, match=r"cells \S+ and \S+ .*rows"):
        merge(first, second, tmp_path / "merged.zip")


def test_the_commands_say_what_they_did(bundle, tmp_path):
    out = tmp_path / "study.zip"
    done = CliRunner().invoke(app, ["bundle", "--bundle", str(bundle), "--out", str(out)])
    assert done.exit_code == 0 and "verify figures" in done.output
    assert (
        CliRunner()
        .invoke(app, ["figures", "--bundle", str(out), "--out", str(tmp_path / "drawn")])
        .exit_code
        == 0
    )
    assert (tmp_path / "drawn/figures/capacity.svg").is_file()
    assert act(["figures", "--bundle", str(tmp_path / "none.zip")]) == 1
    assert json.loads((tmp_path / "drawn" / DRAWN_WITH).read_text())["backend"] == "agg"
