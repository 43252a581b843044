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
from filelock import FileLock

ROUNDS = int(os.environ.get("REASSESS_CHAOS_ROUNDS", "50"))
SEED = int(os.environ.get("REASSESS_CHAOS_SEED", "13"))


@pytest.fixture(scope="session")
def before(tmp_path_factory):
    """The folder that rounds are copied from, and the weights of a run that nobody disturbs.

    The first of pytest's processes makes them; the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, found = shared / "prepared", shared / "weights.json"
    with FileLock(shared / "prepared.lock"):
        if not found.is_file():
            folder.mkdir()
            prepare(folder)
            shutil.copytree(folder, shared / "undisturbed", symlinks=True)
            done = finish(shared / "undisturbed")
            assert done.returncode == 0, done.stdout + done.stderr
            found.write_text(json.dumps(weights(shared / "undisturbed")))
    return folder, json.loads(found.read_text())


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_kill_at_a_random_moment_loses_nothing(number, before, tmp_path):
    prepared, expected = before
    plan = Plan.of(SEED * 1000 + number)
    outcome = play(plan, prepared, tmp_path / "round", expected)
    if record := os.environ.get("REASSESS_CHAOS_RECORD"):
        with Path(record).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(outcome.as_row()) + "\n")
    assert not outcome.lost, f"{plan}\n{outcome.lost}\n{outcome.output[-6000:]}"
    shutil.rmtree(tmp_path / "round")
