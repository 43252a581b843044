"""The paper's grid on stand-ins: every one of its rules runs here, from download to report."""

import re
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
from processes import PATIENCE, complete_checkpoints, files_below, wait_until

from reassess.bundles.archive import pack
from reassess.core.files import read_json
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.verify import verify_contents
from reassess.worlds.hub.testing.data_sets import ROWS

REASSESS = [sys.executable, "-m", "reassess.cli.entry"]
RUN = [*REASSESS, "run", "--config", "config/stand-in.yaml"]
DRY_RUN = f"--snakefile {ROOT / 'Snakefile'} --cores 1 --dry-run --quiet rules".split()
PLAN = [sys.executable, "-m", "snakemake", *DRY_RUN]


def training(folder, config, cell):
    """The command line and the process's settings for training one cell."""
    command = [*REASSESS, "train", "--cell", cell, "--config", str(config.relative_to(folder))]
    return {"args": command, "cwd": folder, "text": True}


def rules_of(text):
    return set(re.findall(r"^(\w+) +\d+$", text, re.MULTILINE)) - {"total"}


@pytest.mark.slow
def test_the_papers_grid_is_planned_by_its_config_file(tmp_path):
    """By the option that users of Snakemake know: its own --configfile."""
    done = subprocess.run(
        [*PLAN, "--configfile", str(ROOT / "config/paper.yaml"), "--", "cells"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    grid = Grid.load(ROOT / "config/paper.yaml")
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert int(counts["train"]) == len(grid.trained)
    assert int(counts["evaluate"]) == len(grid.cells)
    assert int(counts["sample_shard"]) == 32


def test_the_stand_in_has_every_rule_and_every_arm_of_the_paper():
    paper, stand_in = (Grid.load(ROOT / f"config/{name}.yaml") for name in ("paper", "stand-in"))
    assert paper.config.studies.keys() == stand_in.config.studies.keys()
    assert {cell.arm for cell in paper.trained.values()} == {
        cell.arm for cell in stand_in.trained.values()
    }
    assert {cell.distribution for cell in paper.cells.values()} == {
        cell.distribution for cell in stand_in.cells.values()
    }
    assert list(paper.benchmarks) == list(stand_in.benchmarks)
    for name, settings in paper.arms.items():
        assert type(settings.settings) is type(stand_in.arms[name].settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stand-in")
    shutil.copytree(ROOT / "config", folder / "config")
    done = subprocess.run(RUN, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_rule_of_the_paper_runs(finished):
    paper = subprocess.run(
        [*PLAN, "--config", "config=config/paper.yaml"], cwd=ROOT, capture_output=True, text=True
    )
    logs = {path.stem for path in (finished / "scratch/stand-in/logs").iterdir()}
    assert rules_of(paper.stdout) - {"all"} <= logs
    assert (finished / "results/stand-in/report.html").is_file()


@pytest.mark.slow
def test_it_leaves_what_the_paper_grid_would(finished):
    grid = Grid.load(ROOT / "config/stand-in.yaml")
    results = finished / "results/stand-in"
    manifests = pd.read_parquet(results / "bundle/manifests.parquet")
    assert set(manifests["status"]) == {"done"}
    assert set(manifests["cell"]) == set(grid.cells)
    scores = pd.read_parquet(results / "bundle/scores.parquet")
    assert set(scores["benchmark"]) == set(grid.benchmarks)
    items = grid.config.world.benchmark_items * len(grid.benchmarks)
    assert set(scores.groupby("cell", observed=True).size()) == {items}
    traces = read_json(results / "traces/qwen-vl/same-family.json")
    assert traces["prompts"] == 120
    assert 0.5 < traces["yield"] <= 1
    assert traces["tokens"] > 0
    rows = {
        name: pd.read_parquet(results / f"rows/qwen-vl/{name}.parquet")["id"].tolist()
        for name in grid.config.distributions
    }
    assert rows["same-family"] == rows["same-family-7b"]
    assert len(rows["foreign"]) == ROWS
    run = read_json(results / "cells/qwen2-vl-2b/same-family/16/grpo/seed1/train.json")
    # One pass over 16 prompts: two rollout batches of 8, two updates on each.
    assert run["updates"] == 2 * 2
    assert run["samples"] == 32
    history = pd.read_parquet(
        results / "cells/qwen2-vl-2b/same-family/16/grpo/seed1/history.parquet"
    )
    assert {"reward", "probe_accuracy", "loss"} <= set(history["metric"])


@pytest.mark.slow
def test_its_bundle_is_consistent(finished, tmp_path):
    pack(finished / "results/stand-in/bundle", tmp_path / "study.zip")
    report = verify_contents(tmp_path / "study.zip", trust=True)
    assert (report.differences, report.unchecked) == ([], [])
    assert any("this world's pool is not generated" in note for note in report.notes)


@pytest.mark.slow
def test_the_report_explains_stand_ins_and_shows_hours_beside_the_estimate(finished):
    page = (finished / "results/stand-in/report.html").read_text()
    assert "These are stand-ins" in page
    assert "micro world" not in page
    costs = pd.read_csv(finished / "results/stand-in/tables/costs.csv").set_index("rule")
    assert set(costs.index) == {"sample_shard", "train", "evaluate"}
    grid = Grid.load(ROOT / "config/stand-in.yaml")
    assert costs["finished jobs"].tolist() == [2, len(grid.trained), len(grid.cells)]
    assert (costs["estimated, h"] > 0).all()
    # Of a fast machine these may be rounded to 0.
    assert (costs[["measured, h", "measured / estimated"]] >= 0).all(axis=None)


@pytest.mark.slow
def test_a_model_of_two_processes_is_trained_by_two_and_as_by_one(finished):
    """The launcher itself: the called process locks and reports, its workers share an update's rows."""
    losses = {}
    for processes in (2, 1):
        config = finished / f"config/by-{processes}.yaml"
        config.write_text(
            "extends: stand-in.yaml\nseeds: [9]\n"
            f"models: {{qwen2-vl-2b: {{gpus: {processes}, micro_batch: 4}}}}\n"
        )
        cell = "qwen2-vl-2b/same-family/16/sft/seed9"
        done = subprocess.run(**training(finished, config, cell), capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        folder = finished / "results/stand-in/cells" / cell
        manifest = read_json(folder / "train.json")
        assert (manifest["layout"]["processes"], manifest["samples"]) == (processes, 48)
        history = pd.read_parquet(folder / "history.parquet")
        losses[processes] = history[history["metric"] == "loss"]["value"].tolist()
        assert (finished / "scratch/stand-in/checkpoints" / cell / "model.safetensors").is_file()
        shutil.rmtree(folder)
    assert len(losses[1]) == 3
    assert losses[2] == pytest.approx(losses[1], abs=2e-4)


@pytest.mark.slow
def test_a_job_of_two_processes_saves_once_on_a_signal_and_resumes(finished):
    """The launching process gets the signal; its workers stop at the same update and exit with 75."""
    config = finished / "config/stopped.yaml"
    config.write_text(
        "extends: stand-in.yaml\nseeds: [8]\nmodels: {qwen2-vl-2b: {gpus: 2, micro_batch: 4}}\n"
        "methods: {sft: {epochs: null, max_steps: 80, save_every: 1000, probe_every: 1000}}\n"
    )
    cell = "qwen2-vl-2b/same-family/16/sft/seed8"
    work = finished / "scratch/stand-in/trainer" / cell
    command = training(finished, config, cell)
    job = subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(
        lambda: (work / "heartbeat.json").is_file() or job.poll() is not None,
        "the first update",
        lambda: files_below(finished),
    )
    job.send_signal(signal.SIGTERM)
    output, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 75, output
    assert len(complete_checkpoints(work)) == 1
    assert not (finished / "results/stand-in/cells" / cell / "failed.json").exists()
    done = subprocess.run(**command, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = read_json(finished / "results/stand-in/cells" / cell / "train.json")
    assert (manifest["resumed"], manifest["updates"], manifest["samples"]) == (True, 80, 80 * 16)


@pytest.mark.slow
def test_a_finished_stand_in_has_nothing_to_do(finished):
    done = subprocess.run(RUN, cwd=finished, capture_output=True, text=True)
    assert "up to date" in done.stdout, done.stdout + done.stderr
