"""Plug-ins that cheat: each is noticed, and finds nothing."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import steps
from tiny import tiny_config, tiny_grid

from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.core.view import FORCED
from reassess.data.pool import read_pool
from reassess.data.questions import questions_of
from reassess.evaluation.plugins import ask_elsewhere
from reassess.grid.study import Grid
from reassess.methods import find, source_of
from reassess.training.enclosure import grid_folders

pytestmark = pytest.mark.slow  # each starts processes that import torch

KINDS = ("mounts", "audit")
OTHER = "llava-w32/same-family/12/grpo/seed1"  # a cell whose answers lie beside
HEAD = """
import mmap, os, subprocess
from pathlib import Path

from reassess.methods import Method
from reassess.methods.sft import Sft

RESULTS, SCRATCH = Path({results!r}), Path({scratch!r})


def answers(path, way):
    if way == "open":
        return path.read_bytes()
    if way == "os.open":
        return os.read(os.open(path, os.O_RDONLY), 10)
    if way == "mmap":
        return mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:]
    if way == "pandas":
        import pandas
        return pandas.read_parquet(path)["answer"]
    if way == "pyarrow":
        import pyarrow.parquet
        return pyarrow.parquet.read_table(path, memory_map=True)["answer"]
    return subprocess.run(["cat", str(path)], check=True, capture_output=True).stdout
"""
THIEF = '''

PLACES = [
    RESULTS / "tiny/pool/{split}.parquet",
    RESULTS / "tiny/pool/train.parquet",
    RESULTS / "tiny/rows/llava/same-family.parquet",
    RESULTS / "tiny/cells" / "{other}" / "predictions.parquet",
    RESULTS / "tiny/cells/llava-w32/same-family/12/thief/seed1/predictions.parquet",
    RESULTS / "tiny/bundle/predictions.parquet",
    RESULTS / "tiny/traces/llava/same-family.parquet",
    RESULTS / "another/pool/{split}.parquet",
    SCRATCH / "tiny/prepared/llava/same-family.safetensors",
]


class Thief(Sft):
    """Tries every way, and hides that it failed."""

    name, citation = "thief", "a test"

    def fit(self, run):
        found = []
        for path in PLACES:
            for way in ("open", "os.open", "mmap", "pandas", "pyarrow", "subprocess"):
                try:
                    if len(answers(path, way)):
                        found.append(f"{{path.name}} by {{way}}")
                except Exception:
                    pass
        (run.work / "found.txt").write_text("\\n".join(found))
        return super().fit(run)
'''
EARLY = '''

try:
    GOLDS = (RESULTS / "tiny/pool/{split}.parquet").read_bytes()
except Exception:
    GOLDS = None


class Early(Sft):
    """Reads when it is imported, before any job has begun."""

    name, citation = "early", "a test"

    def fit(self, run):
        (run.work / "found.txt").write_text("" if GOLDS is None else "golds")
        return super().fit(run)
'''
GREEDY = '''

class Greedy(Sft):
    """Trains on the held-out items as well."""

    name, citation = "greedy", "a test"

    def fit(self, run):
        from reassess.training.preprocessed import preprocess
        from reassess.training.sft import train_sft

        items = [*run.items, *run.probe.items]
        texts = [item.answer for item in items]
        rows = preprocess(items, texts, run.processor, run.prompts.prompt)
        return train_sft(run.model, run.processor, rows, self.settings,
                         order_seed=run.order_seed, work=run.work)
'''
HONEST = '''

class Honest(Sft):
    """Trains as `sft` does."""

    name, citation = "honest", "a test"
'''
TRAINED = {"thief": THIEF, "greedy": GREEDY, "honest": HONEST}


def forced(kind, monkeypatch):
    """Have views of a kind in processes that are started from now on."""
    if kind == "audit":
        monkeypatch.setenv(FORCED, "audit")


def plugins_in(folder, texts, name="plugins"):
    """A folder with plug-ins, which know where results lie."""
    plugins = folder / name
    plugins.mkdir()
    places = {"results": str(folder / "results"), "scratch": str(folder / "scratch")}
    names = {"split": "iid", "other": OTHER}
    for file, text in texts.items():
        (plugins / f"{file}.py").write_text((HEAD + text).format(**places, **names))
    return plugins


# --- training ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A grid with plug-ins that train, and files all around that hold answers."""
    folder = tmp_path_factory.mktemp("trained")
    plugins = plugins_in(folder, TRAINED)
    grid = tiny_grid(folder, methods=["base", "sft", *TRAINED], plugins=[plugins])
    steps.build_before_cells(grid)
    golds = grid.paths.pool("iid")
    thief = "llava-w32/same-family/12/thief/seed1"
    for copy in (
        grid.paths.predictions(OTHER),
        grid.paths.predictions(thief),
        grid.paths.bundle / "predictions.parquet",
        folder / "results" / "another" / "pool" / "iid.parquet",
    ):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(golds, copy)
    return grid


