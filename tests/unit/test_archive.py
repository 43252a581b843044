"""Bundles as files: what they hold, and how they are checked, unpacked, redrawn and merged."""

import hashlib
import json
import os
import re
import shutil
import socket
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
from reassess.bundles.checksums import SUMS, listed, require_whole, tampered, write_sums
from reassess.bundles.collect import FRAMES
from reassess.bundles.conflicts import conflicts
from reassess.bundles.dictionary import TABLES
from reassess.bundles.drawings import DRAWN_WITH, draw_all, drawn_with
from reassess.bundles.merge import merge
from reassess.bundles.plain import plain_files
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


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder of what has been drawn, by the hash of what it was drawn from."""
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture
def undrawn(monkeypatch):
    """Draw nothing, for a test of tables only."""
    monkeypatch.setattr(
        "reassess.bundles.archive.draw_all",
        lambda bundle, root: write_json(root / DRAWN_WITH, drawn_with()),
    )


@pytest.fixture
def drawn_once(drawn, monkeypatch):
    """Draw equal bundles once for all tests that ask for this: drawing takes seconds each time."""

    def draw_or_copy(bundle, root):
        content = [bundle.joinpath(name).read_bytes() for name in plain_files(bundle)]
        folder = drawn / hashlib.sha256(b"".join(content)).hexdigest()
        if not folder.is_dir():
            draw_all(bundle, folder)
        shutil.copytree(folder, root, dirs_exist_ok=True)
        write_json(root / DRAWN_WITH, drawn_with())

    for module in ("reassess.bundles.archive", "reassess.verify.figures"):
        monkeypatch.setattr(f"{module}.draw_all", draw_or_copy)


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


TABLE_NAMES = {*FRAMES, "scores", "predictions"}
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


def test_a_laptop_redraws_the_same_bytes(archive, unpacked, tmp_path, request):
    redraw(archive, tmp_path / "redrawn")
    drawn = [path for path in (tmp_path / "redrawn").rglob("*") if path.is_file()]
    assert len(drawn) > 15
    for path in drawn:
        assert path.read_bytes() == (unpacked / path.relative_to(tmp_path / "redrawn")).read_bytes()
    request.getfixturevalue("drawn_once")
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
    write_sums(unpacked)
    with pytest.raises(ReassessError, match=r"study.json.*\b99\b.*\b1\b"):
        redraw(unpacked, tmp_path / "out")


# --- what an archive must not hold ------------------------------------------------------------


@pytest.mark.usefixtures("drawn_once")
def test_checksums_that_are_missing_are_an_error(unpacked, tmp_path):
    (unpacked / SUMS).unlink()
    assert [one.split(":")[0] for one in tampered(unpacked)] == [SUMS]
    with pytest.raises(ReassessError, match=rf"study is not as it was packed: {SUMS}: missing"):
        redraw(unpacked, tmp_path / "out")
    assert verify_figures(unpacked).differences != []
    for name in ("ABOUT.md", "datapackage.json", "ro-crate-metadata.json"):
        (unpacked / name).unlink()
    (found,) = tampered(unpacked)
    assert "no packed bundle" in found and "bundle pack" in found


@pytest.mark.usefixtures("drawn_once")
def test_a_grids_own_folder_is_drawn_and_is_no_packed_bundle(bundle, tmp_path):
    redraw(bundle.parent, bundle.parent)
    (found,) = verify_figures(bundle.parent).differences
    assert "no packed bundle" in found and "bundle pack" in found
    with pytest.raises(ReassessError, match="no packed bundle"):
        merge(bundle.parent, bundle.parent, tmp_path / "merged.zip")
    redraw(bundle.parent, tmp_path / "out")
    assert (tmp_path / "out/claims.json").is_file()


@pytest.mark.parametrize(
    "name", ["note.txt", "bundle/more.parquet", ".DS_Store", "figures/a/b", f"sub/{SUMS}"]
)
def test_a_file_that_the_sums_do_not_list_is_named(unpacked, tmp_path, name):
    (unpacked / name).parent.mkdir(exist_ok=True)
    (unpacked / name).write_text("planted")
    assert tampered(unpacked) == [f"{name}: not listed in {SUMS}"]
    with pytest.raises(ReassessError, match=re.escape(name)):
        redraw(unpacked, tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{sum}  {name}", "twice"),
        ("{sum}  CONFIG.yaml", "twice"),
        ("{sum}  /etc/passwd", "absolute"),
        ("{sum}  ../outside", "normal form"),
        ("{sum}  bundle/../config.yaml", "normal form"),
        ("{sum}  ./config.yaml", "normal form"),
        ("{sum}  bundle//study.json", "normal form"),
        ("{sum}  C:config.yaml", "colon"),
        ("{sum}  bundle\\study.json", "backslash"),
        ("{sum}  a\u202eb", "unprintable"),
        ("{sum}  a\u2028b", "unprintable"),
        (f"{{sum}}  {SUMS}", "cannot list"),
        (f"{{sum}}  {SUMS}.sig", "cannot list"),
        ("{sum} {name}", "no checksum"),
        ("{sum} *{name}", "no checksum"),
        ("{upper}  other", "no checksum"),
        ("abc  other", "no checksum"),
        ("{sum}  other\r", "unprintable"),
        ("", "no checksum"),
        ("# a comment", "no checksum"),
        ("\\{sum}  other", "no checksum"),
    ],
)
def test_a_line_of_the_sums_that_is_wrong_is_told(unpacked, line, told):
    checksum, name = next((value, key) for key, value in listed(unpacked).items() if "." in key)
    name = "config.yaml"
    text = (unpacked / SUMS).read_text()
    number = len(text.splitlines()) + 1
    with (unpacked / SUMS).open("a", newline="") as sums:
        sums.write(line.format(sum=checksum, upper=checksum.upper(), name=name) + "\n")
    (found,) = tampered(unpacked)
    assert f"line {number}" in found and told in found


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\xef\xbb\xbf"])
def test_sums_that_are_no_plain_text(unpacked, content):
    (unpacked / SUMS).write_bytes(content + (unpacked / SUMS).read_bytes())
    assert tampered(unpacked)


def test_a_cut_list_of_sums_is_told(unpacked):
    text = (unpacked / SUMS).read_text()
    (unpacked / SUMS).write_text(text[:-5])
    assert any("cut off" in one for one in tampered(unpacked))
    (unpacked / SUMS).write_text("")
    assert len(tampered(unpacked)) == len(text.splitlines())


def test_sums_in_another_order_than_they_are_packed_in_are_told(unpacked):
    lines = (unpacked / SUMS).read_text().splitlines(keepends=True)
    (unpacked / SUMS).write_text("".join(reversed(lines)))
    (found,) = tampered(unpacked)
    assert SUMS in found and "order" in found


@pytest.mark.parametrize("name", ["endorsed-by-everybody", "figures/retracted/by"])
def test_an_empty_folder_is_told(unpacked, name):
    (unpacked / name).mkdir(parents=True)
    assert f"{name}/: an empty folder; remove it" in tampered(unpacked)


@pytest.mark.parametrize("bit", [0o4000, 0o2000, 0o1000])
def test_a_file_that_lends_rights_is_refused(unpacked, bit):
    (unpacked / "claims.json").chmod(0o755 | bit)
    with (
        pytest.raises(ReassessError, match=r"'claims.json' is set to run.*chmod"),
        opened(unpacked),
    ):
        pass


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("more", "link"), ("bundle/scores.parquet", "link"), ("figures", "folder link"),
        (SUMS, "link"), ("bundle/study.json", "link"), ("bundle", "folder link"),
        ("ABOUT.md", "dangling"), ("pipe", "pipe"), (SUMS, "pipe"), ("sock", "socket"),
        ("config.yaml", "hard link"),
    ],
)  # fmt: skip
def test_a_folder_with_links_or_devices_is_refused_before_it_is_read(
    unpacked, tmp_path, monkeypatch, place, kind
):
    path, away = unpacked / place, tmp_path / "away"
    if path.exists():
        shutil.move(path, away)
    elif kind != "dangling":
        away.write_text("elsewhere")
    if kind in ("link", "folder link", "dangling"):
        path.unlink(missing_ok=True)
        path.symlink_to(away if kind != "dangling" else tmp_path / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "hard link":
        os.link(away, path)
    else:
        monkeypatch.chdir(unpacked)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place)
    with (
        pytest.raises(ReassessError, match=rf"'{place}' is a (symbolic|hard|pipe|socket)"),
        opened(unpacked),
    ):
        pass


def test_a_hard_link_that_nobody_may_write_to_is_read(unpacked, tmp_path):
    (unpacked / "ABOUT.md").chmod(0o444)
    os.link(unpacked / "ABOUT.md", tmp_path / "another-name")
    with opened(unpacked) as root:
        require_whole(root, root)


def test_tables_in_a_folder_of_another_name_are_not_mistaken(unpacked, tmp_path):
    """Its neighbour `bundle/` would be read instead."""
    shutil.copytree(unpacked / "bundle", unpacked / "tables-of-others")
    with pytest.raises(ReassessError, match="no bundle"), opened(unpacked / "tables-of-others"):
        pass
    shutil.rmtree(unpacked / "tables-of-others")
    with opened(unpacked / "bundle") as root:
        assert root == unpacked


@pytest.mark.parametrize(
    "name",
    [
        "../outside", "/absolute", "a/../../b", "a//b", "back\\slash", "C:/drive", "C:drive", "./a",
        "a/./b", "..", "a/..", "tab\there", "over\u202eride", "trailing /x",
    ],
)  # fmt: skip
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path, name):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as evil:
        evil.writestr("bundle/study.json", "{}")
        about = zipfile.ZipInfo("x")
        about.filename = name
        evil.writestr(about, "x")
    refused(path, repr(name))
    assert [one.name for one in tmp_path.iterdir()] == ["evil.zip"]


def refused(path, *told):
    """The error of an archive that is refused, by its path and each of some texts."""
    with pytest.raises(ReassessError) as raised, opened(path):
        pass
    for text in (str(path), *told):
        assert text in str(raised.value)
    assert "/reassess-bundle-" not in str(raised.value)


@pytest.mark.parametrize(
    "names",
    [
        ("twice", "twice"), ("Twice", "tWICE"), ("caf\u00e9", "cafe\u0301"), ("a", "a/b"),
        ("stra\u00dfe", "STRASSE"), ("a/b", "A"), ("a/", "a"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("top", ["", "study/"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_that_are_one_file_are_refused(tmp_path, names, top):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as evil:
        evil.writestr(f"{top}bundle/study.json", "{}")
        for name in names:
            evil.writestr(f"{top}{name}", "" if name.endswith("/") else "x")
    refused(tmp_path / "evil.zip", "entry")


def test_two_bundles_in_one_archive_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as two:
        two.writestr("a/bundle/study.json", "{}")
        two.writestr("b/bundle/study.json", "{}")
    refused(tmp_path / "two.zip", "bundle/study.json")


@pytest.mark.parametrize("mode", [0o120777, 0o060644, 0o020644, 0o010644, 0o140644, 0o040755])
def test_a_link_or_device_in_an_archive_is_refused(tmp_path, mode):
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as evil:
        evil.writestr("bundle/study.json", "{}")
        link = zipfile.ZipInfo("link")
        link.external_attr = mode << 16
        evil.writestr(link, "/etc/passwd")
    refused(tmp_path / "link.zip", "'link'")


def test_an_encrypted_entry_is_refused_by_name(unpacked, tmp_path):
    path = tmp_path / "secret.zip"
    if shutil.which("zip"):
        command = ["zip", "-q", "-r", "-P", "pass", str(path), "."]
        subprocess.run(command, cwd=unpacked, check=True)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("bundle/study.json", "{}")
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
    refused(path, "encrypted", "entry '")


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("reassess.bundles.zips.LARGEST", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as evil:
        evil.writestr("zeros", bytes(10_000))
    refused(tmp_path / "bomb.zip", "more than")
    monkeypatch.setattr("reassess.bundles.zips.MOST", 3)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as evil:
        for number in range(4):
            evil.writestr(f"{number}", "")
    refused(tmp_path / "many.zip", "more than")


@pytest.mark.parametrize("stated", [10, 9_999, 10_001, 2**31])
@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_sizes_that_lie_are_found_while_unpacking(tmp_path, monkeypatch, stated, kind):
    path = tmp_path / "lying.zip"
    with zipfile.ZipFile(path, "w", kind) as evil:
        evil.writestr("bundle/study.json", bytes(10_000))
    content = bytearray(path.read_bytes())
    for start, field in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # both headers
        place = content.index(start) + field
        content[place : place + 4] = stated.to_bytes(4, "little")
    path.write_bytes(content)
    refused(path)


@pytest.mark.usefixtures("drawn_once")
def test_an_ordinary_zip_of_an_unpacked_bundle_reads_the_same(unpacked, archive, tmp_path):
    with opened(archive) as root:
        files = {name: (root / name).read_bytes() for name in [SUMS, *listed(root)]}
    for number, made in enumerate(ordinary_zips(unpacked, tmp_path)):
        with opened(made) as root:
            assert tampered(root) == [], number
            assert {name: (root / name).read_bytes() for name in [SUMS, *listed(root)]} == files
    assert verify_figures(made).differences == []


def ordinary_zips(unpacked, folder):
    """Zip files of a folder as people make them."""
    name, parent = unpacked.name, unpacked.parent
    yield zipped(folder / "python.zip", unpacked, "", zipfile.ZIP_STORED)
    yield zipped(folder / "top.zip", unpacked, "Studie \u00c4 (1)/", zipfile.ZIP_DEFLATED)
    yield zipped(folder / "deep.zip", unpacked, "results/reference/micro/", zipfile.ZIP_DEFLATED)
    yield zipped(folder / "zip64.zip", unpacked, "x/", zipfile.ZIP_DEFLATED, force_zip64=True)
    if shutil.which("zip"):
        umlaut = folder / "K\u00f6ln"
        shutil.copytree(unpacked, umlaut)
        for made, options, cwd, what in (
            ("inside.zip", ["-r"], unpacked, "."),
            ("around.zip", ["-r", "-9"], parent, name),
            ("without-folders.zip", ["-r", "-D", "-0"], parent, name),
            ("without-extras.zip", ["-r", "-X", "-fz"], parent, name),
            ("umlaut.zip", ["-r"], folder, umlaut.name),
        ):
            command = ["zip", "-q", *options, str(folder / made), what]
            subprocess.run(command, cwd=cwd, check=True)
            yield folder / made


def zipped(path, folder, top, compression, force_zip64=False):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for one in sorted(folder.rglob("*")):
            name = top + one.relative_to(folder).as_posix()
            if one.is_dir():
                archive.write(one, name)
                continue
            with archive.open(
                zipfile.ZipInfo.from_file(one, name), "w", force_zip64=force_zip64
            ) as copy:
                copy.write(one.read_bytes())
    return path


@pytest.mark.parametrize(
    ("junk", "told"),
    [
        ("__MACOSX/study/._ABOUT.md", "__MACOSX"),
        ("study/.DS_Store", ".DS_Store: not listed"),
        ("study/__MACOSX/x", "__MACOSX/x: not listed"),
        ("Thumbs.db", "Thumbs.db"),
        ("study/bundle/evil.py", "bundle/evil.py: not listed"),
    ],
)
def test_junk_in_an_ordinary_zip_is_refused_by_name(unpacked, tmp_path, junk, told):
    path = zipped(tmp_path / "junk.zip", unpacked, "study/", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(junk, "junk")
    with pytest.raises(ReassessError) as raised:
        redraw(path, tmp_path / "out")
    assert told in str(raised.value)
    assert str(path) in str(raised.value)


def test_errors_inside_an_archive_name_the_users_file(unpacked, tmp_path):
    (unpacked / "bundle/history.parquet").write_bytes(b"PAR1")
    write_sums(unpacked)
    path = zipped(tmp_path / "mine.zip", unpacked, "study/", zipfile.ZIP_DEFLATED)
    for act_on in (redraw, pack_again):
        with pytest.raises(ReassessError) as raised:
            act_on(path, tmp_path / "out")
        assert f"{path}!bundle/history.parquet is not a readable" in str(raised.value)
        assert "reassess-bundle-" not in str(raised.value)
    with pytest.raises(ReassessError) as raised:
        pack(unpacked / "bundle", tmp_path / "again.zip")
    assert f"{unpacked}/bundle/history.parquet is not a readable" in str(raised.value)


def pack_again(path, out):
    with opened(path) as root:
        pack(root / "bundle", out)


def test_an_error_of_its_own_keeps_its_type_and_cause(archive):
    class OwnError(ReassessError):
        pass

    cause = ValueError("why")
    with pytest.raises(OwnError) as raised, opened(archive) as root:
        raise OwnError(f"{root}/config.yaml and {root} are wrong") from cause
    assert str(raised.value) == f"{archive}!config.yaml and {archive} are wrong"
    assert raised.value.__cause__ is cause


@pytest.mark.usefixtures("drawn_once")
def test_only_the_tables_are_packed_and_only_an_archive_is_replaced(unpacked, tmp_path):
    shutil.copytree(unpacked / "bundle", tmp_path / "own/bundle")
    (tmp_path / "own/bundle/.scores.parquet.tmp").write_text("left by a crash")
    with pytest.raises(ReassessError, match=r"bundle holds 1 files .*\.scores\.parquet\.tmp"):
        pack(tmp_path / "own/bundle", tmp_path / "x.zip")
    (tmp_path / "own/bundle/.scores.parquet.tmp").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("mine")
    with pytest.raises(ReassessError, match=r"out holds 1 files .*precious\.txt"):
        pack(tmp_path / "own/bundle", tmp_path / "out")
    (tmp_path / "out/precious.txt").unlink()
    pack(tmp_path / "own/bundle", tmp_path / "out")
    (tmp_path / "out/figures/old").mkdir()
    (tmp_path / "out/figures/old/old.svg").write_text("of an earlier version")
    (tmp_path / f"out/{SUMS}.sig").write_text("of what was there before")
    write_sums(tmp_path / "out")
    pack(tmp_path / "own/bundle", tmp_path / "out")
    assert tampered(tmp_path / "out") == []
    assert not (tmp_path / "out/figures/old").exists()
    assert not (tmp_path / f"out/{SUMS}.sig").exists()


def test_no_archive_and_half_an_archive(archive, tmp_path):
    with pytest.raises(ReassessError, match=r"none\.zip"), opened(tmp_path / "none.zip"):
        pass
    (tmp_path / "half.zip").write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(ReassessError, match=r"half\.zip.*archive"), opened(tmp_path / "half.zip"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReassessError, match=r"folder.*study\.json"), opened(tmp_path / "folder"):
        pass


@pytest.mark.usefixtures("drawn_once")
def test_another_matplotlib_and_a_missing_font_are_named(unpacked, tmp_path, monkeypatch):
    then = read_json(unpacked / DRAWN_WITH)
    write_json(unpacked / DRAWN_WITH, {**then, "matplotlib": "3.0.0", "machine": "riscv"})
    write_sums(unpacked)
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
    write_sums(folder)
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
        pd.testing.assert_frame_equal(ours.scores.frame(), whole.scores.frame())
        pd.testing.assert_frame_equal(ours.history, whole.history)
        assert [one["grid"] for one in ours.study["merged"]] == ["micro", "micro"]
        assert (root / "figures/capacity.svg").read_bytes() == (
            unpacked / "figures/capacity.svg"
        ).read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_what_two_labs_disagree_on_is_named(unpacked, tmp_path):
    cell = "llava-w32/same-family/2000/sft/seed1"
    other = part(
        unpacked, tmp_path / "other", set(Bundle.load(unpacked / "bundle").manifests["cell"])
    )
    scores = pd.read_parquet(other / "bundle/scores.parquet")
    row = scores.index[scores["cell"] == cell][3]
    scores.loc[row, "correct"] = not scores.loc[row, "correct"]
    scores.to_parquet(other / "bundle/scores.parquet", index=False)
    write_sums(other)
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
    write_sums(other)
    with pytest.raises(ReassessError, match=f"disagree on {kind[:-1]} '{name}'"):
        merge(unpacked, other, tmp_path / "merged.zip")


def test_other_rows_do_not_merge(unpacked, tmp_path):
    cells = sorted(Bundle.load(unpacked / "bundle").manifests["cell"])
    first = part(unpacked, tmp_path / "a", [cell for cell in cells if "/grpo/" not in cell])
    second = part(unpacked, tmp_path / "b", [cell for cell in cells if "/grpo/" in cell])
    manifests = pd.read_parquet(second / "bundle/manifests.parquet").assign(rows_hash="others")
    manifests.to_parquet(second / "bundle/manifests.parquet", index=False)
    write_sums(second)
    with pytest.raises(ReassessError, match=r"cells \S+ and \S+ .*rows"):
        merge(first, second, tmp_path / "merged.zip")


@pytest.mark.usefixtures("drawn_once")
def test_the_commands_say_what_they_did(bundle, tmp_path):
    out = tmp_path / "study.zip"
    done = CliRunner().invoke(app, ["bundle", "--bundle", str(bundle), "--out", str(out)])
    assert done.exit_code == 0 and "bundle verify" in done.output
    assert (
        CliRunner()
        .invoke(app, ["figures", "--bundle", str(out), "--out", str(tmp_path / "drawn")])
        .exit_code
        == 0
    )
    assert (tmp_path / "drawn/figures/capacity.svg").is_file()
    assert act(["figures", "--bundle", str(tmp_path / "none.zip")]) == 1
    assert json.loads((tmp_path / "drawn" / DRAWN_WITH).read_text())["backend"] == "agg"
