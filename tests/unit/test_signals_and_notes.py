"""Signals that Snakemake forwards, its notes on incomplete files, and how GPUs are requested."""

import signal
import subprocess
import sys
import time

import psutil
import pytest
from processes import PATIENCE
from snakemake.persistence.file import FilePersistence
from synthetic import grid_in, write_cell

from reassess.core.files import write_json, write_text
from reassess.workflow import signals
from reassess.workflow.notes import forget_interruption, note_of
from reassess.workflow.resources import gpu_option, gres_option

CELL = "llava-w32/same-family/2000/sft/seed1"


def test_notes_are_where_snakemake_puts_them(tmp_path, monkeypatch):
    """Compared with Snakemake's own rule, for short and long names."""
    monkeypatch.setattr(FilePersistence, "__init__", lambda self: setattr(self, "_max_len", None))
    theirs = FilePersistence()
    for length in (5, 120, 190, 400, 900):
        path = tmp_path.relative_to("/") / ("x" * length)
        assert str(note_of(tmp_path, path)) == theirs._record_path(str(tmp_path), str(path))


def test_a_finished_cell_is_not_made_again_because_snakemake_was_killed(tmp_path):
    grid = grid_in(tmp_path)
    cell, records = grid.cell(CELL), tmp_path / "incomplete"
    forget_interruption(grid, records)  # nothing there: nothing to do
    records.mkdir()
    write_cell(grid, cell, 0.5)
    grid.checkpoint(cell).mkdir(parents=True)
    folder = grid.paths.cell(cell.id)
    write_json(folder / "train.json", {"spec_hash": grid.specs.train_hash(cell)})
    trained = [folder / "train.json", folder / "history.parquet", grid.checkpoint(cell)]
    scored = [folder / "scores.json", folder / "predictions.parquet"]
    other = grid.paths.train_manifest(grid.cell("llava-w32/same-family/2000/grpo/seed1").id)

    def note():
        for path in (*trained, *scored, other):
            write_text(note_of(records, path), "{}")

    def noted(*paths):
        return [note_of(records, path).is_file() for path in paths]

    note()
    forget_interruption(grid, records)
    assert noted(*trained, *scored) == [False] * 5
    assert noted(other) == [True]  # it never finished
    write_json(folder / "train.json", {"spec_hash": "another"})
    (folder / "predictions.parquet").unlink()
    note()
    forget_interruption(grid, records)
    assert noted(*trained, *scored) == [True] * 5


def test_gpus_are_requested_in_one_of_two_ways(monkeypatch):
    monkeypatch.delenv("REASSESS_GRES", raising=False)
    assert (gpu_option(2), gres_option(2)) == (2, "")
    monkeypatch.setenv("REASSESS_GRES", "gpu:h200")
    assert (gpu_option(2), gres_option(2)) == (0, "gpu:h200:2")
    assert (gpu_option(0), gres_option(0)) == (0, "")


TRAINER = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *a: sys.exit(7)); print('ready', flush=True); time.sleep(60)"
PARENT = f"""
import signal, subprocess, sys
from reassess.workflow.signals import forward_to_trainers
forward_to_trainers()
signal.signal(signal.SIGTERM, lambda *a: None)  # as Snakemake does: it continues
jobs = [subprocess.Popen([sys.executable, "-c", {TRAINER!r}, *words], stdout=subprocess.PIPE) for words in (["reassess", "train"], ["other"])]
for job in jobs:
    job.stdout.readline()
print("ready", flush=True)
code = jobs[0].wait(timeout=30)
print(code, jobs[1].poll(), flush=True)
jobs[1].kill()
"""


def test_a_signal_to_snakemake_reaches_its_trainers_and_nothing_else():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "7 None\n"
    assert process.wait(timeout=PATIENCE) == 0


def test_a_process_that_has_ended_does_not_stop_the_others_from_being_signalled():
    ended, lives = (subprocess.Popen(["sleep", seconds]) for seconds in ("0", "60"))
    processes = [psutil.Process(one.pid) for one in (ended, lives)]
    ended.wait()
    signals.terminate(processes)
    assert lives.wait(timeout=PATIENCE) == -signal.SIGTERM


BUSY = """
import time
from reassess.workflow import supervision

supervision.LEAVING = {leaving}
with supervision.ending_on_signals(local=True) as end:
    print("ready", flush=True)
    while {condition}:
        time.sleep(0.05)
supervision.os.write(1, b"left")
time.sleep(1)
"""


@pytest.mark.parametrize(
    ("leaving", "condition", "signals_sent", "code", "output"),
    [
        (0.2, "True", 1, 143, ""),  # busy with something that no signal interrupts
        (86400, "True", 2, 143, ""),  # so, until a second one
        (0.5, "end.received is None", 1, 0, "left"),  # it leaves by itself, and lives on
    ],
)
def test_a_run_that_has_nothing_below_it_leaves(leaving, condition, signals_sent, code, output):
    text = BUSY.format(leaving=leaving, condition=condition)
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    if signals_sent == 2:
        time.sleep(1.5)  # within a second it would be the same signal, sent twice
        process.send_signal(signal.SIGTERM)
    assert process.communicate()[0] == output
    assert process.returncode == code
