"""What every method has to do, found or dropped in: no test names a method that is not special."""

import inspect

import pandas as pd
import pytest
import steps
import yaml
from tiny import RL, tiny_grid

from reassess.cli.generate import describe_methods, method_page
from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.data.pool import decode_image, read_pool
from reassess.grid.study import Grid
from reassess.methods import discover, find
from reassess.verifier import grade

METHODS = sorted(discover())
TRAINED = [name for name in METHODS if discover()[name].kind != "none"]

NEW_METHOD = '''
"""GRPO whose advantages are not divided by their deviation."""

from typing import ClassVar, Literal

from pydantic import Field

from reassess.methods.grpo import Grpo
from reassess.training.rl_settings import RlSettings


class Settings(RlSettings):
    """GRPO's settings."""

    scale_rewards: Literal["none"] = Field("none", description="no division (arXiv 2503.20783)")


class DrGrpo(Grpo):
    """Dr. GRPO."""

    name = "dr-grpo"
    citation = "arXiv 2503.20783"
    Settings = Settings
'''


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("methods")
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "dr_grpo.py").write_text(NEW_METHOD)
    grid = _grid_with_plugin(folder, plugins)
    steps.build_before_cells(grid)
    return grid


def _grid_with_plugin(folder, plugins):
    grid_path = folder / "tiny.yaml"
    tiny_grid(folder, methods=METHODS)
    config = yaml.safe_load(grid_path.read_text())
    config["plugins"] = [str(plugins)]
    config["methods"]["dr-grpo"] = RL
    config["studies"]["capacity"]["methods"].append("dr-grpo")
    grid_path.write_text(yaml.safe_dump(config))
    return Grid.load(grid_path)


def cell_of(grid, name):
    return next(cell for cell in grid.cells.values() if cell.arm == name)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_described(name):
    method = find(name)
    assert method.citation
    assert inspect.getdoc(method)
    assert all(field.description for field in method.Settings.model_fields.values())
    assert f"# `{name}`" in method_page(method)
    assert name in describe_methods()


@pytest.mark.parametrize("name", [*TRAINED, "dr-grpo"])
def test_every_method_trains_scores_and_leaves_a_valid_manifest(world, name):
    cell = cell_of(world, name)
    start = world.start(cell)
    if start is not None:
        steps.train(world, start)
    steps.train(world, cell)
    manifest = read_json(world.paths.train_manifest(cell.id))
    assert manifest["spec_hash"] == world.specs.train_hash(cell)
    wanted = (
        "spec rows_hash order_seed sampling_seed template_hash processor_hash code_commit lock_hash versions hardware threads seconds "
        "samples updates tokens flops peak_memory_mb resumed weights_hash start_weights_hash"
    )
    assert [key for key in wanted.split() if key not in manifest] == []
    assert manifest["updates"] == world.arms[name].settings.max_steps
    assert min(manifest[key] for key in ("samples", "tokens", "flops")) > 0
    history = pd.read_parquet(world.paths.history(cell.id))
    metrics = set(history["metric"])
    assert {
        "probe_accuracy",
        "probe_format",
        "probe_length",
        "samples",
        "tokens",
        "flops",
        "seconds",
        "loss",
    } <= metrics
    if world.kind(cell) == "rl":
        rl = {
            "reward",
            "reward_accuracy",
            "reward_format",
            "completion_length",
            "truncated_share",
            "zero_variance_share",
        }
        assert rl <= metrics
    assert not world.paths.work(cell.id).exists()
    steps.evaluate(world, cell)
    scores = read_json(world.paths.scores(cell.id))["benchmarks"]
    assert set(scores) == set(world.config.evaluation.benchmarks)


def test_a_method_dropped_into_a_folder_is_found_and_nothing_else_was_edited(world):
    assert "dr-grpo" not in discover()
    assert world.arms["dr-grpo"].settings.scale_rewards == "none"
    assert "dr-grpo" in describe_methods(world.config.plugins)


def test_all_methods_of_a_cell_see_the_same_rows_in_the_same_order(world):
    from reassess.workflow.jobs.train import training_run

    runs = [training_run(world, cell_of(world, name)) for name in TRAINED]
    assert len({(run.order_seed, tuple(run.row_ids)) for run in runs}) == 1


def test_a_size_beyond_the_frozen_rows_is_explained(world):
    from reassess.workflow.jobs.train import training_run

    run = training_run(world, cell_of(world, "sft"))
    run.size = 25
    with pytest.raises(
        ReassessError, match=r"wants 25 rows, but only 24 rows.*raise world.pool_rows"
    ):
        _ = run.row_ids


@pytest.mark.parametrize("name", ["base", "random-choice", "blank-image"])
def test_predictions_are_scored_by_the_verifier_and_lm_eval_agrees(world, name):
    cell = cell_of(world, name)
    steps.evaluate(world, cell)
    predictions = pd.read_parquet(world.paths.predictions(cell.id))
    scores = read_json(world.paths.scores(cell.id))["benchmarks"]
    for benchmark, rows in predictions.groupby("benchmark"):
        kinds = {
            item.id: item.answer_kind
            for item in read_pool(world.paths.pool(str(benchmark)), world.world.item_type)
        }
        again = [
            grade(row.completion, row.answer, kinds[row.id]).correct for row in rows.itertuples()
        ]
        assert scores[benchmark]["accuracy"] == pytest.approx(sum(again) / len(again))
        assert rows["correct"].tolist() == again


def test_the_blank_image_control_hides_the_picture_and_nothing_else(items):
    control = find("blank-image")(find("blank-image").Settings())
    seen = control.view(items[0])
    assert set(decode_image(seen).getdata()) == {(127, 127, 127)}
    assert seen.question == items[0].question
    worded = type(items[0])(**{**vars(items[0]), "image": None})
    assert control.view(worded) is worded


def test_random_choice_draws_from_the_answers_of_the_family_whatever_the_order(items):
    control = find("random-choice")(find("random-choice").Settings())
    there = control.respond(items, 1)
    assert control.respond(items[::-1], 1) == there[::-1]
    assert control.respond(items, 2) != there
    for item, completion in zip(items, there, strict=True):
        assert completion.removeprefix("Answer: ") in {
            other.answer for other in items if other.family == item.family
        }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "holds no subclass"),
        ("import nowhere_to_be_found\n", "cannot be imported"),
        (
            "from reassess.methods import Method\nclass M(Method):\n    name = 'm'\n",
            "lacks kind, citation",
        ),
        (
            "from reassess.methods import Method\nclass M(Method):\n    name, kind, citation = 'sft', 'sft', 'x'\n",
            "exists already",
        ),
    ],
)
def test_a_method_file_that_is_wrong_is_named(tmp_path, text, words):
    path = tmp_path / f"plugin_{abs(hash(text))}.py"
    path.write_text(text)
    with pytest.raises(ReassessError, match=words) as caught:
        discover([tmp_path])
    assert path.name in str(caught.value)
    with pytest.raises(ReassessError, match="is not a folder"):
        discover([tmp_path / "nowhere"])