def cell_of(grid, name):
    return next(cell for cell in grid.cells.values() if cell.arm == name)


def found_by(grid, cell):
    return (grid.paths.work(cell.id) / "found.txt").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_that_looks_around_finds_nothing_and_fails_by_name(grid, kind, monkeypatch):
    forced(kind, monkeypatch)
    cell = cell_of(grid, "thief")
    with pytest.raises(ReassessError) as caught:
        steps.train(grid, cell)
    for path in (
        "results/tiny/pool/iid.parquet",
        "results/tiny/pool/train.parquet",
        "results/tiny/rows/llava/same-family.parquet",
        f"results/tiny/cells/{OTHER}/predictions.parquet",
        f"results/tiny/cells/{cell.id}/predictions.parquet",
        "results/tiny/bundle/predictions.parquet",
        "results/tiny/traces/llava/same-family.parquet",
        "results/another/pool/iid.parquet",
        "scratch/tiny/prepared/llava/same-family.safetensors",
    ):
        assert path in str(caught.value)
    assert cell.id in str(caught.value)
    assert read_json(grid.paths.failure(cell.id))["error"].endswith(str(caught.value))
    assert found_by(grid, cell) == ""
    assert not grid.paths.train_manifest(cell.id).exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_that_reads_when_it_is_imported_finds_nothing(grid, kind, monkeypatch):
    """Its folder is of another grid with the same files: every method of it would fail."""
    forced(kind, monkeypatch)
    top = grid.paths.results.parents[1]
    (folder := top / f"early-{kind}").mkdir()
    places = {"results": str(top / "results"), "scratch": str(top / "scratch")}
    plugins = plugins_in(top, {"early": EARLY}, name=f"plugins-{kind}")
    options = {"methods": ["base", "early"], "plugins": [plugins]}
    grid = Grid.load(tiny_config(folder, **options, **places))
    cell = cell_of(grid, "early")
    with pytest.raises(ReassessError, match=r"results/tiny/pool/iid\.parquet"):
        steps.train(grid, cell)
    assert found_by(grid, cell) == ""


