"""Names become paths, wildcards, options and files: one pattern, and no two of them one file."""

from copy import deepcopy
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tiny import tiny_grid

from reassess.cli.generate import config_schema
from reassess.config.defaults import DEFAULT
from reassess.config.load import read_config_file, validated
from reassess.config.names import is_file_pattern, is_name
from reassess.core.errors import ReassessError
from reassess.grid.benchmarks import benchmarks_of
from reassess.grid.cells import Cell
from reassess.grid.paths import Paths
from reassess.grid.study import Grid
from reassess.worlds.hub.pins import Pins
from reassess.worlds.hub.source import Source

ROOT = Path(__file__).parents[2]
PAPER = read_config_file(ROOT / "config" / "paper.yaml")
HOSTILE = [
    "sft$(id>PWNED)",
    "`id`",
    "../../evil",
    "..",
    ".",
    ".hidden",
    "a/b",
    "a\\b",
    "a b",
    "a+b",
    "a|b",
    "a;b",
    "a&b",
    "a*",
    "a'b",
    'a"b',
    "{cell}",
    "-x",
    "--config",
    "_x",
    "a\n",
    "\na",
    "a\tb",
    "a\x1b[31m",
    "a\0",
    "",
    " ",
    "sft\u202e",
    "sft\u200b",
    "s\u0192t",
    "\u0441ft",  # a Cyrillic letter
    "sft\u0663",  # a digit, but not of ASCII
    "a" * 65,
    "a" * 300,
]
ALLOWED = ["a", "A1", "2000", "qwen2.5-vl-7b", "sft_2", "a..b", "a.", "a" * 64]


def rename(*path):
    """What gives the last key of a path another name."""

    def edit(tree, name):
        for part in path[:-1]:
            tree = tree[part]
        tree[name] = tree.pop(path[-1])

    return edit


def put(*path):
    """What sets the value at a path."""

    def edit(tree, name):
        for part in path[:-1]:
            tree = tree[part]
        tree[path[-1]] = name

    return edit


MICRO_KINDS = {
    "grid": put("grid"),
    "models": rename("models", "llava-w32"),
    "models.llava-w32.family": put("models", "llava-w32", "family"),
    "teachers": rename("teachers", "llava"),
    "teachers.llava": put("teachers", "llava"),
    "distributions": rename("distributions", "foreign"),
    "methods": rename("methods", "sft"),
    "methods.sft.uses": put("methods", "sft", "uses"),
    "methods.sft.start": put("methods", "sft", "start"),
    "studies": rename("studies", "scale"),
    "studies.scale.models.0": put("studies", "scale", "models", 0),
    "studies.scale.methods.0": put("studies", "scale", "methods", 0),
    "studies.distribution.distributions.0": put("studies", "distribution", "distributions", 0),
    "evaluation.benchmarks.0": put("evaluation", "benchmarks", 0),
    "evaluation.judge": put("evaluation", "judge"),
    "world.kind": put("world", "kind"),
}
HUB_KINDS = {
    "models": rename("models", "qwen2-vl-2b"),
    "models.qwen2-vl-2b.family": put("models", "qwen2-vl-2b", "family"),
    "models.qwen2-vl-2b.hub": put("models", "qwen2-vl-2b", "hub"),
    "teachers": rename("teachers", "qwen-vl"),
    "distributions": rename("distributions", "foreign"),
    "distributions.same-family-7b.teacher": put("distributions", "same-family-7b", "teacher"),
    "distributions.foreign.adapter": put("distributions", "foreign", "adapter"),
    "methods": rename("methods", "dapo"),
    "studies": rename("studies", "scale"),
    "world.sources.0": put("world", "sources", 0),
    "costs.benchmark_items": lambda tree, name: tree.update(costs={"benchmark_items": {name: 1}}),
}
KINDS = [(DEFAULT, key, edit) for key, edit in MICRO_KINDS.items()] + [
    (PAPER, key, edit) for key, edit in HUB_KINDS.items()
]
KIND_IDS = [f"{tree.get('grid', 'micro')}:{key}" for tree, key, _ in KINDS]


def edited(tree, edit, name):
    tree = deepcopy(tree)
    tree.setdefault("world", {})
    tree.setdefault("evaluation", {}).setdefault("benchmarks", ["iid"])
    edit(tree, name)
    return tree


@pytest.mark.parametrize(("tree", "key", "edit"), KINDS, ids=KIND_IDS)
def test_a_hostile_name_is_refused_wherever_it_stands(tree, key, edit):
    for name in HOSTILE:
        if key.endswith(".hub") and name == "a/b":
            continue  # a repository
        with pytest.raises(ReassessError) as caught:
            validated(edited(tree, edit, name), Path("my.yaml"))
        message = str(caught.value)
        assert message.startswith(f"my.yaml: {key}: ")
        assert message.isascii() or key == "world.kind"  # a letter of another script is shown so
        assert all(line.isprintable() for line in message.split("\n"))
        assert len(message) < 2000


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_named_with_what_is_allowed(name):
    with pytest.raises(ReassessError) as caught:
        validated(edited(DEFAULT, MICRO_KINDS["methods"], name), Path("my.yaml"))
    assert ascii(name)[:200] in str(caught.value)
    assert "allowed: a letter or digit" in str(caught.value)


