"""A config out of somebody else's bundle loads nothing that is not the project's, unless trusted."""

import builtins
import hashlib
import io
import json
import os
import sys
from copy import deepcopy
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field
from synthetic import grid_in
from test_names import HOSTILE, KIND_IDS, KINDS, edited

from reassess.config.load import load_config, read_config_file
from reassess.config.schema import Strict
from reassess.core.errors import ReassessError
from reassess.grid.foreign import load_foreign, would_load
from reassess.grid.study import Grid
from reassess.methods import Method
from reassess.training.settings import MethodSettings

ROOT = Path(__file__).parents[2]
BUNDLE = Path("foreign.zip")
PLUGIN = """
from pathlib import Path
Path({marker!r}).write_text("ran")

from reassess.methods import Method

class Evil(Method):
    name = "evil"
    kind = "none"
    citation = "none"
"""
TASK = """
include: {template}
task: micro_evil
custom_dataset: !function evil.load
process_results: !function evil.score
dataset_kwargs: {{split: evil}}
metadata: {{label: evil, role: main, scenes: {{stream: 9}}}}
"""
TASKS = ROOT / "src/reassess/evaluation/tasks/micro"


def config_of(path="config.yaml", **changes):
    """A config as a bundle has it: through JSON, with everything stated."""
    config = load_config(ROOT / path).model_dump(mode="json", exclude={"results", "scratch"})
    return json.loads(json.dumps({**config, **changes}))