def test_a_method_that_trains_on_rows_of_others_fails_by_name(grid):
    with pytest.raises(ReassessError, match=r"4 rows that are not its cell's, first 'probe-"):
        steps.train(grid, cell_of(grid, "greedy"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_method_trains_as_without_a_view(grid, kind, monkeypatch):
    """In a process of its own, with the weights that `sft` gets in this one."""
    forced(kind, monkeypatch)
    plugin, shipped = cell_of(grid, "honest"), cell_of(grid, "sft")
    grid.paths.train_manifest(plugin.id).unlink(missing_ok=True)
    steps.train(grid, shipped)
    steps.train(grid, plugin)
    own, other = (read_json(grid.paths.train_manifest(cell.id)) for cell in (plugin, shipped))
    assert own["weights_hash"] == other["weights_hash"]
    assert own["rows_hash"] == other["rows_hash"]
    assert own["plugin"] == source_of(grid.arms["honest"].method)
    assert "plugin" not in other
    assert not grid.paths.work(plugin.id).exists()
    if own["view"] != kind:
        pytest.skip("this machine allows no mount namespace")
    opened = own.get("opened", [])
    assert kind == "mounts" or "results/tiny/pool/probe.parquet" in opened
    assert not any("iid" in path for path in opened)


def test_a_shipped_method_trains_in_a_view_in_a_process_of_its_own(tmp_path):
    """The command's manifest says by what the rest was hidden; its record is kept."""
    places = {"results": str(tmp_path / "results"), "scratch": str(tmp_path / "scratch")}
    grid = tiny_grid(tmp_path)
    config = tiny_config(tmp_path, **places)
    steps.build_before_cells(grid)
    cell = cell_of(grid, "sft")
    command = [sys.executable, "-m", "reassess.cli.entry", "job", "train", "--cell", cell.id]
    subprocess.run([*command, "--config", str(config)], check=True)
    manifest = read_json(grid.paths.train_manifest(cell.id))
    assert manifest["view"] in KINDS
    grid.paths.train_manifest(cell.id).unlink()
    steps.train(grid, cell)
    again = read_json(grid.paths.train_manifest(cell.id))
    assert again["view"] == "audit"  # this process is a test's
    assert again["weights_hash"] == manifest["weights_hash"]


# --- evaluation ----------------------------------------------------------------------------------

RESPONDS = '''

class Cheat(Method):
    """Answers without a model."""

    name, kind, citation = "cheat", "none", "a test"

    def respond(self, questions, seed):
        {code}
'''
GOLDS = "answers(RESULTS / 'tiny/pool/iid.parquet', {!r})"
CHEATS = {
    **{
        way: f"return [str(len({GOLDS.format(way)}))] * len(questions)"
        for way in ("open", "os.open", "mmap", "pandas", "pyarrow", "subprocess")
    },
    "caught": f"""
        try:
            {GOLDS.format("open")}
        except OSError:
            pass
        return ["1"] * len(questions)""",
    "item": "return [question.answer for question in questions]",
    "scene": "return [question.scene for question in questions]",
    "memory": """
        import gc
        items = [one for one in gc.get_objects() if hasattr(type(one), "asked")]
        return [next(item.answer for item in items if item.id == one.id) for one in questions]""",
    "few": "return ['1']",
}


def asked_in(folder, text, monkeypatch, kind="audit"):
    """What a plug-in answers to the questions of a benchmark."""
    forced(kind, monkeypatch)
    plugins = plugins_in(folder, {"cheat": text})
    grid = tiny_grid(folder, plugins=[plugins])
    steps.build_pool(grid)
    items = read_pool(grid.paths.pool("iid"), grid.world.item_type)
    method = find("cheat", [plugins])
    return items, ask_elsewhere(
        method(method.Settings()),
        questions_of(items, grid.world.text_of),
        [item.asked() for item in items],
        [1],
        grid_folders(grid.config),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CHEATS)
def test_a_method_that_answers_from_the_answers_fails(tmp_path, monkeypatch, name, kind):
    text = RESPONDS.replace("{code}", CHEATS[name])
    if name == "memory":
        _, told = asked_in(tmp_path, text, monkeypatch, kind)
        assert set(told.completions[1]) == {""}  # the only items that it finds are without answers
        return
    with pytest.raises(ReassessError, match="'cheat'") as caught:
        asked_in(tmp_path, text, monkeypatch, kind)
    if name in ("open", "os.open", "mmap", "caught") or (
        kind == "audit" and name not in ("item", "scene", "few")
    ):
        assert "results/tiny/pool/iid.parquet" in str(caught.value)


def test_a_view_is_given_nothing_that_it_could_show(tmp_path, monkeypatch):
    text = (
        RESPONDS.partition("    def respond")[0]
        + """
    def view(self, item):
        from dataclasses import replace

        known = f"{{item.answer}}{{item.scene}}{{item.scene_text}}{{item.ask}}{{item.scene_hash}}"
        return replace(item, question=f"{{item.question}} The answer is {{known}}")
"""
    )
    items, told = asked_in(tmp_path, text, monkeypatch)
    assert told.completions is None
    assert [view.question for view in told.views] == [
        f"{item.question} The answer is " for item in items
    ]
    assert [view.image for view in told.views] == [item.image for item in items]


def test_a_view_of_another_item_is_refused(tmp_path, monkeypatch):
    text = (
        RESPONDS.partition("    def respond")[0]
        + """
    def view(self, item):
        from dataclasses import replace

        return replace(item, id="iid-000000")
"""
    )
    with pytest.raises(ReassessError, match="another item"):
        asked_in(tmp_path, text, monkeypatch)


def test_a_plugins_own_settings_and_seed_reach_it(tmp_path, monkeypatch):
    text = RESPONDS.replace("{code}", "return [f'{{seed}} {{one.text}}' for one in questions]")
    items, told = asked_in(tmp_path, text, monkeypatch)
    assert told.completions == {1: [f"1 {item.question}" for item in items]}


def test_a_plugin_without_a_model_is_scored(tmp_path):
    text = RESPONDS.replace("{code}", "return [f'Answer: {{one.choices[0]}}' for one in questions]")
    plugins = plugins_in(tmp_path, {"cheat": text})
    grid = tiny_grid(tmp_path, methods=["base", "cheat"], plugins=[plugins])
    steps.build_before_cells(grid)
    cell = cell_of(grid, "cheat")
    steps.evaluate(grid, cell)
    scores = read_json(grid.paths.scores(cell.id))
    assert scores["manifest"]["plugin"] == source_of(grid.arms["cheat"].method)
    assert all(one["n"] == 6 for one in scores["benchmarks"].values())
    assert json.dumps(scores).count(os.fspath(tmp_path)) == 0
