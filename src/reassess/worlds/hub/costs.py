"""What the jobs of a hub grid cost: FLOPs of their models over published or assumed rates.

These are estimates, and every report calls them so.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from reassess.core.errors import ReassessError
from reassess.grid.benchmarks import Benchmark
from reassess.grid.cells import Cell
from reassess.grid.costs import Estimate
from reassess.grid.paths import Paths
from reassess.grid.study import Grid
from reassess.training.settings import TrainedSettings
from reassess.worlds.hub.config import Costs, HubConfig
from reassess.worlds.hub.pins import Kind, Pins
from reassess.worlds.hub.shapes import PATCHES_A_TOKEN, Shape, shape_of

MASTER = 4  # bytes of a saved weight: float32
STATES = 16  # bytes a parameter in a trainer checkpoint: weight, gradient, two moments
SERVED = 2  # bytes of a weight in the engine


def of_training(grid: Grid, config: HubConfig, cell: Cell) -> Estimate:
    """The cost of training a cell."""
    settings = grid.arms[cell.arm].settings
    assert isinstance(settings, TrainedSettings)  # a method that trains nothing has no such job
    costs, shape = config.costs, _shape(config, grid.paths, cell.model)
    samples: float = settings.updates(cell.size or 0) * settings.rows_per_update
    if grid.kind(cell) == "sft":
        completion, rate = costs.trace_tokens, costs.sft_mfu
    else:
        small = shape.parameters < costs.small_parameters
        completion, rate = costs.rollout_tokens, costs.rl_mfu_small if small else costs.rl_mfu_large
        samples *= 1 + costs.resampling * min(1, getattr(settings, "resample_rounds", 0))
    work = samples * shape.flops(settings.freeze_vision).training(
        [costs.text_tokens + costs.visual_tokens + completion],
        completion,
        [PATCHES_A_TOKEN * costs.visual_tokens],
    )
    gpus = config.models[cell.model].gpus
    seconds = work / (costs.peak_tflops * 1e12 * rate)
    return Estimate(
        gpus=gpus,
        gpu_hours=seconds / 3600 + max(1, gpus) * costs.startup_minutes / 60,
        disk_gb=MASTER * shape.parameters / 1e9,
        scratch_gb=2 * STATES * shape.parameters / 1e9,
    )


def of_evaluation(
    config: HubConfig, benchmarks: Iterable[Benchmark], paths: Paths, model: str
) -> Estimate:
    """The cost of scoring a cell of a model: its completions at the engine's assumed rate."""
    completions = sum(items_by_benchmark(config, benchmarks).values())
    shape = _shape(config, paths, model)
    return _of_completions(config.costs, shape, completions * config.costs.answer_tokens)


def of_shard(config: HubConfig, paths: Paths, distribution: str, teacher: str) -> Estimate:
    """The cost of sampling one shard of a distribution's traces from a teacher."""
    sampling = config.distributions[distribution]
    prompts = config.world.pool_rows / sampling.shards
    shape = _shape(config, paths, teacher)
    return _of_completions(
        config.costs, shape, prompts * sampling.samples * config.costs.trace_tokens
    )


def _of_completions(costs: Costs, shape: Shape, tokens: float) -> Estimate:
    """The cost of a job that only generates tokens."""
    gpus = engine_gpus(costs, shape)
    # Inversely as the model's size, from the assumed rate of a 7B model on one GPU.
    tokens_a_second = costs.engine_tokens_7b * 7.6e9 / shape.body * gpus
    hours = tokens / tokens_a_second / 3600 + costs.startup_minutes / 60
    return Estimate(gpus=gpus, gpu_hours=gpus * hours, disk_gb=0.01, scratch_gb=0)


def engine_gpus(costs: Costs, shape: Shape) -> int:
    """The GPUs that hold a model's weights with as much memory again for its cache."""
    return max(1, ceil(2 * SERVED * shape.parameters / 1e9 / costs.gpu_gb))


def items_by_benchmark(config: HubConfig, benchmarks: Iterable[Benchmark]) -> dict[str, int]:
    """By benchmark, the number of items that a cell is scored on."""
    limit = config.world.benchmark_items
    sizes = {one.name: benchmark_items(config.costs, one) for one in benchmarks}
    return {name: min(size, limit) if limit else size for name, size in sizes.items()}


def benchmark_items(costs: Costs, benchmark: Benchmark) -> int:
    """The size of a benchmark: as the config states it, else its own file, else an assumption.

    Raises:
        ReassessError: the file's `metadata.items` is no positive whole number.
    """
    stated = benchmark.metadata.get("items")
    if stated is not None and (type(stated) is not int or stated < 1):
        raise ReassessError(
            f"{benchmark.source}: metadata.items is {stated!r}; give a positive whole number"
        )
    return costs.benchmark_items.get(benchmark.name, stated or costs.other_benchmark_items)


def of_fetch(config: HubConfig, pins: Pins, paths: Paths, kind: Kind, repo: str) -> Estimate:
    """The size of a download: as pinned, else that of the weights, or as assumed for data sets."""
    if config.world.stand_in:
        return Estimate()
    pin = pins.pinned.get((kind, repo))
    size: float | None = pin.size if pin is not None else None
    if size is None and kind == "model":
        model = next(name for name, model in config.models.items() if model.hub == repo)
        size = SERVED * _shape(config, paths, model).parameters
    gigabytes = config.costs.data_set_gb if size is None else size / 1e9
    return Estimate(download_gb=gigabytes, disk_gb=gigabytes)


def _shape(config: HubConfig, paths: Paths, model: str) -> Shape:
    return shape_of(config.models[model].hub, paths.base(model))
