"""What the jobs of a hub grid cost: FLOPs of their models over published or assumed rates. An estimate, and called one."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from reassess.grid.costs import Estimate
from reassess.worlds.hub.shapes import PATCHES_A_TOKEN, Shape, shape_of

if TYPE_CHECKING:
    from reassess.grid.cells import Cell
    from reassess.grid.study import Grid
    from reassess.worlds.hub.pins import Kind
    from reassess.worlds.hub.world import HubWorld

MASTER = 4  # bytes of a saved weight: float32
STATES = 16  # bytes a parameter in a trainer checkpoint: weight, gradient, two moments
SERVED = 2  # bytes of a weight in the engine


def of_training(grid: Grid, world: HubWorld, cell: Cell) -> Estimate:
    """Return the cost of training a cell."""
    settings: Any = grid.arms[cell.arm].settings
    shape, model, costs = (
        _shape(grid, world, cell.model),
        world.config.models[cell.model],
        world.config.costs,
    )
    rows, kind = cell.size or 0, grid.kind(cell)
    flops = shape.flops(settings.freeze_vision)
    patches = PATCHES_A_TOKEN * costs.visual_tokens
    prompt = costs.text_tokens + costs.visual_tokens
    peak = costs.peak_tflops * 1e12
    if kind == "sft":
        seen = settings.updates(rows) * settings.batch_size
        work = seen * flops.training([prompt + costs.trace_tokens], costs.trace_tokens, [patches])
        seconds = work / (peak * costs.sft_mfu)
    else:
        batches = settings.updates(rows) / settings.updates_per_batch
        seen = batches * settings.prompts_per_step * settings.num_generations
        seen *= 1 + costs.resampling * min(1, getattr(settings, "resample_rounds", 0))
        work = seen * flops.training(
            [prompt + costs.rollout_tokens], costs.rollout_tokens, [patches]
        )
        rate = (
            costs.rl_mfu_small if shape.parameters < costs.small_parameters else costs.rl_mfu_large
        )
        seconds = work / (peak * rate)
    hours = seconds / 3600 + max(1, model.gpus) * costs.startup_minutes / 60
    kept, states = MASTER * shape.parameters / 1e9, 2 * STATES * shape.parameters / 1e9
    return Estimate(gpus=model.gpus, gpu_hours=hours, disk_gb=kept, scratch_gb=states)


def of_evaluation(grid: Grid, world: HubWorld, cell: Cell) -> Estimate:
    """Return the cost of scoring a cell: its completions at the engine's assumed rate."""
    costs, shape = world.config.costs, _shape(grid, world, cell.model)
    seconds = items_scored(grid, world) * costs.answer_tokens / _rate(costs, shape)
    gpus = engine_gpus(costs, shape)
    return Estimate(
        gpus=gpus,
        gpu_hours=gpus * (seconds / 3600 + costs.startup_minutes / 60),
        disk_gb=0.01,
        scratch_gb=0,
    )


def items_scored(grid: Grid, world: HubWorld) -> int:
    """Return how many items a cell is scored on."""
    costs, limit = world.config.costs, world.config.world.benchmark_items
    sizes = [
        costs.benchmark_items.get(name, costs.other_benchmark_items) for name in grid.benchmarks
    ]
    return sum(min(size, limit) if limit else size for size in sizes)


def of_shard(grid: Grid, world: HubWorld, family: str, distribution: str) -> Estimate:
    """Return the cost of sampling one shard of a distribution's traces."""
    costs, found = world.config.costs, world.config.distributions[distribution]
    shape = _shape(grid, world, world.teacher_model(family, distribution))
    prompts = world.config.world.pool_rows / found.shards
    seconds = prompts * found.samples * costs.trace_tokens / _rate(costs, shape)
    gpus = engine_gpus(costs, shape)
    return Estimate(
        gpus=gpus,
        gpu_hours=gpus * (seconds / 3600 + costs.startup_minutes / 60),
        disk_gb=0.01,
        scratch_gb=0,
    )


def of_fetch(grid: Grid, world: HubWorld, kind: Kind, repo: str) -> Estimate:
    """Return the size of a download: as pinned, or what the weights come to, or an assumption for a data set."""
    if world.config.world.stand_in:
        return Estimate()
    pinned = world.pins.found.get((kind, repo))
    size: float | None = pinned.size if pinned is not None else None
    if size is None and kind == "model":
        model = next(name for name, one in world.config.models.items() if one.hub == repo)
        size = SERVED * _shape(grid, world, model).parameters
    gigabytes = world.config.costs.data_set_gb if size is None else size / 1e9
    return Estimate(download_gb=gigabytes, disk_gb=gigabytes)


def _shape(grid: Grid, world: HubWorld, model: str) -> Shape:
    return shape_of(world.config.models[model].hub, grid.paths.base(model))


def _rate(costs: Any, shape: Shape) -> float:
    """Return tokens a second of one engine: inversely as the model's size, from the assumed rate of a 7B model."""
    return float(costs.engine_tokens_7b * 7.6e9 / shape.body * engine_gpus(costs, shape))


def engine_gpus(costs: Any, shape: Shape) -> int:
    """Return the GPUs that hold a model's weights with as much room again for its cache."""
    return max(1, ceil(2 * SERVED * shape.parameters / 1e9 / float(costs.gpu_gb)))
