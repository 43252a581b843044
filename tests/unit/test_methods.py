"""What every method has to have, wherever it is found; only special methods are named."""

import inspect
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import pandas as pd
import pytest
from tiny import tiny_grid

from reassess.cli.generate import describe_methods, method_page
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.core.seeds import derive_seed
from reassess.data.pool import decode_image
from reassess.data.questions import questions_of
from reassess.methods import discover, find, source_of
from reassess.training.settings import TrainedSettings
from reassess.workflow.jobs.train import training_run
from reassess.worlds.hub.items import HubItem
from reassess.worlds.micro.prompts import prompt, question_text

METHODS = discover()
TRAINED = [name for name, method in METHODS.items() if method.kind != "none"]

NEW_METHOD = '''
"""GRPO whose advantages are not divided by their deviation."""

from typing import Literal

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


def test_every_method_is_an_arm_of_the_tiny_grid(tmp_path):
    arms = tiny_grid(tmp_path, methods=list(METHODS)).arms
    assert set(METHODS) <= set(arms)
    for name in TRAINED:
        assert isinstance(arms[name].settings, TrainedSettings)
        assert arms[name].settings.updates(12) < 10


def test_a_method_dropped_into_a_folder_is_discovered_and_nothing_else_was_edited(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "dr_grpo.py").write_text(NEW_METHOD)
    grid = tiny_grid(tmp_path, methods=["dr-grpo"], plugins=[tmp_path / "plugins"])
    assert "dr-grpo" not in discover()
    assert grid.arms["dr-grpo"].settings.scale_rewards == "none"
    assert grid.arms["dr-grpo"].settings.max_steps < 10
    assert "dr-grpo" in describe_methods(grid.config.plugins)


def test_two_folders_may_have_files_of_one_name(tmp_path):
    for folder, name in (("a", "first"), ("b", "second")):
        (tmp_path / folder).mkdir()
        text = NEW_METHOD.replace('"dr-grpo"', f'"{name}"')
        (tmp_path / folder / "method.py").write_text(text)
    assert {"first", "second"} <= set(discover([tmp_path / "a", tmp_path / "b"]))


def test_all_methods_of_a_cell_see_the_same_rows_in_the_same_order(tmp_path):
    grid = tiny_grid(tmp_path, methods=TRAINED)
    runs = [training_run(grid, cell_of(grid, name)) for name in TRAINED]
    assert len({run.order_seed for run in runs}) == 1
    assert len({(run.files.rows, run.size) for run in runs}) == 1


# --- methods of installed packages ---------------------------------------------------------------


def install(folder, entry, text=NEW_METHOD):
    """Write what pip leaves of a package with one method."""
    (folder / "labmethods.py").write_text(text)
    info = folder / "labmethods-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labmethods\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[reassess.methods]\n{entry}\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a folder that Python imports from."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("labmethods", None)


@pytest.mark.parametrize("entry", ["dr-grpo = labmethods:DrGrpo", "all = labmethods"])
def test_a_method_of_an_installed_package_is_discovered(site, entry):
    install(site, entry)
    assert find("dr-grpo").citation == "arXiv 2503.20783"
    assert "dr-grpo" in describe_methods()


@pytest.mark.parametrize(
    ("entry", "text", "problem"),
    [
        ("x = labmethods:Absent", NEW_METHOD, "Absent"),
        ("x = labmethods:Field", NEW_METHOD, "no subclass"),
        ("x = labmethods:DrGrpo", NEW_METHOD.replace("dr-grpo", "sft"), "'sft' exists already"),
        ("x = labmethods", "import nowhere_to_be_found\n", "nowhere_to_be_found"),
    ],
)
def test_an_entry_point_that_is_wrong_is_named(site, entry, text, problem):
    install(site, entry, text)
    with pytest.raises(ReassessError, match=problem) as caught:
        discover()
    assert "labmethods 1.2" in str(caught.value)
    assert entry in str(caught.value)


# --- files that are wrong ------------------------------------------------------------------------

HEAD = "from reassess.methods import Method\nclass M(Method):\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n", "no subclass"),
        ("import nowhere_to_be_found\n", "nowhere_to_be_found"),
        (f"{HEAD}    name = 'm'\n", "lacks kind, citation"),
        (f"{HEAD}    name, kind, citation = 'base', 'none', 'x'\n", "'base' exists already"),
        (f"{HEAD}    name, kind, citation = 'm', 'rll', 'x'\n", "'rll'.*did you mean 'rl'"),
        (f"{HEAD}    name, kind, citation = 'm', 'sft', 'x'\n", "TrainedSettings"),
    ],
)
def test_a_method_file_that_is_wrong_is_named(tmp_path, text, problem):
    path = tmp_path / "plugin.py"
    path.write_text(text)
    with pytest.raises(ReassessError, match=problem) as caught:
        discover([tmp_path])
    assert str(path) in str(caught.value)


def test_a_plugin_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(ReassessError, match="nowhere is not a folder"):
        discover([tmp_path / "nowhere"])


# --- controls ------------------------------------------------------------------------------------


def test_the_blank_image_control_hides_the_image_and_nothing_else(items):
    control = find("blank-image")(find("blank-image").Settings())
    seen = control.view(items[0])
    assert set(decode_image(seen).getdata()) == {(127, 127, 127)}
    assert replace(seen, image=items[0].image) == items[0]
    without_answer = items[0].asked()
    assert replace(control.view(without_answer), image=items[0].image) == without_answer
    in_words = replace(items[0], image=None)
    assert control.view(in_words) is in_words


def test_random_choice_draws_from_the_answers_of_the_family_whatever_the_order(items):
    control = find("random-choice")(find("random-choice").Settings())
    questions = questions_of(items, question_text)
    completions = control.respond(questions, 1)
    assert control.respond(questions[::-1], 1) == completions[::-1]
    assert control.respond(questions, 2) != completions
    for item, completion in zip(items, completions, strict=True):
        assert completion.removeprefix("Answer: ") in {
            other.answer for other in items if other.family == item.family
        }


def test_random_choice_answers_as_in_the_reference_run():
    """Its answers are those of the bundle, which was made when it was given the items themselves."""
    bundle = ROOT / "results" / "reference" / "micro" / "bundle"
    scores = pd.read_parquet(bundle / "scores.parquet", filters=[("method", "=", "random-choice")])
    predictions = pd.read_parquet(bundle / "predictions.parquet")
    control = find("random-choice")(find("random-choice").Settings())
    for cell, own in scores.groupby("cell"):
        families = own[["benchmark", "item", "item_family"]]
        rows = predictions[predictions["cell"] == cell].merge(families, on=["benchmark", "item"])
        items = [
            SimpleNamespace(
                id=row.item,
                family=row.item_family,
                answer=row.answer,
                answer_kind=row.answer_kind,
                question="",
                image=None,
            )
            for row in rows.itertuples()
        ]
        questions = questions_of(items, lambda item: item.question)
        seed = derive_seed("evaluate", int(own["seed"].iloc[0]))
        assert control.respond(questions, seed) == rows["completion"].tolist()


# --- what a method is told -----------------------------------------------------------------------


def test_an_item_as_it_is_asked_has_the_prompt_of_the_item_and_nothing_more(items):
    for item in (*items, *(replace(item, image=None) for item in items)):
        asked = item.asked()
        assert prompt(asked) == prompt(item)
        shown = {"id", "index", "family", "question", "answer_kind", "image"}
        if item.image is None:
            shown.add("scene_text")
        for name, value in asdict(asked).items():
            assert value == getattr(item, name) if name in shown else not value


def test_an_item_of_the_hub_as_it_is_asked_has_no_answer_and_no_trace():
    item = HubItem("a", 0, "s", "f", "q", '["x", "y"]', '["A", "x"]', "choice", None, "h", "t", "l")
    asked = item.asked()
    assert (asked.answer, asked.trace) == ("", "")
    assert replace(asked, answer=item.answer, trace=item.trace) == item


def test_a_question_says_no_more_than_the_prompt_and_the_choices_of_its_family(items):
    for item, question in zip(items, questions_of(items, question_text), strict=True):
        assert not hasattr(question, "answer")
        same = ("id", "family", "question", "answer_kind", "image")
        assert all(getattr(question, name) == getattr(item, name) for name in same)
        assert question.choices == tuple(
            sorted({other.answer for other in items if other.family == item.family})
        )


# --- where a method comes from -------------------------------------------------------------------


def test_a_shipped_method_has_no_source_of_its_own():
    assert [name for name in METHODS if source_of(find(name)) is not None] == []


def plugin_in(folder, text=NEW_METHOD):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dr_grpo.py").write_text(text)
    return find("dr-grpo", [folder])


def test_a_plugin_states_its_source_the_same_wherever_it_lies(tmp_path):
    first = source_of(plugin_in(tmp_path / "a" / "plugins"))
    second = source_of(plugin_in(tmp_path / "b" / "plugins"))
    assert first == second
    assert (first["name"], first["origin"], first["files"]) == (
        "dr-grpo",
        "plugins/dr_grpo.py",
        1,
    )
    assert len(first["sha256"]) == 64
    assert str(tmp_path) not in str(first)


@pytest.mark.parametrize("extra", ["_helper.py", "answers.json", "deep/er/data.npz", ".hidden"])
def test_a_file_that_a_plugin_may_read_is_part_of_its_source(tmp_path, extra):
    without = source_of(plugin_in(tmp_path / "a"))
    path = tmp_path / "b" / extra
    path.parent.mkdir(parents=True)
    path.write_text("1")
    assert source_of(plugin_in(tmp_path / "b"))["sha256"] != without["sha256"]


def test_another_plugin_of_the_folder_is_no_part_of_a_plugins_source(tmp_path):
    without = source_of(plugin_in(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "other.py").write_text(NEW_METHOD.replace('"dr-grpo"', '"other"'))
    assert source_of(plugin_in(tmp_path / "b"))["sha256"] == without["sha256"]


def test_a_changed_plugin_is_trained_again_though_its_version_is_the_same(tmp_path):
    hashes = []
    for number, text in enumerate((NEW_METHOD, NEW_METHOD, NEW_METHOD + "\nX = 1\n")):
        plugin_in(folder := tmp_path / str(number) / "plugins", text)
        grid = tiny_grid(tmp_path, methods=["dr-grpo", "sft"], plugins=[folder])
        hashes.append([grid.specs.train_hash(cell_of(grid, name)) for name in ("dr-grpo", "sft")])
    assert hashes[0] == hashes[1]
    assert hashes[0][0] != hashes[2][0]
    assert hashes[0][1] == hashes[2][1]


def test_an_installed_package_states_its_source(site):
    install(site, "dr-grpo = labmethods:DrGrpo")
    source = source_of(find("dr-grpo"))
    assert "labmethods 1.2" in source["origin"]
    assert source["files"] >= 1
    assert str(site) not in str(source)