@pytest.fixture
def planted(tmp_path):
    """A folder with a plug-in and a task file; importing either leaves a marker."""
    folder, marker = tmp_path / "planted", tmp_path / "ran"
    folder.mkdir()
    (folder / "evil.py").write_text(PLUGIN.format(marker=str(marker)))
    (folder / "evil.yaml").write_text(TASK.format(template=TASKS / "_template.yaml"))
    yield folder
    for name in [name for name in sys.modules if name.startswith("reassess_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def opened(monkeypatch):
    """The files that are opened meanwhile, and the folders that are listed."""
    names = []

    def watched(original):
        def call(path=".", *args, **options):
            if isinstance(path, str | bytes | os.PathLike):
                names.append(Path(os.fsdecode(path)).absolute())
            return original(path, *args, **options)

        return call

    for module, name in ((builtins, "open"), (io, "open"), (os, "scandir"), (os, "listdir")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    return names


@pytest.mark.parametrize("path", ["config.yaml", "config/full-micro.yaml", "config/paper.yaml"])
def test_an_ordinary_config_is_loaded_as_it_is(path):
    config = config_of(path)
    assert would_load(config) == []
    grid, own = load_foreign(config, BUNDLE), Grid.load(ROOT / path)
    assert list(grid.cells) == list(own.cells)
    for cell in list(own.cells.values())[:5]:
        assert grid.specs.evaluation_hash(cell) == own.specs.evaluation_hash(cell)


def test_the_reference_bundle_is_loaded():
    study = json.loads((ROOT / "results/reference/micro/bundle/study.json").read_text())
    grid = load_foreign(study["config"], ROOT / "results/reference/micro")
    assert set(study["studies"]) == set(grid.study_cells)


def test_a_config_without_places_opens_no_file_outside_the_project(tmp_path, monkeypatch, opened):
    """The working folder may be the bundle's own: its `config/pins.yaml` is not the project's."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pins.yaml").write_text("models: {Qwen/Qwen2-VL-7B-Instruct: 7}\n")
    configs = [config_of(path) for path in ("config.yaml", "config/paper.yaml")]
    monkeypatch.chdir(tmp_path)
    opened.clear()
    for config in configs:
        grid = load_foreign(config | {"results": "results", "scratch": "scratch"}, BUNDLE)
        assert [grid.specs.evaluation_hash(cell) for cell in grid.cells.values()]
    outside = [path for path in opened if path.is_relative_to(tmp_path)]
    assert outside == []
    assert ROOT / "config" / "pins.yaml" in opened


@pytest.mark.parametrize("trust", [False, True])
def test_a_planted_plugin_runs_only_when_trusted(tmp_path, planted, trust):
    config = config_of(plugins=[str(planted)])
    config["methods"]["evil"] = {}
    if trust:
        assert load_foreign(config, BUNDLE, trust=True).arms["evil"].method.name == "evil"
    else:
        with pytest.raises(ReassessError, match="--trust") as caught:
            load_foreign(config, BUNDLE)
        digest = hashlib.sha256((planted / "evil.py").read_bytes()).hexdigest()
        for word in ("foreign.zip", f"plugins: {planted}", "evil.py", digest):
            assert word in str(caught.value)
    assert (tmp_path / "ran").exists() is trust


def test_the_list_is_made_without_running_anything(tmp_path, planted):
    evaluation = {**config_of()["evaluation"], "folders": [str(planted)]}
    listed = would_load(config_of(plugins=[str(planted)], evaluation=evaluation))
    assert [line.partition(":")[0] for line in listed] == ["plugins", "evaluation.folders"]
    for word in ("evil.py", "evil.yaml", "!function evil.load", "!function evil.score", "include"):
        assert word in listed[1]
    assert not (tmp_path / "ran").exists()


def test_a_planted_task_file_is_not_read(planted):
    """Not even as a wrong file: its message would show what it includes."""
    (planted / "evil.yaml").write_text("include: /etc/hostname\n")
    config = config_of()
    config["evaluation"] |= {"folders": [str(planted)], "benchmarks": ["iid"]}
    with pytest.raises(ReassessError, match=r"evaluation\.folders: .*planted(.|\n)*--trust"):
        load_foreign(config, BUNDLE)


@pytest.mark.parametrize("key", ["cache", "pins"])
def test_what_a_hub_world_takes_from_elsewhere_is_listed(tmp_path, key):
    config = config_of("config/paper.yaml")
    config["world"][key] = "../elsewhere"
    assert would_load(config) == [f"world.{key}: ../elsewhere, not here"]
    with pytest.raises(ReassessError, match=rf"world\.{key}: \.\./elsewhere"):
        load_foreign(config, BUNDLE)
    grid = load_foreign(config, BUNDLE, trust=True)
    assert getattr(grid.config.world, key) == Path.cwd() / "../elsewhere"


def test_paths_of_a_trusted_config_mean_the_same_in_any_folder(tmp_path, planted, monkeypatch):
    """A relative path is one of the working folder; the config can be written elsewhere."""
    config = config_of(plugins=[planted.name], results="r", scratch="s")
    config["methods"]["evil"] = {}
    monkeypatch.chdir(tmp_path)
    grid = load_foreign(config, BUNDLE, trust=True)
    assert grid.config.plugins == [planted]
    assert (grid.config.results, grid.config.scratch) == (Path("r"), Path("s"))


def test_a_place_is_found_in_any_part_of_a_config(monkeypatch):
    """Whatever has a path's type is listed, in a section or setting that does not exist today."""
    from reassess.worlds.micro.config import MicroConfig, MicroWorld

    class Nested(Strict):
        deep: dict[str, list[Path]] = Field(default_factory=dict)

    class NewWorld(MicroWorld):
        nested: Nested = Field(default_factory=Nested)

    class NewConfig(MicroConfig):
        world: NewWorld = Field(default_factory=NewWorld)
        fonts: Path = Path("fonts")

    class ReaderSettings(MethodSettings):
        tokens: Path | None = None

    class Reader(Method[ReaderSettings]):
        name, kind, citation = "reader", "none", "ours"
        Settings: ClassVar = ReaderSettings

    monkeypatch.setattr("reassess.worlds.micro.config.CONFIG", NewConfig)
    monkeypatch.setattr("reassess.grid.foreign.discover", lambda: {"reader": Reader})
    config = config_of(fonts="/fonts")
    config["world"]["nested"] = {"deep": {"a": ["/one", "/two"]}}
    config["methods"]["mine"] = {"uses": "reader", "tokens": "/tokens"}
    assert [line.partition(",")[0] for line in would_load(config)] == [
        "world.nested.deep.a: /one",
        "world.nested.deep.a: /two",
        "fonts: /fonts",
        "methods.mine.tokens: /tokens",
    ]
    assert would_load(config_of(fonts="fonts")) == []  # the project's own choice


@pytest.mark.parametrize(("tree", "key", "edit"), KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("trust", [False, True])
def test_names_are_checked_before_anything_else(tmp_path, planted, tree, key, edit, trust):
    for name in HOSTILE:
        if key.endswith(".hub") and name == "a/b":
            continue  # a repository
        config = {**edited(tree, edit, name), "plugins": [str(planted)]}
        with pytest.raises(ReassessError, match=r"^foreign\.zip: ") as caught:
            load_foreign(config, BUNDLE, trust=trust)
        assert "--trust" not in str(caught.value)
        assert key in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        {"extends": "/etc/passwd"},
        {"include": "/etc/passwd"},
        {"evaluation": {"custom_dataset": "evil.load"}},
        {"evaluation": {"endpoint": "https://example.org"}},
        {"world": {"kind": "../../evil"}},
        {"world": {"kind": "hub.testing"}},
        {"world": 7},
        {"methods": {"evil": {}}},
        {"methods": {"base": {"uses": "os"}}},
        {"methods": {"base": None}},
        {"plugins": "planted"},
        {"plugins": ["a\0b"]},
        {"plugins": ["a\x1b[31mb"]},
        {"grid": ["a"]},
        {"studies": {"a": {"question": "x" * 2**23, "models": ["a"], "methods": ["a"]}}},
        {"costs": [[[]]] * 50_000},
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_config_that_is_none_is_refused_with_and_without_trust(content):
    for trust in (False, True):
        with pytest.raises(ReassessError, match=r"^foreign\.zip: ") as caught:
            load_foreign(config_of(**content), BUNDLE, trust=trust)
        assert len(str(caught.value)) < 3000
        assert all(line.isprintable() for line in str(caught.value).split("\n"))


def every_place(tree, path=()):
    """The paths of all values of nested mappings and lists."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from every_place(value, (*path, key))


TEXT = st.text(max_size=20) | st.sampled_from(HOSTILE)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CONFIGS = [config_of(path) for path in ("config.yaml", "config/stand-in.yaml")]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_anywhere_is_loaded_or_refused_in_words(data):
    config = deepcopy(data.draw(st.sampled_from(CONFIGS)))
    *parents, last = data.draw(st.sampled_from(list(every_place(config))))
    tree = config
    for key in parents:
        tree = tree[key]
    tree[last] = data.draw(ANYTHING)
    try:
        assert isinstance(load_foreign(config, BUNDLE), Grid)
    except ReassessError as error:
        assert str(error).startswith("foreign.zip: ")
        assert all(line.isprintable() for line in str(error).split("\n"))


@pytest.mark.parametrize("content", [[], None, "text", 7])
def test_what_is_no_mapping_is_refused(content):
    with pytest.raises(ReassessError, match=r"foreign\.zip: .*no mapping"):
        load_foreign(content, BUNDLE)


def test_repetition_and_depth_are_limited():
    wide = deep = 1
    for _ in range(40):
        wide = [wide] * 8
    for _ in range(100_000):
        deep = [deep]
    itself = {}
    itself["itself"] = itself
    for content in (wide, deep, itself):
        with pytest.raises(ReassessError, match=r"foreign\.zip: more than"):
            load_foreign({**config_of(), "costs": content}, BUNDLE)


def test_an_odd_folder_is_listed_without_harm(tmp_path):
    """Of a pipe, a huge file or a name with escapes no byte is read, and none is shown as it is."""
    folder = tmp_path / "odd"
    folder.mkdir()
    os.mkfifo(folder / "pipe.py")
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "zero.py").symlink_to("/dev/zero")
    (folder / "a\x1b[31mb.py").write_text("x")
    with (folder / "huge.py").open("wb") as huge:
        huge.truncate(2**40)
    for number in range(80):
        (folder / f"many{number:02}.py").write_text("")
    (listed,) = would_load(config_of(plugins=[str(folder)]))
    assert all(line.isprintable() for line in listed.split("\n"))
    assert "pipe.py: no ordinary file" in listed or "more" in listed
    assert listed.count("\n") < 60


def test_a_grids_own_config_is_read_back_as_foreign(tmp_path):
    """What `collect` writes into a bundle is what is loaded from it."""
    own = grid_in(tmp_path).config.model_dump(mode="json", exclude={"results", "scratch"})
    assert would_load(own) == []
    assert read_config_file(ROOT / "config.yaml")["models"] == deepcopy(own["models"])