@pytest.mark.parametrize("name", ALLOWED)
def test_an_ordinary_name_is_allowed(name):
    assert is_name(name)
    for key in ("models", "distributions", "studies"):
        edit = MICRO_KINDS[key]
        assert name in getattr(validated(edited(DEFAULT, edit, name), Path("my.yaml")), key)


def test_the_schema_refuses_what_the_models_refuse():
    schema = config_schema()
    schema["anyOf"] = schema["anyOf"][1:]  # the micro world's: one branch must not excuse another
    validator = Draft202012Validator(schema)
    assert validator.is_valid(DEFAULT)
    for key, edit in MICRO_KINDS.items():
        for name in ("a b", "../../evil", "sft$(id)", "-x", ""):
            refused = not validator.is_valid(edited(DEFAULT, edit, name))
            assert refused or key == "methods.sft.start", (key, name)  # the methods' own schema


@pytest.mark.parametrize("task", [name for name in HOSTILE if name] + ["micro_../../evil"])
def test_a_task_with_a_hostile_name_is_refused_in_any_folder(tmp_path, task):
    import yaml

    content = {
        "task": task,
        "include": str(ROOT / "src/reassess/evaluation/tasks/micro/_template.yaml"),
        "dataset_kwargs": {"split": task},
        "metadata": {"label": "x", "role": "main", "scenes": {"stream": 2}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ReassessError, match=r"mine\.yaml: task is .*allowed: ") as caught:
        benchmarks_of("micro", [tmp_path])
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "a: " + "[" * 3000, f"a: {'9' * 5000}", "a: 2026-99-99", "include: .", "- 1"],
    ids=lambda text: text[:20],
)
def test_a_task_file_that_is_none_is_explained(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ReassessError) as caught:
        benchmarks_of("micro", [tmp_path])
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", ["a\x1b[31m", "a\nb", "a\u202eb"])
def test_what_is_shown_on_a_line_has_no_control_characters(tmp_path, text):
    tree = edited(DEFAULT, put("studies", "scale", "question"), text)
    with pytest.raises(ReassessError, match=r"studies\.scale\.question: .*control characters"):
        validated(tree, Path("my.yaml"))


# --- no two names are one file ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["models", "distributions", "methods", "studies"])
def test_names_that_differ_in_case_only_are_refused(kind):
    tree = deepcopy(DEFAULT)
    name = next(iter(tree[kind]))
    tree[kind][name.upper()] = tree[kind][name]
    with pytest.raises(ReassessError, match=rf"{kind}: .*case only: {name.upper()}, {name}"):
        validated(tree, Path("my.yaml"))


@pytest.mark.parametrize("arm", ["base", "Base"])
def test_the_arm_base_trains_nothing(tmp_path, arm):
    settings = {"base": None, arm: {"uses": "sft"}}
    options = {"methods": ["sft"], "settings": settings}
    if arm == "base":
        with pytest.raises(ReassessError, match=r"methods\.base: .*another name"):
            tiny_grid(tmp_path, **options)
    else:
        assert tiny_grid(tmp_path, **options).arms[arm].method.name == "sft"


def test_no_two_splits_of_the_pool_have_one_name():
    tree = deepcopy(PAPER)
    tree["distributions"]["GSM8K"] = {"source": "adapter", "adapter": "gsm8k"}
    with pytest.raises(ReassessError, match=r"one name: GSM8K, gsm8k"):
        Grid(validated(tree, Path("my.yaml")), Path("my.yaml"))


@pytest.mark.parametrize("name", ["train", "probe"])
def test_no_benchmark_replaces_a_split_of_the_pool(tmp_path, name):
    template = (ROOT / "src/reassess/evaluation/tasks/micro/micro_iid.yaml").read_text()
    text = template.replace(
        "_template", str(ROOT / "src/reassess/evaluation/tasks/micro/_template")
    )
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "mine.yaml").write_text(text.replace("iid", name).replace("stream: 2", "stream: 9"))
    evaluation = {"benchmarks": [name], "folders": [str(folder)]}
    with pytest.raises(ReassessError, match=f"one name: {name}"):
        tiny_grid(tmp_path, evaluation=evaluation)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,3}", fullmatch=True) | st.sampled_from(
    ["seed1", "2000", "a", "a.b", "b", "a.json", "seed1.lock", "failed.json"]
)
CELLS = st.builds(Cell, NAMES, NAMES, st.integers(1, 3000), NAMES, st.integers(0, 12)) | st.builds(
    Cell, NAMES, st.none(), st.none(), NAMES, st.integers(0, 12)
)


