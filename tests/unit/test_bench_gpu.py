"""The GPU benchmark runs on a small shape here, and its full shape is that of the public model."""

from dataclasses import replace

import pytest
import torch

from reassess.bench.full_size import Workload, model_of, rows_of
from reassess.bench.gpu import benchmark_gpu
from reassess.core.errors import ReassessError
from reassess.training.flops import flops_model
from reassess.worlds.hub.shapes import Shape

SMALL = Shape(
    32,
    2,
    1,
    1,
    64,
    600,
    True,
    tower_width=32,
    tower_depth=2,
    tower_mlp=64,
    tower_full=1,
    gated=True,
)
TINY = Workload(
    SMALL,
    side=56,
    prompt=12,
    completion=10,
    rows=4,
    micro_batch=2,
    prompts=2,
    group=2,
    steps=2,
    warmup=1,
    matrix=64,
)


def test_the_full_shape_is_the_public_models():
    with torch.device("meta"):
        model = model_of(Workload().shape)
    assert sum(one.numel() for one in model.parameters()) == pytest.approx(3.75e9, rel=0.01)
    counted, stated = flops_model(model), Workload().shape.flops(frozen_tower=False)
    assert counted.body == pytest.approx(stated.body, rel=1e-3)
    assert counted.head == stated.head
    assert counted.tower == pytest.approx(stated.tower, rel=0.01)
    assert (counted.layers, counted.tower_layers, counted.windowed_layers) == (36, 4, 28)
    assert model.config.vision_config.fullatt_block_indexes == [7, 15, 23, 31]


def test_rows_have_the_workloads_lengths():
    rows = rows_of(replace(Workload(), rows=1), 1)
    assert len(rows.prompts[0]) == 289 + 150 + 2
    assert len(rows.completions[0]) == 350
    assert rows.images.patches(0) == 4 * 289


def test_everything_is_measured_on_a_small_shape():
    measured = {one.name: one for one in benchmark_gpu("cpu", TINY)}
    assert len(measured) == 10
    phases = [measured[f"GRPO, {name}"] for name in ("generation", "scoring", "update")]
    assert all(phase.ours > 0 for phase in phases)
    assert sum(phase.ours for phase in phases) == pytest.approx(measured["GRPO step"].ours)
    assert measured["SFT, model FLOPs"].ours > 0
    assert (
        measured["SFT, model FLOPs"].repeats[0].limit == measured["matrix product, bfloat16"].ours
    )


def test_no_trainer_checkpoint_is_written(monkeypatch):
    saved = []
    monkeypatch.setattr("transformers.Trainer._save_checkpoint", lambda *_: saved.append(1))
    benchmark_gpu("cpu", TINY, only=["sft"])
    assert saved == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_machine_without_a_gpu_is_an_error():
    with pytest.raises(ReassessError, match="no GPU"):
        benchmark_gpu("cuda")


def test_an_unknown_benchmark_is_an_error_that_names_the_nearest():
    with pytest.raises(ReassessError, match=r"'gpro'.*'grpo'"):
        benchmark_gpu("cpu", TINY, only=["gpro"])
