"""Files are complete or absent; locks end with their holder; states are read from files."""

import errno
import fcntl
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from synthetic import grid_in, write_cell

from reassess.cluster.environment import examine, pins
from reassess.cluster.finding import Finding
from reassess.core import files
from reassess.core.errors import ReassessError, nearest
from reassess.core.files import read_json, write_json
from reassess.core.locks import exclusive, is_held, refused_if_held
from reassess.core.manifest import Manifest
from reassess.core.project import ROOT
from reassess.grid.state import recording_failure, state_of
from reassess.training.flops import FlopsModel
from reassess.training.rejection_sampling import shortest_correct
from reassess.verifier import grade


def test_a_full_disk_leaves_the_old_file_and_no_half_of_a_new_one(tmp_path, monkeypatch):
    path = tmp_path / "train.json"
    write_json(path, {"old": 1})

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ReassessError, match=r"train.json.*No space left on device"):
        write_json(path, {"new": 2})
    assert read_json(path) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["train.json"]


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ReassessError, match=r"a.json.*JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ReassessError, match=r"missing.*b.json"):
        read_json(tmp_path / "b.json")


def test_states(tmp_path):
    grid = grid_in(tmp_path)
    cell = grid.cell("llava-w32/same-family/2000/sft/seed1")
    assert state_of(grid, cell) == "to do"
    grid.paths.work(cell.id).mkdir(parents=True)
    assert state_of(grid, cell) == "started"
    write_cell(grid, cell, 0.5)
    assert state_of(grid, cell) == "done"
    write_json(grid.paths.scores(cell.id), {"spec_hash": "other"})
    assert state_of(grid, cell) == "stale"
    (grid.paths.scores(cell.id)).unlink()
    assert state_of(grid, cell) == "trained"
    with pytest.raises(ValueError, match="boom"), recording_failure(grid, cell, "evaluate"):
        raise ValueError("boom")
    assert state_of(grid, cell) == "failed"
    assert read_json(grid.paths.failure(cell.id))["error"] == "ValueError: boom"
    with recording_failure(grid, cell, "evaluate"):
        pass
    assert state_of(grid, cell) == "trained"


def hold(path, held, how):
    with exclusive(path) if how == "exclusive" else refused_if_held(path, "grid 'a'"):
        held.set()
        time.sleep(600)


@pytest.fixture
def holder():
    """A function that starts a process which holds a lock, and returns it."""
    context = multiprocessing.get_context("fork")
    processes = []

    def start(path, how="exclusive"):
        held = context.Event()
        processes.append(context.Process(target=hold, args=(path, held, how)))
        processes[-1].start()
        assert held.wait(60)
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.join()


def test_a_lock_ends_with_its_holder(tmp_path, holder):
    path = tmp_path / "lock"
    process = holder(path)
    assert is_held(path)
    process.kill()
    process.join()
    assert not is_held(path)
    with exclusive(path):
        assert is_held(path)


def test_waiting_for_a_lock_is_reported(tmp_path, holder):
    path = tmp_path / "lock"
    process = holder(path)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from reassess.core.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    print('mine')\n"
    )
    waiting = subprocess.Popen(
        [sys.executable, "-c", code, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    report = waiting.stderr.readline()
    assert str(path) in report and "waiting" in report
    process.kill()
    out, _ = waiting.communicate()
    assert out == "mine\n"


def test_a_lock_that_is_held_is_refused_and_its_holder_named(tmp_path, holder):
    path = tmp_path / "run.lock"
    process = holder(path, "refused_if_held")
    with pytest.raises(ReassessError) as caught, refused_if_held(path, "grid 'a'"):
        pass
    assert "grid 'a'" in str(caught.value) and str(process.pid) in str(caught.value)
    process.kill()
    process.join()
    with refused_if_held(path, "grid 'a'"):
        assert path.read_text().split()[0] == str(os.getpid())


def test_looking_at_a_lock_leaves_no_trace(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    assert not path.exists()
    path.write_text("7")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # another process that looks
        assert not is_held(path)
    assert path.read_text() == "7"


@pytest.mark.parametrize("lock", [exclusive, lambda path: refused_if_held(path, "grid 'a'")])
def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch, lock):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(ReassessError) as caught, lock(tmp_path / "lock"):
        pass
    for fact in (str(tmp_path / "lock"), "No locks available", "flock", "scratch:"):
        assert fact in str(caught.value)


@pytest.mark.slow
def test_the_doctor_finds_this_environment_fine_and_names_a_wrong_one(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    findings = {finding.what.split()[0]: finding for finding in examine(ROOT)}
    assert findings["Python"].fine
    assert any("packages" in finding.what for finding in findings.values())
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    wrong = [finding for finding in examine(tmp_path) if not finding.fine]
    assert any("OMP_NUM_THREADS is 8" in finding.line() for finding in wrong)
    assert any("git checkout" in finding.what for finding in wrong)
    line = Finding("a check", False, "a fix").line()
    assert "a check" in line and "a fix" in line
    assert pins(ROOT / "envs" / "base.txt")["trl"] == "1.16.0"


def test_the_shortest_correct_trace_is_kept():
    long, short, wrong = (
        "a 0 b 0 c 0 d 1. Answer: 1",
        "a 0 b 0 c 1. Answer: 1",
        "a 0 b 0 c 2. Answer: 2",
    )
    texts = [long, wrong, short]
    assert shortest_correct(texts, [9, 7, 7], [grade(text, "1") for text in texts]) == short
    unreasoned = [wrong, "Answer: 1"]  # right, but without reasoning
    verdicts = [grade(text, "1") for text in unreasoned]
    assert shortest_correct(unreasoned, [7, 3], verdicts) is None


def test_flops_are_those_of_a_count_by_hand():
    tower = {"tower_layers": 1, "windowed_layers": 3, "window": 4, "tower_width": 6}
    model = FlopsModel(body=100, head=10, tower=7, layers=2, width=4, **tower)
    language = 2 * 100 * 5 + 2 * 10 * 2 + 2 * 2 * 4 * (3 * 3 + 2 * 2)
    # Nine patches: one layer in which each sees all nine, three in which each sees its window of four.
    vision = 2 * 7 * 9 + 4 * 6 * 9 * 9 + 3 * 4 * 6 * 9 * 4
    assert model.forward([3, 2], scored=2, patches=[9]) == language + vision
    assert model.training([3, 2], 2, [9]) == 3 * (language + vision)
    assert replace(model, frozen_tower=True).training([3, 2], 2, [9]) == 3 * language + vision
    # Two completions of one prompt: the prompt once, then each new token with what stands before it.
    prompt = 2 * 100 * 3 + 2 * 10 * 1 + 2 * 2 * 4 * 9 + vision
    decode = sum(2 * 110 * n + 2 * 2 * 4 * ((3 + n) ** 2 - 9) for n in (4, 1))
    assert model.rollout([3, 3], [4, 1], group=2, patches=[9]) == prompt + decode


def test_a_manifest_has_the_environment_in_it():
    manifest = Manifest("train", {"a": 1}, "hash")
    manifest.add(rows=3)
    closed = manifest.close()
    assert closed["rows"] == 3
    assert closed["versions"]["torch"].startswith("2.13.0")
    assert len(closed["lock_hash"]) == 64
    assert closed["seconds"] >= 0
    assert set(closed["hardware"]) >= {"machine", "cores", "memory_mb", "accelerators"}


def test_the_nearest_name_is_offered_only_if_it_is_near():
    assert nearest("stf", ["sft", "grpo"]) == "; did you mean 'sft'?"
    assert nearest("zzz", ["sft", "grpo"]) == ""
