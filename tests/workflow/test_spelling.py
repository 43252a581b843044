"""Only resolved specs decide: however a config is named, a finished grid has nothing to do."""

import shutil

import pytest
import yaml
from finished import finish
from test_rules import snakemake
from tiny import tiny_config

from reassess.grid.study import Grid

pytestmark = pytest.mark.slow  # each plans a whole grid with Snakemake

UP_TO_DATE = "Nothing to be done"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a finished grid and its config, `tiny.yaml`."""
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    finish(Grid.load(tiny_config(folder)))
    return folder


def plan(folder, *words):
    """What Snakemake would do in a folder, without a profile's choice of triggers too."""
    done = snakemake(folder, "--dry-run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def spellings(folder):
    (folder / "link.yaml").symlink_to("tiny.yaml")
    (folder.parent / "link").symlink_to(folder)
    (folder / "below").mkdir()
    (folder / "wrapper.yaml").write_text("extends: tiny.yaml\n")
    yield "--config", "config=tiny.yaml"
    yield "--config", "config=./tiny.yaml"
    yield "--config", "config=below/../tiny.yaml"
    yield "--config", f"config={folder / 'tiny.yaml'}"
    yield "--config", f"config={folder.parent / 'link' / 'tiny.yaml'}"
    yield "--config", "config=link.yaml"
    yield "--config", "config=wrapper.yaml"
    yield "--configfile", "tiny.yaml"
    yield "--configfile", str(folder / "tiny.yaml")


def test_a_finished_grid_has_nothing_to_do_under_every_spelling(folder):
    for words in spellings(folder):
        assert UP_TO_DATE in plan(folder, *words), words


def test_snakemakes_own_option_names_the_same_grid(folder):
    assert UP_TO_DATE in plan(folder, "--configfile", str(folder / "tiny.yaml"))


def test_a_moved_folder_has_nothing_to_do(folder, monkeypatch):
    moved = folder.parent / "another (place) with+signs, 'quotes' and ünicode"
    monkeypatch.chdir(folder.parent)
    folder.rename(moved)
    assert UP_TO_DATE in plan(moved, "--config", "config=tiny.yaml")


def test_another_working_folder_has_nothing_to_do(folder, tmp_path):
    places = {name: str(folder / name) for name in ("results", "scratch")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = tiny_config(elsewhere, **places)
    assert UP_TO_DATE in plan(elsewhere, "--config", f"config={config}")
    assert UP_TO_DATE in plan(tmp_path, "--config", "config=elsewhere/tiny.yaml")


def test_what_is_drawn_from_is_no_reason_to_train(folder, tmp_path):
    shutil.copytree(folder / "results/tiny/bundle", tmp_path / "bundle")
    for words in (
        ["partial=1"],
        [f"bundle={tmp_path / 'bundle'}"],
        ["bundle=./results/tiny/bundle"],
    ):
        planned = plan(folder, "--config", "config=tiny.yaml", *words)
        assert not any(f"\n{rule}: " in planned for rule in ("train", "evaluate", "base", "pool"))
    # The bundle's files are the same, wherever it lies.
    assert UP_TO_DATE in plan(folder, "--config", "config=tiny.yaml", "bundle=results/tiny/bundle/")


def test_snakemakes_notes_of_another_spelling_count_for_nothing(tmp_path):
    """With notes, of jobs that Snakemake ran: parameters, inputs, code. In a folder of any name."""
    tmp_path = tmp_path / "a (strange) place+, with 'quotes', \"others\", $HOME and ünicode"
    tmp_path.mkdir()
    config = tiny_config(tmp_path, results="re sults+(1)", scratch="$scratch 'ü'")
    done = snakemake(
        tmp_path, "--config", "config=tiny.yaml", "--", "build_tokenizer", "build_pool"
    )
    assert done.returncode == 0, done.stderr
    for words in (
        ["--profile", "none", "--config", "config=./tiny.yaml"],
        ["--configfile", config],
    ):
        target = (*map(str, words), "--", "build_tokenizer", "build_pool")
        assert UP_TO_DATE in plan(tmp_path, *target), words
    changed = yaml.safe_load(config.read_text())
    changed["world"]["seed"] = 7
    config.write_text(yaml.safe_dump(changed))
    planned = plan(
        tmp_path, "--config", "config=./tiny.yaml", "--", "build_tokenizer", "build_pool"
    )
    assert "pool: every split" in planned
    assert "Job 0: tokenizer" not in planned
