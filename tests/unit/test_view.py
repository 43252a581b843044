"""What a process sees: by mounts where the machine allows them, by an audit hook everywhere."""

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from reassess.core.errors import ReassessError
from reassess.core.view import FORCED, View, audited, current

GOLD = "the-reference-answer"
READERS = {
    "open": "open(path).read()",
    "os.open": "os.read(os.open(path, os.O_RDONLY), 100)",
    "pathlib": "Path(path).read_text()",
    "mmap": "mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:]",
    "link": "os.symlink(path, link); open(link).read()",
    "hard link": "os.link(path, link); open(link).read()",
    "relative": "os.chdir(Path(path).parent); open(Path(path).name).read()",
    "copy": "shutil.copy(path, link); open(link).read()",
    "cat": "subprocess.run(['cat', path], check=True, capture_output=True).stdout",
    "shell": "subprocess.run(f'cat {path} > {link}', shell=True, check=True); open(link).read()",
    "system": "os.system(f'cp {path} {link}'); open(link).read()",
    "pyarrow": "pyarrow.memory_map(path).read()",
    "parquet": "pyarrow.parquet.read_table(path)",
    "metadata": "pyarrow.parquet.ParquetFile(path).metadata",
    "dataset": "pyarrow.dataset.dataset(path).head(1)",
    "pandas": "pandas.read_parquet(path)",
    "safetensors": "safetensors.safe_open(path, 'np').keys()",
    "covered": "open(own + '/predictions.parquet').read()",
}
READER = """
import json, mmap, os, shutil, subprocess, sys
from pathlib import Path
import reassess.core.view as view
codes, link, own, path = json.loads(sys.argv[2]), *sys.argv[3:6]
sight = view.enter(view.View.read(sys.argv[1]))
import pandas, pyarrow.dataset, pyarrow.parquet, safetensors
found, named, home = {}, {}, os.getcwd()
for name, code in codes.items():
    sight.audit.refused.clear()
    try:
        found[name] = f"found {exec(code)}"
    except BaseException as error:
        found[name] = f"refused by {type(error).__name__}"
    named[name] = sight.problem("the method")
    os.chdir(home)
    if os.path.lexists(link):
        os.unlink(link)
Path(own, "new.txt").write_text("kept")
print(json.dumps({"kind": sight.kind, "found": found, "named": named}))
"""


def place_in(folder):
    """Two folders of a grid: a benchmark's split, a cell's folder, an older answer of that cell."""
    for name in ("results/pool/iid.parquet", "results/cells/own/predictions.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(GOLD)
    (folder / "results/cells/own/train.json").write_text("{}")
    return folder


@pytest.fixture
def place(tmp_path):
    return place_in(tmp_path)


def view_of(place):
    own = place / "results/cells/own"
    return View.of([place / "results"], [own], [own / "predictions.parquet"])


def run(place, codes, kind):
    """What a process finds that has the view and executes all this, and what is said of it."""
    environment = {**os.environ, "R": str(place), "P": str(os.getpid())}
    environment |= {FORCED: "audit"} if kind == "audit" else {}
    places = (place / "link", place / "results/cells/own", place / "results/pool/iid.parquet")
    command = [sys.executable, "-c", READER, view_of(place).text(), json.dumps(codes)]
    done = subprocess.run(
        [*command, *map(str, places)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    if result["kind"] != kind:
        pytest.skip("this machine allows no mount namespace")
    return result


@pytest.fixture(scope="module", params=["mounts", "audit"])
def read(request, tmp_path_factory):
    """What readers of every kind find, by mounts and by audit; the folder; and by which."""
    place = place_in(tmp_path_factory.mktemp(request.param))
    return run(place, READERS, request.param), place, request.param


@pytest.mark.parametrize("name", READERS)
def test_a_hidden_file_is_not_read_and_the_attempt_is_named(read, name):
    result, _, kind = read
    assert result["found"][name].startswith("refused")
    if kind == "audit":
        path = "cells/own/predictions" if name == "covered" else "pool/iid"
        assert f"results/{path}.parquet" in result["named"][name]


def test_others_see_and_keep_all_files(read):
    _, place, _ = read
    assert (place / "results/pool/iid.parquet").read_text() == GOLD
    assert (place / "results/cells/own/predictions.parquet").read_text() == GOLD
    assert (place / "results/cells/own/new.txt").read_text() == "kept"


WAYS_AROUND = {
    "unmount": "umount $R/results; cat $R/results/pool/iid.parquet",
    "unmount lazily": "umount -l $R/results; cat $R/results/pool/iid.parquet",
    "of the parent": "cat /proc/$PPID/root$R/results/pool/iid.parquet",
    "of the grandparent": "cat /proc/$P/root$R/results/pool/iid.parquet",
    "enter": "nsenter -t $P -m cat $R/results/pool/iid.parquet",
    "another": "unshare -Urm sh -c 'umount $R/results; cat $R/results/pool/iid.parquet'",
    "mount": "mount --bind / $R/results/cells/own; cat $R/results/cells/own$R/results/pool/*",
}


def test_mounts_are_not_undone_from_inside(place):
    codes = {
        name: f"subprocess.run(['sh', '-c', {command!r}], capture_output=True, check=True)"
        for name, command in WAYS_AROUND.items()
    }
    found = run(place, codes, "mounts")["found"]
    assert {name: text for name, text in found.items() if not text.startswith("refused")} == {}


# --- in this process -----------------------------------------------------------------------------


def test_an_audit_ends_with_its_context(place):
    hidden = place / "results/pool/iid.parquet"
    with audited(view_of(place)) as sight:
        assert current() is sight
        with pytest.raises(PermissionError):
            hidden.read_text()
        (place / "results/cells/own/train.json").read_text()
        assert sight.record() == {"view": "audit", "opened": ["results/cells/own/train.json"]}
    assert current() is None
    assert hidden.read_text() == GOLD


def test_an_attempt_that_is_caught_is_still_known(place):
    with audited(view_of(place)) as sight, suppress(OSError):
        (place / "results/pool/iid.parquet").read_text()
    with pytest.raises(ReassessError, match=r"cell x opened results/pool/iid.parquet"):
        sight.require_kept("cell x")


def test_writing_is_no_reading(place):
    with audited(view_of(place)) as sight:
        (place / "results/new.txt").write_text("x")
        sight.require_kept("cell x")


@pytest.mark.parametrize("words", [["echo", "results/tables"], ["echo", "no/results/pool/a"]])
def test_words_that_name_no_hidden_file_start_a_process(place, words, monkeypatch):
    monkeypatch.chdir(place.parent)
    with audited(view_of(place)):
        subprocess.run(words, check=True, capture_output=True)


def test_links_lead_to_what_they_point_to(place):
    target = place / "results/cache/blob"
    target.parent.mkdir()
    target.write_text("weights")
    (place / "results/model").mkdir()
    (place / "results/model/model.safetensors").symlink_to(target)
    view = View.of([place / "results"], [place / "results/model"])
    assert not view.hides(str(target))
    assert view.hides(str(target.with_name("other")))


def test_a_view_is_the_same_after_it_was_text(place):
    view = view_of(place)
    assert View.read(view.text()) == view
    assert json.loads(view.text())["hidden"] == [str(place / "results")]
