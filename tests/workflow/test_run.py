"""Whole small runs through the real rules: to the report, again, killed, failed, locked."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from processes import complete_checkpoints, files_below, trainers_in, wait_for_end, wait_until
from tiny import SFT, tiny_config

from reassess.bundles.archive import pack
from reassess.bundles.checksums import write_sums
from reassess.core.files import read_json, sha256_file
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.verify import verify_scores, verify_train

pytestmark = pytest.mark.slow
RUN = [sys.executable, "-m", "reassess.cli.entry", "run", "--config", "tiny.yaml"]


def run(folder, *words):
    return subprocess.run([*RUN, *words], cwd=folder, capture_output=True, text=True)


def weights(folder):
    grid = Grid.load(folder / "tiny.yaml")
    manifests = {
        cell: folder / grid.paths.train_manifest(grid.cell(cell).id) for cell in grid.trained
    }
    return {cell: read_json(path)["weights_hash"] for cell, path in manifests.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tiny_config(folder, methods=["base", "sft", "grpo"])
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


def test_one_command_goes_from_nothing_to_the_report(finished):
    folder, done = finished
    assert "cells    3 of 3 done" in done.stdout
    for name in (
        "figures/capacity.svg",
        "figures/reward.pdf",
        "tables/main.html",
        "claims.json",
        "report.html",
        "bundle/scores.parquet",
    ):
        assert (folder / "results/tiny" / name).stat().st_size > 0, name
    report = (folder / "results/tiny/report.html").read_text()
    assert "Capacity. Left: accuracy" in report


def test_progress_can_be_followed_and_holds_no_control_characters_in_a_pipe(finished):
    _, done = finished
    assert "cells: 3 of 3 done, 0 running, 0 failed" in done.stderr
    assert "gone, " in done.stderr
    assert "\033" not in done.stderr
    assert "\r" not in done.stderr


def test_a_finished_grid_has_nothing_to_do(finished):
    folder, _ = finished
    before = times_of_results(folder)
    done = run(folder)
    assert done.returncode == 0
    assert "everything is up to date" in done.stdout
    assert times_of_results(folder) == before


def test_a_lost_figure_is_drawn_again_and_nothing_else_is_made(finished, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder, symlinks=True)
    lost = folder / "results/tiny/figures/capacity.svg"
    before = times_of_results(folder)
    content = lost.read_bytes()
    lost.unlink()
    assert run(folder).returncode == 0
    assert lost.read_bytes() == content
    after = times_of_results(folder)
    changed = {path for path in before if after[path] != before[path]}
    assert {path.stem for path in changed} <= {"capacity", "report"}


def times_of_results(folder):
    """The times of all results; records are notes, which follow the times of what they name."""
    return {
        path: path.stat().st_mtime_ns
        for path in (folder / "results").rglob("*")
        if path.is_file() and "records" not in path.parts
    }


def test_the_same_grid_elsewhere_has_the_same_weights_scores_and_figures(finished, tmp_path):
    folder, _ = finished
    shutil.copy(folder / "tiny.yaml", tmp_path)
    # In a process of its own for each job, without the warm server: that must not change a bit either.
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(Grid.__module__ and _snakefile()),
        "--cores",
        "2",
    ]
    done = subprocess.run(
        [*command, "--config", "config=tiny.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path) == weights(folder)
    for name in ("bundle/scores.parquet", "figures/capacity.svg", "figures/capacity.png"):
        assert sha256_file(tmp_path / "results/tiny" / name) == sha256_file(
            folder / "results/tiny" / name
        ), name


def _snakefile():
    from reassess.core.project import ROOT

    return ROOT / "Snakefile"


def test_a_changed_spec_trains_that_cell_again_and_no_other(finished, tmp_path):
    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    grid = Grid.load(copy / "tiny.yaml")
    manifests = {
        cell: copy / grid.paths.train_manifest(grid.cell(cell).id) for cell in grid.trained
    }
    before = {cell: path.read_text() for cell, path in manifests.items()}
    config = yaml.safe_load((copy / "tiny.yaml").read_text())
    config["methods"]["grpo"]["max_steps"] += 1
    (copy / "tiny.yaml").write_text(yaml.safe_dump(config))
    done = run(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    changed = {cell for cell, path in manifests.items() if path.read_text() != before[cell]}
    assert changed == {"llava-w32/same-family/12/grpo/seed1"}
    assert read_json(manifests[changed.pop()])["updates"] == config["methods"]["grpo"]["max_steps"]


def test_a_failed_cell_is_reported_and_the_rest_is_drawn(tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "broken.py").write_text(
        "from reassess.methods.sft import Sft\n\n\nclass Broken(Sft):\n    '''Fails.'''\n\n    name = 'broken'\n    citation = 'a test'\n\n"
        "    def fit(self, run):\n        raise RuntimeError('out of luck')\n"
    )
    tiny_config(tmp_path, methods=["base", "broken"], plugins=[plugins])
    done = run(tmp_path)
    assert done.returncode != 0
    assert "FAILED: train llava-w32/same-family/12/broken/seed1" in done.stderr
    assert "out of luck" in done.stderr
    assert "failed: llava-w32/same-family/12/broken/seed1" in done.stdout
    table = (tmp_path / "results/tiny/tables/cells.md").read_text()
    assert "failed | RuntimeError: out of luck" in table
    assert (tmp_path / "results/tiny/report.html").is_file()


@pytest.mark.parametrize("victim", ["job", "snakemake"])
def test_killed_and_run_again_the_weights_are_those_of_an_undisturbed_run(
    tmp_path, victim, monkeypatch
):
    """kill -9 in the middle of SFT, of the job or of everything; then the same command again."""
    settings = {"sft": {**SFT, "max_steps": 600, "save_every": 20, "probe_every": 600}}
    folder = tmp_path / "run"
    folder.mkdir()
    tiny_config(folder, methods=["sft"], settings=settings)
    quiet = tmp_path / "undisturbed"
    quiet.mkdir()
    shutil.copy(folder / "tiny.yaml", quiet)
    target = "results/tiny/cells/llava-w32/same-family/12/sft/seed1/scores.json"
    process = subprocess.Popen(
        [*RUN, target],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    work = folder / "scratch/tiny/trainer/llava-w32/same-family/12/sft/seed1"
    progress = lambda: files_below(folder)  # noqa: E731
    wait_until(lambda: complete_checkpoints(work), "the first trainer checkpoint", progress)
    if victim == "job":
        mine = trainers_in(folder)
        assert mine
        for pid in mine:
            os.kill(pid, signal.SIGKILL)
        assert wait_for_end(process, "the end of the run", progress=progress) != 0
    else:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    again = run(folder, target)
    assert again.returncode == 0, again.stdout + again.stderr
    assert run(quiet, target).returncode == 0
    cell = Grid.load(folder / "tiny.yaml").cell("llava-w32/same-family/12/sft/seed1")
    manifest = read_json(folder / "results/tiny/cells" / cell.id / "train.json")
    assert weights(folder) == weights(quiet)
    assert manifest["resumed"] is True
    assert (
        json.loads((quiet / "results/tiny/cells" / cell.id / "train.json").read_text())["resumed"]
        is False
    )
    monkeypatch.chdir(folder)
    assert state_of(Grid.load(folder / "tiny.yaml"), cell) == "done"


def test_training_again_gives_the_weights_of_the_bundle(finished, tmp_path):
    """From nothing but the archive; then, with one update of the stored history planted, the weights and that update are named."""
    folder, _ = finished
    archive = tmp_path / "study.zip"
    pack(folder / "results/tiny/bundle", archive)
    again = verify_train(archive, [], keep=tmp_path / "again")
    assert again.differences == []
    assert any("the same weights, bit by bit" in note for note in again.notes)
    assert verify_scores(archive).differences == []
    curve = {"history": ("value", lambda value: value + 1e-6)}
    weights = {
        "manifests": (
            "manifest",
            lambda text: text.replace('"weights_hash":"', '"weights_hash":"0'),
        )
    }
    for name, planted in (("curve", curve), ("weights", {**weights, **curve})):
        shutil.copytree(folder / "results/tiny/bundle", tmp_path / name / "bundle")
        for table, (column, change) in planted.items():
            path = tmp_path / name / f"bundle/{table}.parquet"
            frame = pd.read_parquet(path)
            chosen = frame["method"] == "sft"
            if table == "history":
                chosen &= (frame["metric"] == "loss") & (frame["step"] == 4)
            assert chosen.any()
            frame.loc[chosen, column] = frame.loc[chosen, column].map(change)
            frame.to_parquet(path, index=False)
        write_sums(tmp_path / name)
    (found,) = verify_train(tmp_path / "curve", [], keep=tmp_path / "again").differences
    assert "loss differs from update 4 " in found
    found = verify_train(tmp_path / "weights", [], keep=tmp_path / "again").differences
    assert "other weights" in found[0]
    assert "loss differs from update 4 " in found[1] and len(found) == 2


def test_a_second_run_of_the_same_grid_is_refused(finished):
    folder, _ = finished
    import fcntl

    with (folder / "scratch/tiny/run.lock").open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = run(folder)
    assert done.returncode == 1
    assert "tiny" in done.stderr and "is being run" in done.stderr
