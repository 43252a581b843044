"""The command line: help that teaches, errors as one sentence, every rule's action by hand."""

import re
import subprocess
import sys
from dataclasses import fields

import pytest
from synthetic import grid_in, write_cell
from tiny import tiny_config
from typer.testing import CliRunner

from reassess.cli.main import act, app
from reassess.core.manifest import ROOT
from reassess.grid.study import Grid
from reassess.workflow.jobs import JOBS

ACTIONS = sorted(
    {
        name
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for name in re.findall(r"reassess job ([a-z-]+) ", path.read_text())
    }
)


def say(*words):
    return CliRunner().invoke(app, list(words))


def test_the_help_names_every_action_of_a_rule_and_says_what_it_does():
    text = say("job", "--help").output
    assert {job.command() for job in JOBS} == set(ACTIONS)
    for job in JOBS:
        assert job.command() in text
        helped = say("job", job.command(), "--help")
        assert helped.exit_code == 0
        for field in fields(job.key):
            assert field.metadata["help"].split()[0] in helped.output
            assert f"--{field.name}" in helped.output


def test_an_error_is_one_sentence_and_an_exit_code(tmp_path, capsys):
    config = tiny_config(tmp_path)
    assert (
        act(["train", "--cell", "llava-w32/same-family/12/sftt/seed1", "--config", str(config)])
        == 1
    )
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert "did you mean 'llava-w32/same-family/12/sft/seed1'" in printed
    assert "Traceback" not in printed
    assert act(["check", "--config", str(tmp_path / "nothing.yaml")]) == 1
    assert "nothing.yaml" in capsys.readouterr().err
    assert act(["cells", "--study", "capacty"]) == 1
    assert "did you mean 'capacity'" in capsys.readouterr().err


def test_cells_are_listed_with_their_state(tmp_path, capsys, monkeypatch):
    grid = grid_in(tmp_path)
    cell = next(cell for cell in grid.cells.values() if cell.arm == "sft")
    write_cell(grid, cell, 0.5)
    monkeypatch.setattr(Grid, "load", lambda _: grid)
    assert act(["cells"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(grid.cells)
    assert f"done      {cell.id}" in lines
    assert sum(line.startswith("to do") for line in lines) == len(lines) - 1
    assert act(["cells", "--study", "controls"]) == 0
    assert {line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.strip()} == {
        cell.id for cell in grid.study_cells["controls"]
    }


def test_a_check_says_how_large_a_grid_is():
    found = say("check", "--config", str(ROOT / "config.yaml"))
    assert re.search(r"valid: \d+ cells evaluated, \d+ trained", found.output)


@pytest.mark.parametrize("words", [["methods"], ["schema"]])
def test_actions_that_only_say_something(words, capsys):
    act(words)
    assert len(capsys.readouterr().out) > 100


def test_an_unknown_benchmark_of_speed_is_named():
    assert act(["bench", "--only", "stf"]) == 1


def test_the_command_starts_without_the_heavy_packages():
    code = "import sys, reassess.cli.main, reassess.grid.study; print([name for name in ('torch', 'transformers', 'lm_eval', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
