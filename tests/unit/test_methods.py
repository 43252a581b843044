"""What every method has to have, wherever it is found; only special methods are named."""

import inspect
import sys
from dataclasses import replace

import pytest
from tiny import tiny_grid

from reassess.cli.generate import describe_methods, method_page
from reassess.core.errors import ReassessError
from reassess.data.pool import decode_image
from reassess.methods import discover, find
from reassess.training.settings import TrainedSettings
from reassess.workflow.jobs.train import training_run

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
    in_words = replace(items[0], image=None)
    assert control.view(in_words) is in_words


def test_random_choice_draws_from_the_answers_of_the_family_whatever_the_order(items):
    control = find("random-choice")(find("random-choice").Settings())
    completions = control.respond(items, 1)
    assert control.respond(items[::-1], 1) == completions[::-1]
    assert control.respond(items, 2) != completions
    for item, completion in zip(items, completions, strict=True):
        assert completion.removeprefix("Answer: ") in {
            other.answer for other in items if other.family == item.family
        }
