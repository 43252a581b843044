"""The command line: help that teaches, errors as one sentence, every rule's action by hand."""

import json
import re
import subprocess
import sys
from dataclasses import fields

import jsonschema
import pytest
import yaml
from synthetic import grid_in, make_bundle, write_cell
from tiny import tiny_config
from typer.testing import CliRunner

from reassess.cli.main import act, app
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.methods import discover
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


def test_the_methods_are_listed_with_source_settings_and_deviations(capsys):
    assert act(["grid", "methods"]) == 0
    printed = capsys.readouterr().out
    for name, method in discover().items():
        assert f"{name} (version {method.version}, {method.kind})" in printed
        assert method.citation in printed
        for text in (*method.deviations, *method.Settings.model_fields):
            assert text in printed


def test_the_schema_that_is_printed_accepts_the_shipped_configs(capsys):
    assert act(["grid", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    for path in (ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))):
        if path.name != "pins.yaml":
            jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"grid": "micro", "seedz": [1]}, schema)


# What README showed before the commands were grouped.
FORMER = [
    "run",
    "check",
    "plan",
    "cells",
    "status",
    "track",
    "methods",
    "schema",
    "doctor",
    "bench",
    "pin",
    "fetch",
    "build-pool",
    "build-tokenizer",
    "build-base",
    "build-teacher",
    "sample-shard",
    "gather-traces",
    "freeze-rows",
    "prepare-rows",
    "train",
    "evaluate",
    "judge",
    "collect",
    "draw-figures",
    "tabulate",
    "test-claims",
    "bundle",
    "figures",
    "merge",
    "verify",
]


@pytest.mark.parametrize("command", FORMER)
def test_former_spellings_still_work(command):
    shown = say(command, "--help")
    assert shown.exit_code == 0, shown.output


@pytest.mark.slow
def test_the_former_spelling_of_packing_still_packs(tmp_path):
    grid = make_bundle(tmp_path)
    archive = tmp_path / "study.zip"
    done = say("bundle", "--bundle", str(grid.paths.bundle), "--out", str(archive))
    assert done.exit_code == 0, done.output
    assert archive.is_file()


def test_an_unknown_benchmark_of_speed_is_named():
    assert act(["bench", "--only", "stf"]) == 1


def test_the_command_starts_without_the_heavy_packages():
    code = "import sys, reassess.cli.main, reassess.grid.study; print([name for name in ('torch', 'transformers', 'lm_eval', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
