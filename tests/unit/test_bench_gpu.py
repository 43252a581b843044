"""The GPU benchmark: unmeasurable here, but every line of it runs on a small shape, and the full shape is that of the public model."""

from dataclasses import replace

import pytest
import torch

from reassess.bench.gpu import Workload, benchmark_gpu, model_of, rows_of
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


def test_every_figure_is_measured_on_a_small_shape():
    found = {one.name: one for one in benchmark_gpu("cpu", TINY)}
    assert len(found) == 9
    phases = [found[f"GRPO, {name}"] for name in ("generation", "scoring", "update")]
    assert all(one.ours > 0 for one in phases)
    assert sum(one.ours for one in phases) == pytest.approx(phases[0].baseline)
    assert found["SFT, model FLOPs"].ours > 0
    assert found["SFT, model FLOPs"].baseline == found["matrix product, bfloat16"].ours


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(ReassessError, match="no GPU is visible here"):
        benchmark_gpu("cuda")
