"""Every discovered method trains on the micro world, reproducibly. New files are covered too."""

import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import steps
import torch
from tiny import tiny_grid

from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.data.pool import read_pool
from reassess.methods import discover
from reassess.training.engine import last_checkpoint
from reassess.training.run import REGISTERED, TrainingRun
from reassess.verifier import grade
from reassess.workflow.jobs.train import training_run

METHODS = discover()
TRAINED = [name for name, method in METHODS.items() if method.kind != "none"]
UNTRAINED = [name for name in METHODS if name not in TRAINED]
PLUGIN = """
from reassess.methods.grpo import Grpo


class Plugin(Grpo):
    '''GRPO from a plug-in folder.'''

    name = "plugin"
    citation = "a test"
"""

MANIFEST = [
    "spec",
    "rows_hash",
    "order_seed",
    "sampling_seed",
    "template_hash",
    "processor_hash",
    "code_commit",
    "lock_hash",
    "versions",
    "hardware",
    "threads",
    "seconds",
    "samples",
    "updates",
    "tokens",
    "flops",
    "peak_memory_mb",
    "resumed",
    "weights_hash",
    "start_weights_hash",
]
HISTORY = [
    "probe_accuracy",
    "probe_format",
    "probe_length",
    "probe_sampled_accuracy",
    "samples",
    "tokens",
    "flops",
    "seconds",
    "loss",
]
RL_HISTORY = [
    "reward",
    "reward_accuracy",
    "reward_format",
    "completion_length",
    "truncated_share",
    "zero_variance_share",
]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Return a grid with a cell of every method, and with what its cells need."""
    folder = tmp_path_factory.mktemp("methods")
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "plugin.py").write_text(PLUGIN)
    grid = tiny_grid(folder, methods=[*METHODS, "plugin"], plugins=[plugins])
    steps.build_before_cells(grid)
    return grid


def cell_of(grid, name):
    return next(cell for cell in grid.cells.values() if cell.arm == name)


def train_start(grid, cell):
    """Train the arm that a cell starts from, if it is one and nobody has done so."""
    start = grid.start(cell)
    if start is not None:
        steps.train(grid, start)


@pytest.mark.parametrize("name", [*TRAINED, pytest.param("plugin", marks=pytest.mark.slow)])
def test_every_method_trains_scores_and_leaves_a_valid_manifest(grid, name):
    cell = cell_of(grid, name)
    train_start(grid, cell)
    steps.train(grid, cell)
    manifest = read_json(grid.paths.train_manifest(cell.id))
    assert manifest["spec_hash"] == grid.specs.train_hash(cell)
    assert [key for key in MANIFEST if key not in manifest] == []
    assert manifest["updates"] == grid.arms[name].settings.updates(cell.size)
    assert min(manifest[key] for key in ("samples", "tokens", "flops")) > 0
    metrics = set(pd.read_parquet(grid.paths.history(cell.id))["metric"])
    assert set(HISTORY) <= metrics
    assert grid.kind(cell) != "rl" or set(RL_HISTORY) <= metrics
    assert not grid.paths.work(cell.id).exists()
    steps.evaluate(grid, cell)
    scores = read_json(grid.paths.scores(cell.id))["benchmarks"]
    assert set(scores) == set(grid.config.evaluation.benchmarks)


def fit(grid, cell, work):
    """Return the weights that a method leaves, and its outcome."""
    run = training_run(grid, cell)
    run.files = replace(run.files, work=work)
    run.load()
    outcome = grid.arms[cell.arm].build().fit(run)
    return run.model.state_dict(), outcome


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_gives_equal_weights_twice_and_when_resumed(grid, tmp_path, name):
    cell = cell_of(grid, name)
    train_start(grid, cell)
    weights, outcome = fit(grid, cell, tmp_path / "first")
    again, _ = fit(grid, cell, tmp_path / "second")
    assert not outcome.resumed
    assert equal(weights, again)
    shutil.rmtree(last_checkpoint(tmp_path / "second"))
    assert last_checkpoint(tmp_path / "second") is not None
    resumed, its_outcome = fit(grid, cell, tmp_path / "second")
    assert its_outcome.resumed
    assert equal(weights, resumed)
    for total in ("samples", "tokens", "flops"):
        assert its_outcome.history.totals[total] == outcome.history.totals[total]


def test_a_resumed_training_records_the_claims_that_stood_when_it_began(grid, monkeypatch):
    cell = cell_of(grid, "sft")
    grid.paths.train_manifest(cell.id).unlink(missing_ok=True)
    first, later = ({"mine": SimpleNamespace(digest=digest)} for digest in ("first", "later"))
    with monkeypatch.context() as killed:
        killed.setattr(grid, "claims", first)
        killed.setattr(TrainingRun, "finish", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            steps.train(grid, cell)
    monkeypatch.setattr(grid, "claims", later)
    steps.train(grid, cell)
    manifest = read_json(grid.paths.train_manifest(cell.id))
    assert manifest["resumed"]
    assert manifest["claims"] == {"mine": "first"}
    grid.paths.train_manifest(cell.id).unlink()
    steps.train(grid, cell)
    assert read_json(grid.paths.train_manifest(cell.id))["claims"] == {"mine": "later"}


def test_a_training_that_an_earlier_version_began_records_no_claims(grid):
    run = training_run(grid, cell_of(grid, "sft"))
    assert run.claims and run.registered == run.claims
    (run.work / REGISTERED).unlink()
    assert training_run(grid, cell_of(grid, "sft")).registered == {}
    shutil.rmtree(run.work)


def test_all_methods_of_a_cell_see_the_same_rows(grid):
    rows = {tuple(training_run(grid, cell_of(grid, name)).row_ids) for name in TRAINED}
    assert len(rows) == 1


def test_a_size_beyond_the_frozen_rows_is_explained(grid):
    run = training_run(grid, cell_of(grid, TRAINED[0]))
    run.size = 25
    with pytest.raises(ReassessError, match=r"25 rows.*24 rows.*world.pool_rows"):
        _ = run.row_ids


@pytest.mark.parametrize("name", UNTRAINED)
def test_predictions_are_scored_by_the_verifier_and_lm_eval_agrees(grid, name):
    cell = cell_of(grid, name)
    steps.evaluate(grid, cell)
    predictions = pd.read_parquet(grid.paths.predictions(cell.id))
    scores = read_json(grid.paths.scores(cell.id))["benchmarks"]
    for benchmark, rows in predictions.groupby("benchmark"):
        items = read_pool(grid.paths.pool(str(benchmark)), grid.world.item_type)
        kinds = {item.id: item.answer_kind for item in items}
        verdicts = [
            grade(row.completion, row.answer, kinds[row.id]).correct for row in rows.itertuples()
        ]
        assert scores[benchmark]["accuracy"] == pytest.approx(sum(verdicts) / len(verdicts))
        assert rows["correct"].tolist() == verdicts
