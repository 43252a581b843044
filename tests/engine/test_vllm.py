"""Real vLLM on a CPU (`make test-vllm`, its own environment): equal prompts, equal greedy text."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import steps

pytest.importorskip("vllm", reason="vLLM has an environment of its own: make test-vllm")

from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.data.pool import read_pool
from reassess.evaluation.runner import evaluate_checkpoint
from reassess.grid.study import Grid
from reassess.training import vllm_engine
from reassess.training.rejection_sampling import sample_traces

MODEL = "qwen2.5-vl-32b"  # the teacher: its stand-in has learned its pool and answers it


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu():
    os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vllm")
    shutil.copytree(ROOT / "config", folder / "config")
    before = Path.cwd()
    os.chdir(folder)
    grid = Grid.load("config/stand-in.yaml")
    for kind, repo in grid.world.repositories(grid):
        if kind == "dataset" or repo == grid.config.models[MODEL].hub:
            grid.world.fetch(grid, kind, repo)
    steps.build_base(grid, MODEL)
    steps.build_pool(grid)
    yield grid
    os.chdir(before)


def layouts(grid):
    layout = grid.world.layout(MODEL)
    return replace(layout, rollouts="hf"), replace(layout, rollouts="vllm", engine_memory=0.5)


def test_evaluation_gets_the_same_prompts_and_the_same_greedy_text(grid):
    results = []
    for layout in layouts(grid):
        result = evaluate_checkpoint(
            grid.paths.base(MODEL),
            grid.paths.pool("train").parent,
            grid.world,
            {name: grid.benchmarks[name] for name in ("mathvista", "mmmu", "gsm8k")},
            grid.arms["base"].build(),
            layout,
            grid.config.evaluation.model_copy(update={"batch_size": 8, "max_new_tokens": 20}),
            seed=1,
        )
        results.append(result)
    (by_transformers, expected_scores), (by_vllm, scores) = results
    assert len(by_transformers) == 18
    for column in ("prompt_hash", "completion", "length", "truncated", "correct"):
        assert by_vllm[column].tolist() == by_transformers[column].tolist(), column
    assert scores == expected_scores


def test_greedy_traces_are_the_same(grid):
    items = read_pool(grid.paths.pool("train"), grid.world.item_type)[:16]
    sampling = grid.config.distributions["same-family"].model_copy(
        update={"samples": 1, "temperature": 0.0}
    )
    (expected, expected_report), (traces, report) = (
        sample_traces(grid.paths.base(MODEL), items, grid.world, sampling, layout, seed=3)
        for layout in layouts(grid)
    )
    assert len(expected) > 8
    assert traces == expected
    assert report["tokens"] == expected_report["tokens"]


def test_a_placeholder_expanded_twice_is_caught(grid, monkeypatch):
    """vLLM silently expands placeholders that were expanded before."""
    items = [
        item for item in read_pool(grid.paths.pool("train"), grid.world.item_type) if item.image
    ][:2]
    text = vllm_engine._text
    expanded = "<|image_pad|>" * 4
    monkeypatch.setattr(
        vllm_engine, "_text", lambda *arguments: text(*arguments).replace("<|image_pad|>", expanded)
    )
    monkeypatch.setattr(vllm_engine, "collapse", lambda tokens, placeholder: list(tokens))
    engine = vllm_engine.VllmEngine(grid.paths.base(MODEL), grid.world, layouts(grid)[1])
    with pytest.raises(ReassessError, match="visual tokens"):
        engine.complete(items, samples=1, temperature=0.0, max_new_tokens=4, seed=0)
