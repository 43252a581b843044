"""`reassess bench`: every benchmark, and how they are run.

They work on a small copy of the micro world in a temporary folder, with models of width 64 and
fresh weights, so they need no earlier run. A benchmark is a function of that grid; its name, as
`--only` takes it, is the function's with hyphens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from reassess.bench import decoding, numerics, pool, training, verifier, workflow
from reassess.bench.common import Measurement, chosen, small_grid
from reassess.bench.results import Result, load_now, result_of
from reassess.grid.study import Grid

Benchmark: TypeAlias = Callable[[Grid], list[Measurement]]

BENCHMARKS: tuple[Benchmark, ...] = (
    decoding.decoding,
    training.sft,
    training.grpo,
    numerics.portable,
    workflow.startup,
    workflow.evaluation,
    workflow.dry_run,
    pool.pool,
    verifier.verifier,
)


def name_of(benchmark: Benchmark) -> str:
    """The name of a benchmark on the command line."""
    return benchmark.__name__.replace("_", "-")


def run_benchmarks(only: Sequence[str] = ()) -> list[Measurement]:
    """Run the benchmarks named in `only` (default: all), print and return what they measure.

    Raises:
        ReassessError: there is no such benchmark.
    """
    by_name = {name_of(benchmark): benchmark for benchmark in BENCHMARKS}
    names = chosen(only, by_name)
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="reassess-bench-") as folder:
        grid = small_grid(Path(folder))
        for name in names:
            for measurement in by_name[name](grid):
                print(measurement.line(), flush=True)
                measurements.append(measurement)
    return measurements


def measure(only: Sequence[str] = (), device: str = "cpu") -> Result:
    """Run benchmarks; those of a GPU are others than those of a processor.

    Raises:
        ReassessError: there is no such benchmark or device.
    """
    load = load_now()
    if device == "cuda":
        from reassess.bench.gpu import benchmark_gpu

        return result_of(benchmark_gpu(device, only=only), load)
    return result_of(run_benchmarks(only), load)
