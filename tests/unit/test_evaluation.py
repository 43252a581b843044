"""Evaluation: a benchmark is one file, lm-eval's score is the verifier's, the pack works alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import steps
from tiny import tiny_config, tiny_grid

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, sha256_text
from reassess.core.project import ROOT
from reassess.data.pool import decode_image, read_pool
from reassess.evaluation.runner import scores_of
from reassess.grid.benchmarks import TASKS, benchmarks_of
from reassess.grid.study import Grid
from reassess.training.loading import load_processor
from reassess.worlds.micro.item import MicroItem

NEW_BENCHMARK = """\
include: {template}
task: micro_sparse
dataset_kwargs:
  split: sparse
metadata:
  version: 1
  label: nearly empty
  role: shifted
  scenes: {{fill: 0.2}}
"""


TEMPLATE = TASKS / "micro" / "_template.yaml"

# Files as other projects write them for lm-eval, with the label and role that a benchmark needs.
THIRD_PARTY = {
    "choices": """
tag: school
task: school_choices
dataset_path: json
dataset_kwargs: {data_files: {test: school.jsonl}}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: "{{choices}}"
doc_to_target: "{{choices.index(answer)}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 2.0, label: school, role: text}
""",
    "generated": """
include: _common.yaml
task: school_generated
dataset_name: hard
doc_to_target: !function utils.target
num_fewshot: 4
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: "Answer: (.*)"}, {function: take_first}]
metadata: {version: 1, label: school, role: text}
""",
    "own_rows_in_our_template": f"""
include: {TEMPLATE}
task: micro_school
dataset_path: json
dataset_kwargs: {{data_files: school.jsonl}}
metadata: {{version: 1, label: school, role: text}}
""",
    "one_more_filter": f"""
include: {TEMPLATE}
task: micro_school
dataset_kwargs: {{split: school}}
filter_list: [{{name: first, filter: [{{function: take_first}}]}}]
metadata: {{version: 1, label: school, role: text, scenes: {{}}}}
""",
}
COMMON = """
dataset_path: someone/school
output_type: generate_until
doc_to_text: "{{question}}"
metric_list: [{metric: exact_match}]
"""


def write_benchmark(folder, **changes):
    text = NEW_BENCHMARK.format(template=TEMPLATE)
    for old, new in changes.items():
        text = text.replace(
            *{"role": ("role: shifted", f"role: {new}"), "scenes": ("fill: 0.2", new)}[old]
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sparse.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    extra = write_benchmark(folder / "benchmarks")
    protocol = {
        "benchmarks": ["iid", "text", "sparse"],
        "folders": [str(extra)],
        "max_new_tokens": 80,  # as the pack's template
    }
    grid = tiny_grid(folder, methods=["base"], evaluation=protocol)
    steps.build_before_cells(grid)
    return grid


def cell_of(grid):
    return next(iter(grid.cells.values()))


def test_the_pack_is_what_its_files_say():
    benchmarks = benchmarks_of("micro")
    files = {path.stem for path in (TASKS / "micro").glob("micro_*.yaml")}
    assert {benchmark.task for benchmark in benchmarks.values()} == files
    assert len({benchmark.label for benchmark in benchmarks.values()}) == len(benchmarks)
    roles = {name: benchmark.role for name, benchmark in benchmarks.items()}
    assert (roles.pop("iid"), roles.pop("text")) == ("main", "text")
    assert set(roles.values()) == {"shifted"}


def test_a_benchmark_is_added_by_one_file(world):
    steps.evaluate(world, cell_of(world))
    scores = read_json(world.paths.scores(cell_of(world).id))["benchmarks"]
    assert set(scores) == {"iid", "text", "sparse"}
    assert {item.filled for item in read_pool(world.paths.pool("sparse"), MicroItem)} <= set(
        range(6)
    )
    assert world.benchmarks["sparse"].label == "nearly empty"


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"role": "best"}, ["metadata.role", "'best'", "main, shifted, text"]),
        ({"scenes": "fil: 0.2"}, ["did you mean 'fill'"]),
    ],
)
def test_a_wrong_benchmark_file_is_named(tmp_path, changes, facts):
    folder = write_benchmark(tmp_path / "wrong", **changes)
    with pytest.raises(ReassessError, match="sparse") as caught:
        grid = tiny_grid(tmp_path, evaluation={"benchmarks": ["sparse"], "folders": [str(folder)]})
        steps.build_pool(grid)
    assert all(fact in str(caught.value) for fact in facts)


@pytest.mark.parametrize(
    ("file", "facts"),
    [
        (
            "choices",
            "dataset_path 'json' output_type 'multiple_choice' doc_to_choice doc_to_text "
            "doc_to_target metric_list custom_dataset data_files",
        ),
        (
            "generated",
            "dataset_path 'someone/school' dataset_name 'hard' num_fewshot filter_list "
            "doc_to_target utils.target metric_list",
        ),
        ("own_rows_in_our_template", "dataset_path 'json' data_files split"),
        ("one_more_filter", "filter_list"),
    ],
)
def test_a_file_that_would_be_evaluated_otherwise_than_it_says_is_refused(tmp_path, file, facts):
    """Of another project's task only the name would be left: the rows would be our world's."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "_common.yaml").write_text(COMMON)
    (folder / "school.yaml").write_text(THIRD_PARTY[file])
    name = THIRD_PARTY[file].split("task: ")[1].split()[0].removeprefix("micro_")
    with pytest.raises(ReassessError) as caught:
        tiny_grid(tmp_path, evaluation={"benchmarks": [name], "folders": [str(folder)]})
    message = str(caught.value)
    assert "school.yaml" in message and str(TEMPLATE) in message
    assert [fact for fact in facts.split() if fact not in message] == []


