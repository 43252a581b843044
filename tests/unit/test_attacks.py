"""Attacks of a second round, each of which had worked: foreign input, and methods that cheat."""

import json
import os
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import steps
from processes import wait_until
from synthetic import grid_in, make_bundle
from tiny import tiny_grid

from reassess.core import tables
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, read_parquet
from reassess.core.tables import require_ordinary
from reassess.core.view import FORCED
from reassess.data.pool import read_pool
from reassess.evaluation import runner
from reassess.methods import find
from reassess.verify import verify_scores
from reassess.verify.overall import verify_all


@pytest.fixture
def small(tmp_path):
    """The folder of a bundle of few cells and items."""
    grid = grid_in(tmp_path, "config/smoke.yaml")
    return make_bundle(tmp_path, grid, items=10).paths.bundle


# --- the working folder may be the bundle's own -------------------------------------------------------

SPAWNS = """
import multiprocessing
from reassess.verifier import math_worker
from reassess.verifier.symbolic import value

if __name__ == "__main__":
    assert math_worker.run("value", r"\\frac{1}{2}") == "1/2"
"""
IMPORTED = ("multiprocessing", "pickle", "struct", "signal", "pebble", "reassess", "sympy")


@pytest.mark.slow
def test_no_process_imports_from_the_working_folder(tmp_path):
    """A worker is started by `python -c`, whose first place of modules is the working folder."""
    script, bundle, marker = tmp_path / "script.py", tmp_path / "bundle", tmp_path / "ran"
    script.write_text(SPAWNS)
    bundle.mkdir()
    for name in IMPORTED:
        (bundle / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write('{name} ')")
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, script], cwd=bundle, env=environment, capture_output=True, text=True
    )
    assert not marker.exists(), marker.read_text()
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.mark.slow
def test_a_matplotlibrc_in_the_working_folder_changes_no_figure(tmp_path, small):
    """matplotlib reads that file wherever it stands; `text.usetex` in it runs LaTeX on names."""
    code = (
        "import sys; from pathlib import Path; from reassess.figures import draw_figures; "
        "draw_figures(Path(sys.argv[1]), Path(sys.argv[2]), ['capacity'])"
    )
    drawn = []
    for name in ("clean", "hostile"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "hostile":
            text = "text.usetex: True\nsavefig.facecolor: red\nlines.linewidth: 9\n"
            (folder / "matplotlibrc").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", code, small, "out"], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-1000:]
        drawn.append((folder / "out/capacity.svg").read_bytes())
    assert drawn[0] == drawn[1]


# --- files that no reader expects ---------------------------------------------------------------------

JSON = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "a long number": '{"a": ' + "1" * 5000 + "}",
    "another encoding": "\ufeff{}",
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_cannot_be_read_is_named(tmp_path, name):
    path = tmp_path / "study.json"
    path.write_text(JSON[name], encoding="utf-8")
    with pytest.raises(ReassessError, match=r"study\.json"):
        read_json(path)


COLUMN = {"name": "a", "field_name": "a", "pandas_type": "unicode", "metadata": None}
METADATA = {
    "a list": "[]",
    "no JSON": "{",
    "deep": '{"index_columns": [], "columns": ' + "[" * 50_000 + "]" * 50_000 + "}",
    "a range": '{"index_columns": [{"kind": "range", "start": 0, "stop": "x", "step": 0}], "columns": []}',
    "an index": json.dumps({"index_columns": ["b"], "columns": [COLUMN], "column_indexes": []}),
    "a type": json.dumps(
        {
            "index_columns": [],
            "columns": [{**COLUMN, "numpy_type": "datetime64[ns, Evil]"}],
            "column_indexes": [],
        }
    ),
}


def extension(name, metadata):
    """A table whose column claims to be of an extension type."""
    entries = {"ARROW:extension:name": name, "ARROW:extension:metadata": metadata}
    return pa.table([pa.array([b"x"])], pa.schema([pa.field("a", pa.binary(), metadata=entries)]))


TABLES = {
    **{
        name: pa.table({"a": ["x"]}).replace_schema_metadata({"pandas": text})
        for name, text in METADATA.items()
    },
    "a period": extension("pandas.period", b"{}"),
    "a zone": pa.table({"a": pa.array([1], pa.timestamp("us", tz="../../evil"))}),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_cannot_be_read_are_named(tmp_path, name):
    path = tmp_path / "scores.parquet"
    pq.write_table(TABLES[name], path)
    with pytest.raises(ReassessError, match=r"scores\.parquet"):
        read_parquet(path)


def test_a_pickle_in_a_table_is_not_loaded(tmp_path):
    """Earlier versions of pyarrow did, for this extension type."""
    import pickle

    class Planted:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "scores.parquet"
    pq.write_table(extension("arrow.py_extension_type", pickle.dumps(Planted())), path)
    assert isinstance(read_parquet(path), pd.DataFrame)
    assert not (tmp_path / "ran").exists()


LONG = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int8()), pa.array(["x" * 2**20]))
BOMBS = {
    "rows": pa.table({"a": pa.repeat(pa.scalar(None, pa.null()), 2**20)}),
    "a long text": pa.table({"a": LONG}),
    "no text": pa.table({"a": pa.array([b"\xff\xfe"]).view(pa.string())}),
    "lists": pa.table({"a": [[1] * 10]}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_unpack_to_large_tables_are_refused(tmp_path, monkeypatch, name):
    """A gigabyte here, in a few kilobytes; the limit is lowered, since ten would take a while."""
    path = tmp_path / "scores.parquet"
    pq.write_table(BOMBS[name], path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 2**18
    monkeypatch.setattr(tables, "LARGEST", 2**22)
    with pytest.raises(ReassessError, match=r"scores\.parquet"):
        require_ordinary(path)


@pytest.mark.parametrize("table", ["scores", "history", "manifests", "predictions"])
def test_every_table_of_a_bundle_is_checked(small, table):
    from reassess.analysis.bundle import Bundle
    from reassess.bundles.stored_answers import answers_by_cell

    Bundle.load(small)
    pq.write_table(pa.table({"a": [[1]]}), small / f"{table}.parquet")
    with pytest.raises(ReassessError, match=rf"{table}\.parquet has columns that hold several"):
        list(answers_by_cell(small / "predictions.parquet"))
        Bundle.load(small)


def test_commands_start_no_process_that_imports_from_the_working_folder(monkeypatch):
    from reassess.cli.main import act

    monkeypatch.setenv("PYTHONSAFEPATH", "")
    monkeypatch.delenv("PYTHONSAFEPATH")
    assert act(["grid", "--help"]) == 0
    assert os.environ["PYTHONSAFEPATH"] == "1"


@pytest.mark.slow
def test_one_figure_of_a_changed_bundle_is_not_drawn(tmp_path, small, one_figure):
    from reassess.bundles.archive import pack
    from reassess.cli.main import act

    packed = tmp_path / "packed"
    pack(small, packed)
    with (packed / "config.yaml").open("a") as config:
        config.write("# changed")
    words = ["bundle", "draw", "--bundle", str(packed), "--out", str(tmp_path / "drawn")]
    assert act([*words, "--figure", "capacity"]) == 1
    assert not (tmp_path / "drawn").exists()


def test_a_config_that_is_trained_again_keeps_its_names(tmp_path, monkeypatch):
    """pyyaml writes YAML 1.1, and configs are read as YAML 1.2."""
    from reassess.analysis.bundle import Bundle
    from reassess.config.load import load_config
    from reassess.verify import training

    bundle = Bundle.load(make_bundle(tmp_path).paths.bundle)
    methods = bundle.study["config"]["methods"]
    names = ("1e3", "0o7", "1.5e3", "null", "on", "1_0", "2024-01-01")
    methods |= {name: {"uses": "sft"} for name in names}
    read = []
    monkeypatch.setattr(training, "_run", lambda config, files: read.append(load_config(config)))
    again = training.TrainedAgain(bundle, tmp_path, tmp_path / "again", trust=False)
    again.run(["llava-w32/same-family/2000/sft/seed1"])
    assert len(methods) > len(names)
    assert sorted(read[0].methods) == sorted(methods)


# --- methods that cheat -------------------------------------------------------------------------------

SERVER = """
import sys
from reassess.workflow.fork_server import serve
serve(sys.argv[1], lambda: None, lambda arguments: print(open(arguments[1]).read()))
"""
INSIDE = """
import os, sys
from pathlib import Path
from reassess.core.view import View, enter
from reassess.workflow.fork_server import forward

address, hidden, path = sys.argv[1:]
sight = enter(View.of([Path(hidden)])) if hidden else None
if sight is not None and sight.kind != "mounts":
    sys.exit(77)
os.environ["REASSESS_SERVER"] = address
sys.exit(99 if forward(["job", path]) is None else 0)
"""


@pytest.mark.parametrize("inside", [True, False])
def test_a_fork_server_does_nothing_for_a_process_with_a_view(tmp_path, inside):
    """Its forks see all files; the path of its socket stands in /proc/net/unix for everybody."""
    address, hidden = tmp_path / "server", tmp_path / "results"
    hidden.mkdir()
    (hidden / "golds").write_text("the reference answers")
    server = subprocess.Popen([sys.executable, "-c", SERVER, address])
    try:
        wait_until(address.exists, "the server")
        done = subprocess.run(
            [sys.executable, "-c", INSIDE, address, hidden if inside else "", hidden / "golds"],
            capture_output=True,
            text=True,
        )
    finally:
        server.kill()
        server.wait()
    if done.returncode == 77:
        pytest.skip("this machine allows no mount namespace")
    assert done.returncode == (99 if inside else 0), done.stderr[-1000:]
    assert ("the reference answers" in done.stdout) is not inside


FORGER = """
import json

from reassess.methods.sft import Sft

class Forger(Sft):
    name, citation = "forger", "a test"

    def fit(self, run):
        outcome = super().fit(run)
        for name in ("scores.json", "judged.json"):
            run.files.manifest.with_name(name).write_text(json.dumps({"spec_hash": "as it should be"}))
        return outcome
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mounts", "audit"])
def test_a_method_that_writes_its_own_scores_fails_by_name(tmp_path, monkeypatch, kind):
    """A run that was stopped before the evaluation would have taken them for its own."""
    if kind == "audit":
        monkeypatch.setenv(FORCED, "audit")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "forger.py").write_text(FORGER)
    grid = tiny_grid(tmp_path, methods=["base", "forger"], plugins=[plugins])
    steps.build_before_cells(grid)
    cell = next(cell for cell in grid.cells.values() if cell.arm == "forger")
    if kind == "audit":  # a file of another spec, which mounts would cover
        grid.paths.cell(cell.id).mkdir(parents=True)
        grid.paths.scores(cell.id).write_text('{"spec_hash": "an older one, as it is"}')
    with pytest.raises(ReassessError, match=r"wrote .*judged\.json, .*scores\.json"):
        steps.train(grid, cell)
    assert [path.name for path in grid.paths.cell(cell.id).iterdir()] == ["failed.json"]


HISTORIAN = """
from pathlib import Path

from reassess.methods import Method

class Historian(Method):
    name, kind, citation = "historian", "none", "a test"

    def respond(self, questions, seed):
        return [Path({path!r}).read_text()] * len(questions)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mounts", "audit"])
def test_a_plugin_that_is_asked_sees_no_history_of_the_project(tmp_path, monkeypatch, kind):
    """Bundles that were committed hold answers."""
    if kind == "audit":
        monkeypatch.setenv(FORCED, "audit")
    plugins, history = tmp_path / "plugins", tmp_path / "project" / ".git"
    for folder in (plugins, history):
        folder.mkdir(parents=True)
    (history / "golds").write_text("the reference answers")
    (plugins / "historian.py").write_text(HISTORIAN.format(path=str(history / "golds")))
    grid = tiny_grid(tmp_path, plugins=[plugins])
    steps.build_pool(grid)
    items = read_pool(grid.paths.pool("iid"), grid.world.item_type)
    method = find("historian", [plugins])
    monkeypatch.setattr(runner, "ROOT", history.parent)
    with pytest.raises(ReassessError, match="'historian'"):
        runner._told(
            method(method.Settings()), items, [item.asked() for item in items], grid.world, [1]
        )


# --- values that no level expects ---------------------------------------------------------------------

CHOICES = ("", "x", "null", "[1]", "[]", '{"a": 1}', "1" * 5000, "[" * 3000)
NESTED = "[" * 100_000 + "]" * 100_000


@pytest.mark.slow
def test_an_answer_that_is_no_list_of_options_is_named(small, one_figure):
    path = small / "predictions.parquet"
    frame = pd.read_parquet(path)
    for answer in CHOICES:
        frame.loc[7, ["answer", "answer_kind"]] = answer, "choice"
        frame.to_parquet(path)
        with pytest.raises(ReassessError, match=r"'choice'"):
            verify_scores(small)
    outcome = verify_all(small)
    assert not outcome.passed
    assert "'choice'" in outcome.text()


@pytest.mark.slow
def test_a_manifest_that_is_too_deep_is_a_difference(small, one_figure):
    path = small / "manifests.parquet"
    frame = pd.read_parquet(path)
    frame.loc[3, "manifest"] = NESTED
    frame.to_parquet(path)
    outcome = verify_all(small)
    assert not outcome.levels["contents"].passed