@given(CELLS)
def test_a_cells_id_is_read_back_as_the_cell(cell):
    assert Cell.of_id(cell.id) == cell


@pytest.mark.parametrize(
    "cell",
    ["", "a", "a/b", "a/b/1", "a/b/seed01", "a/b/seed-1", "a/b/seed1/", "/a/b/seed1", "a/../seed1",
     "a/b/c/seed1", "a/b/01/c/seed1", "a/b/x/c/seed1", "a/b/1/c/d/seed1", "a/b/seed\u0661",
     "a/b/seed1_0", "a/b/seed1\n", "a//seed1"],
)  # fmt: skip
def test_what_is_no_cells_id_is_refused(cell):
    with pytest.raises(ReassessError, match="is no cell's id"):
        Cell.of_id(cell)


OF_A_CELL = [
    Paths.lock,
    Paths.cell,
    Paths.checkpoint,
    Paths.work,
    lambda paths, cell: paths.log("train", cell),
    lambda paths, cell: paths.benchmark("train", cell),
]


@given(st.sets(CELLS, min_size=2, max_size=6))
def test_no_two_cells_share_a_file(cells):
    """Nor is a file of one a folder of another."""
    paths = Paths(Path("R"), Path("S"))
    for of_cell in OF_A_CELL:
        places = [of_cell(paths, cell.id) for cell in cells]
        for one, other in combinations(places, 2):
            assert one != other
            assert one not in other.parents
            assert other not in one.parents


# --- places, repositories, patterns -----------------------------------------------------------


@pytest.mark.parametrize("key", ["results", "scratch"])
@pytest.mark.parametrize("place", ["/tmp/two words/r", "ünïcode", "a+b", "x'y", "a$b", "../up"])
def test_an_unusual_folder_is_allowed(key, place):
    config = validated({**DEFAULT, key: place}, Path("my.yaml"))
    assert str(getattr(config, key)) == place


@pytest.mark.parametrize("key", ["results", "scratch"])
@pytest.mark.parametrize(
    "place", ["a\nb", "a\rb", "a\x1b[0m", "a\0b", "{cell}", "a}b", "a\u202eb", "x" * 256]
)
def test_a_folder_that_snakemake_or_a_terminal_would_misread_is_refused(key, place):
    with pytest.raises(ReassessError) as caught:
        validated({**DEFAULT, key: place}, Path("my.yaml"))
    assert str(caught.value).startswith(f"my.yaml: {key}: found ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["org", "org/", "/name", "../name", "org/..", "org/.hidden", "a/b/c", "org/na me", "org/a--b",
     "org/a..b", "org/-x", "org/a\n", "org/\u0430", "org/" + "a" * 97, "https://x/y"],
)  # fmt: skip
def test_a_name_that_no_repository_of_the_hub_has_is_refused(tmp_path, name):
    with pytest.raises(ReassessError, match=r"models\.qwen2-vl-2b\.hub: .*organisation/name"):
        validated(edited(PAPER, HUB_KINDS["models.qwen2-vl-2b.hub"], name), Path("my.yaml"))
    pins = tmp_path / "pins.yaml"
    pins.write_text(f"models: {{{name!r}: {'0' * 40}}}\n".replace("'", '"'))
    with pytest.raises(ReassessError, match=r"pins\.yaml: models\..*organisation/name"):
        Pins.load(pins)


@pytest.mark.parametrize(
    "pin",
    ["main", "0" * 39, "0" * 41, "G" * 40, f'"{"0" * 40}\\n"', f'{{revision: "{"0" * 40}", files: '
     "{../x: [1, null]}}", f'{{revision: "{"0" * 40}", files: {{/etc/x: [1, null]}}}}',
     f'{{revision: "{"0" * 40}", files: [1]}}', "[1]"],
)  # fmt: skip
def test_a_pin_is_a_commit_and_files_within_its_repository(tmp_path, pin):
    pins = tmp_path / "pins.yaml"
    pins.write_text(f"models: {{org/name: {pin}}}\n")
    with pytest.raises(ReassessError, match=r"pins\.yaml: models\.org/name"):
        Pins.load(pins)


@pytest.mark.parametrize("text", ["- 1\n", "models: [1]\n", "models: [\n", "a: 2024-99-99\n"])
def test_a_file_of_pins_that_is_none_is_explained(tmp_path, text):
    (tmp_path / "pins.yaml").write_text(text)
    with pytest.raises(ReassessError, match=r"pins\.yaml"):
        Pins.load(tmp_path / "pins.yaml")


@pytest.mark.parametrize("pattern", ["../x", "/etc/x", "a/../b", "a//b", "~/x", "a b", "", "a\n"])
def test_an_adapter_names_files_within_its_repository(pattern):
    assert not is_file_pattern(pattern)
    with pytest.raises(ReassessError, match="no pattern of files"):
        Source("org/name", (pattern,), (), "unknown", lambda row: [])