def test_a_benchmark_says_how_its_items_are_drawn(tmp_path):
    folder = write_benchmark(tmp_path / "wrong")
    text = (folder / "sparse.yaml").read_text()
    (folder / "sparse.yaml").write_text(text.replace("scenes:", "scene:"))
    with pytest.raises(ReassessError, match=r"sparse.yaml.*metadata\.scenes"):
        tiny_grid(tmp_path, evaluation={"benchmarks": ["sparse"], "folders": [str(folder)]})


def test_folders_are_relative_to_the_file_that_names_them(tmp_path, monkeypatch):
    elsewhere, above = tmp_path / "elsewhere", tmp_path / "above"
    write_benchmark(above / "tasks")
    elsewhere.mkdir()
    evaluation = {"benchmarks": ["sparse"], "folders": ["tasks"]}
    parent = tiny_config(above, evaluation=evaluation)
    (elsewhere / "mine.yaml").write_text("extends: ../above/tiny.yaml\ngrid: mine\n")
    monkeypatch.chdir(elsewhere)
    for config in (parent, Path("../above/tiny.yaml"), Path("mine.yaml")):
        (benchmark,) = Grid.load(config).benchmarks.values()
        assert benchmark.source == (above / "tasks" / "sparse.yaml").resolve()
    (elsewhere / "mine.yaml").write_text(
        "extends: ../above/tiny.yaml\nevaluation: {folders: [tasks]}\n"
    )
    with pytest.raises(ReassessError, match="no folder of benchmarks at tasks"):
        Grid.load("mine.yaml")


def test_a_benchmark_file_that_is_no_benchmark_is_named(tmp_path):
    (tmp_path / "notes.yaml").write_text("- not\n- a task\n")
    with pytest.raises(ReassessError, match=r"notes.yaml.*task"):
        benchmarks_of("micro", [tmp_path])
    (tmp_path / "notes.yaml").write_text("task: [")
    with pytest.raises(ReassessError, match=r"notes.yaml.*YAML"):
        benchmarks_of("micro", [tmp_path])
    iid = (TASKS / "micro" / "micro_iid.yaml").read_text()
    (tmp_path / "notes.yaml").write_text(iid)
    with pytest.raises(ReassessError, match=r"notes.yaml.*include.*_template.yaml"):
        benchmarks_of("micro", [tmp_path])
    (tmp_path / "notes.yaml").write_text(iid.replace("_template.yaml", str(TEMPLATE)))
    with pytest.raises(ReassessError, match="'iid'"):
        benchmarks_of("micro", [tmp_path])
    with pytest.raises(ReassessError, match="nowhere"):
        benchmarks_of("micro", [tmp_path / "nowhere"])


