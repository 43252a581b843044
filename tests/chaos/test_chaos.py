"""Random kills: `make test-chaos`.

Rounds and seed come from the environment: REASSESS_CHAOS_ROUNDS, REASSESS_CHAOS_SEED. Each round
appends its outcome to the file that REASSESS_CHAOS_RECORD names, one JSON object a line.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from chaos import Plan, finish, play, prepare, weights

ROUNDS = int(os.environ.get("REASSESS_CHAOS_ROUNDS", "50"))
SEED = int(os.environ.get("REASSESS_CHAOS_SEED", "13"))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture(scope="session")
def expected(prepared, tmp_path_factory):
    """The weights of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    shutil.copytree(prepared, folder, symlinks=True)
    done = finish(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return weights(folder)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_kill_at_a_random_moment_loses_nothing(number, prepared, expected, tmp_path):
    plan = Plan.of(SEED * 1000 + number)
    outcome = play(plan, prepared, tmp_path / "round", expected)
    if record := os.environ.get("REASSESS_CHAOS_RECORD"):
        with Path(record).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(outcome.as_row()) + "\n")
    assert not outcome.lost, f"{plan}\n{outcome.lost}\n{outcome.output[-6000:]}"
    shutil.rmtree(tmp_path / "round")
