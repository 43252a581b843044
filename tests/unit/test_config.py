"""A wrong config stops before any job, with file, key, value, allowed values and nearest name."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from reassess.cli.generate import generated_files
from reassess.config.defaults import DEFAULT
from reassess.config.load import load_config, read_config_file
from reassess.core.errors import ReassessError
from reassess.grid.study import Grid
from reassess.worlds.micro.config import MicroConfig

ROOT = Path(__file__).parents[2]
SHIPPED = [
    ROOT / "config.yaml",
    *sorted(set((ROOT / "config").glob("*.yaml")) - {ROOT / "config" / "pins.yaml"}),
]
PLUGIN = """
from reassess.methods import Method

class Plugged(Method):
    '''Nothing.'''
    name = "plugged"
    kind = "none"
    citation = "ours"
"""


def change(tree, path, value):
    *parents, last = path.split(".")
    for part in parents:
        tree = tree.setdefault(part, {})
    tree[last] = value


def load(tmp_path, **changes):
    tree = deepcopy(DEFAULT)
    for path, value in changes.items():
        change(tree, path.replace("__", "."), value)
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(tree))
    return Grid.load(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"studies__capacity__models": ["llava-w46"]},
            ["studies.capacity.models", "'llava-w46'", "did you mean 'llava-w64'"],
        ),
        (
            {"studies__capacity__methods": ["stf"]},
            ["studies.capacity.methods", "'stf'", "did you mean 'sft'"],
        ),
        (
            {"studies__capacity__model": ["llava-w32"]},
            ["studies.capacity.model", "unknown key", "did you mean 'models'"],
        ),
        (
            {"studies__capacity__sizes": [2000, 2401]},
            ["studies.capacity.sizes", "2401", "world.pool_rows (2400)"],
        ),
        ({"studies__capacity__sizes": [20, 20]}, ["studies.capacity.sizes", "duplicate: 20"]),
        (
            {"studies__capacity__distributions": ["other"]},
            ["studies.capacity.distributions", "'other'", "allowed: foreign, same-family"],
        ),
        (
            {"methods__sft__learning_rate": -1.0},
            ["methods.sft.learning_rate", "-1.0", "greater than 0"],
        ),
        (
            {"methods__sft__learning_rat": 1.0},
            ["methods.sft.learning_rat", "did you mean 'learning_rate'"],
        ),
        (
            {"methods__grpo__uses": "gppo"},
            ["methods.grpo", "unknown method 'gppo'", "did you mean 'grpo'"],
        ),
        (
            {"methods__sft-grpo__start": "sftt"},
            ["methods.sft-grpo.start", "'sftt'", "did you mean 'sft'"],
        ),
        (
            {"methods__sft-grpo__start": "random-choice"},
            ["methods.sft-grpo.start", "trains nothing"],
        ),
        ({"methods__sft__start": "grpo", "methods__grpo__start": "sft"}, ["goes in a circle"]),
        ({"sedes": [1]}, ["sedes", "unknown key", "did you mean 'seeds'"]),
        ({"seeds": []}, ["seeds", "at least 1 item"]),
        ({"seeds": [1, 1]}, ["seeds", "duplicate: 1"]),
        ({"seeds": [2**63]}, ["seeds", "less than or equal"]),
        ({"checkpoint_minutes": float("inf")}, ["checkpoint_minutes", "finite"]),
        (
            {"models__llava-w32__family": "lava"},
            ["models.llava-w32.family", "'lava'", "did you mean 'llava'"],
        ),
        ({"models__llava-w32__width": -32}, ["models.llava-w32.width", "-32", "greater than 0"]),
        ({"teachers__llava": "qwen3vl-w64"}, ["teachers.llava", "family 'qwen3-vl'"]),
        ({"evaluation__benchmarks": ["iidd"]}, ["evaluation.benchmarks", "did you mean 'iid'"]),
    ],
)
def test_wrong_config_is_explained(tmp_path, changes, words):
    with pytest.raises(ReassessError) as caught:
        load(tmp_path, **changes)
    message = str(caught.value)
    assert "my.yaml" in message
    for word in words:
        assert word in message


def bomb(node):
    """YAML of a few lines that means a billion values, each line eight times the one before."""
    lines = [f"a0: &a0 {node.format('')}" if "<<" not in node else "a0: &a0 {x: 1}"]
    for number in range(1, 11):
        lines.append(f"a{number}: &a{number} {node.format(', '.join([f'*a{number - 1}'] * 8))}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grid: a\ngrid: b\n", ["duplicate key", "grid", "line 2"]),
        ("grid: a\nworld: {seed: 1, seed: 2}\n", ["duplicate key", "seed", "line 2"]),
        ("- 1\n", ["mapping", "list"]),
        ("", ["mapping"]),
        ("grid: [\n", ["not valid YAML", "line 2"]),
        ("grid: a\n---\ngrid: b\n", ["not valid YAML"]),
        ("extends: my.yaml\n", ["extends itself"]),
        ("extends: nowhere.yaml\n", ["no config file", "nowhere.yaml"]),
        ("grid: !!python/object:os.system x\n", ["not valid YAML"]),
        (f"seeds: [{'9' * 5000}]\n", ["not valid YAML"]),
        ("seeds: [2026-99-99]\n", ["not valid YAML"]),
        ("grid: a\x00b\n", ["not valid YAML"]),
        ("a: " + "[" * 500 + "]" * 500, ["levels deep"]),
        ("a: " + "[" * 1000, ["levels deep"]),
        ("a: &a [*a]\n", ["levels deep"]),
        (bomb("[{}]"), ["counting what aliases"]),
        (bomb("{{<<: [{}]}}"), ["counting what aliases"]),
        (f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 99)}]\n", ["counting what aliases"]),
        ("grid: " + "x" * 2**20 + "\n", ["larger than"]),
    ],
)
def test_unreadable_config_is_explained(tmp_path, text, words):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(ReassessError) as caught:
        load_config(path)
    for word in ["my.yaml" if "nowhere" not in text else "nowhere.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_config_reads_the_same_by_the_rules_of_yaml_1_1(path):
    """Snakemake and the tests read configs with PyYAML, which has the older rules."""
    content = yaml.safe_load(path.read_text())
    read = YAML(typ="safe", pure=True).load(path.read_text())
    assert repr(read) == repr(content)  # of the same types, in the same order


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1.0e-5", 1e-5),
        ("1e5", 1e5),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("null", None),
        ("010", 10),
        ("0o10", 8),
        ("1:30", "1:30"),
        ("'1'", "1"),
    ],
)
def test_values_are_read_by_yaml_1_2(tmp_path, text, value):
    path = tmp_path / "my.yaml"
    path.write_text(f"key: {text}\n")
    read = read_config_file(path)["key"]
    assert (read, type(read)) == (value, type(value))


def test_a_merge_key_is_overridden_by_the_mappings_own_keys(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}\n")
    assert read_config_file(path)["b"] == {"x": 1, "y": 2}


def test_extends_changes_only_the_given_keys(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(DEFAULT))
    path = tmp_path / "mine.yaml"
    path.write_text("extends: config.yaml\nseeds: [1, 2]\nstudies:\n  controls: null\n")
    extended, default = Grid.load(path), Grid.load(tmp_path / "config.yaml")
    assert extended.config.seeds == [1, 2]
    assert set(default.config.studies) - set(extended.config.studies) == {"controls"}
    assert extended.config.models == default.config.models


def test_plugins_are_relative_to_the_file_that_names_them(tmp_path, monkeypatch):
    above, elsewhere = tmp_path / "above", tmp_path / "elsewhere"
    for folder in (above / "mine", elsewhere):
        folder.mkdir(parents=True)
    (above / "mine" / "arm.py").write_text(PLUGIN)
    tree = deepcopy(DEFAULT)
    tree["methods"]["plugged"] = {}
    (above / "grid.yaml").write_text(yaml.safe_dump({**tree, "plugins": ["mine"]}))
    (elsewhere / "grid.yaml").write_text("extends: ../above/grid.yaml\ngrid: mine\n")
    monkeypatch.chdir(elsewhere)
    for path in (above / "grid.yaml", Path("../above/grid.yaml"), Path("grid.yaml")):
        grid = Grid.load(path)
        assert grid.arms["plugged"].method.name == "plugged"
        (folder,) = grid.config.plugins
        assert folder.resolve() == above / "mine"
    (elsewhere / "grid.yaml").write_text("extends: ../above/grid.yaml\nplugins: [mine]\n")
    with pytest.raises(ReassessError, match="plugins: mine is not a folder"):
        Grid.load("grid.yaml")


def test_a_config_that_is_no_readable_file_is_explained(tmp_path):
    with pytest.raises(ReassessError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "my.yaml").write_bytes(b"grid: \xff\n")
    with pytest.raises(ReassessError, match=r"my\.yaml is not valid YAML"):
        load_config(tmp_path / "my.yaml")


@pytest.mark.parametrize("name", sorted(generated_files()))
def test_generated_files_have_not_drifted(name):
    content = generated_files()[name]
    text = (ROOT / name).read_text()
    stored = text if isinstance(content, str) else json.loads(text)
    assert stored == content, f"{name} has drifted: run `reassess grid schema --write`"


def test_every_method_page_is_generated():
    pages = {f"docs/methods/{path.name}" for path in (ROOT / "docs/methods").glob("*.md")}
    assert pages <= set(generated_files()), "a page of a method that is gone: delete it"


def test_the_default_config_is_the_default_grid():
    assert load_config(ROOT / "config.yaml") == MicroConfig.model_validate(DEFAULT)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_is_valid(path):
    assert Grid.load(path).cells