def test_a_score_that_is_not_the_verifiers_stops_the_evaluation():
    predictions = pd.DataFrame(
        {
            "benchmark": ["iid"] * 4,
            "correct": [True, True, False, False],
            "format_ok": True,
            "undecided": [False, False, True, False],
            "truncated": False,
            "length": 3,
        }
    )
    assert scores_of(predictions, {"iid": {"acc,none": 0.5}})["iid"]["correct"] == 2
    with pytest.raises(ReassessError, match=r"'iid'.*0\.75.*2 of 4"):
        scores_of(predictions, {"iid": {"acc,none": 0.75}})


def test_a_missing_shard_is_named(world, tmp_path):
    grid = Grid(world.config.model_copy(update={"scratch": tmp_path}))
    cell = cell_of(grid)
    shutil.copytree(world.checkpoint(cell), grid.checkpoint(cell))
    weights = grid.checkpoint(cell) / "model.safetensors"
    weights.unlink()
    with pytest.raises(ReassessError, match=r"base lacks model.safetensors"):
        steps.evaluate(grid, cell)
    index = {
        "weight_map": {
            "a": "model-00001-of-00002.safetensors",
            "b": "model-00002-of-00002.safetensors",
        }
    }
    (grid.checkpoint(cell) / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(
        ReassessError,
        match=r"lacks model-00001-of-00002.safetensors, model-00002-of-00002.safetensors",
    ):
        steps.evaluate(grid, cell)


def test_weights_cut_short_are_named(world, tmp_path):
    grid = Grid(world.config.model_copy(update={"scratch": tmp_path}))
    cell = cell_of(grid)
    shutil.copytree(world.checkpoint(cell), grid.checkpoint(cell))
    weights = grid.checkpoint(cell) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ReassessError, match=r"base .*damaged"):
        steps.evaluate(grid, cell)


def documented_command():
    """lm-eval's command as docs/benchmarks.md shows it."""
    (command,) = re.findall(
        r"^    (lm_eval (?:.*\\\n)*.*)$", (ROOT / "docs/benchmarks.md").read_text(), re.MULTILINE
    )
    return command


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", ["iid", "text"])
def test_the_documented_command_of_lm_eval_answers_the_same(world, tmp_path, benchmark):
    """lm-eval's own model on the same checkpoint has the same prompts, completions and scores.

    The command runs as it is written, but for the benchmark, in a folder whose files have the
    documented names.
    """
    cell = cell_of(world)
    steps.evaluate(world, cell)
    predictions = pd.read_parquet(world.paths.predictions(cell.id)).query("benchmark == @benchmark")
    for name, target in (
        ("src", ROOT / "src"),
        ("results/micro", world.paths.results),
        ("scratch/micro", world.paths.scratch),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(target)
    command = documented_command()
    assert command.count("micro_iid") == 1
    command = command.replace("micro_iid", f"micro_{benchmark}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    samples = [
        json.loads(line)
        for path in (tmp_path / "scores").rglob("samples_*.jsonl")
        for line in path.read_text().splitlines()
    ]
    completions = {sample["doc"]["id"]: sample["resps"][0][0].strip() for sample in samples}
    assert completions == dict(zip(predictions["id"], predictions["completion"], strict=True))
    assert {sample["doc"]["id"]: _prompt_hash(sample, world) for sample in samples} == dict(
        zip(predictions["id"], predictions["prompt_hash"], strict=True)
    )


def _prompt_hash(sample, grid):
    """The hash of the prompt as the model reads it: lm-eval's text with the image's tokens in it."""
    processor = load_processor(grid.checkpoint(cell_of(grid)))
    text = sample["arguments"]["gen_args_0"]["arg_0"]
    split = sample["doc"]["id"].split("-")[0]
    item = next(
        item
        for item in read_pool(grid.paths.pool(split), MicroItem)
        if item.id == sample["doc"]["id"]
    )
    images = {"images": [decode_image(item)]} if item.image is not None else {}
    return sha256_text(processor.tokenizer.decode(processor(text=[text], **images)["input_ids"][0]))
