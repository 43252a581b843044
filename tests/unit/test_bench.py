"""The list of benchmarks, and their names on the command line."""

import inspect

import pytest

from reassess.bench import decoding, gpu, numerics, pool, run, training, verifier, workflow
from reassess.bench.common import Repeat
from reassess.core.errors import ReassessError


@pytest.mark.parametrize(
    ("modules", "listed"),
    [
        ((decoding, training, numerics, workflow, pool, verifier), run.BENCHMARKS),
        ((gpu,), gpu.BENCHMARKS),
    ],
)
def test_every_benchmark_function_is_listed_once(modules, listed):
    measuring = {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith(("_", "benchmark_"))
        and inspect.signature(function).return_annotation == "list[Measurement]"
    }
    assert set(listed) == measuring
    assert len(listed) == len(measuring)


def test_names_are_unique():
    names = [run.name_of(benchmark) for benchmark in run.BENCHMARKS]
    assert len(set(names)) == len(names)


def test_an_unknown_benchmark_is_an_error_before_anything_runs(monkeypatch):
    monkeypatch.setattr(run, "small_grid", None)
    with pytest.raises(ReassessError, match=r"'dry_run'.*'dry-run'"):
        run.run_benchmarks(["dry_run"])


def test_one_benchmark_runs_alone(monkeypatch, capsys):
    def fast(grid):
        return [run.Measurement("fast", "s", (Repeat(1.0, 2.0),), f"a {grid}")]

    def slow(grid):
        raise AssertionError

    monkeypatch.setattr(run, "BENCHMARKS", (slow, fast))
    monkeypatch.setattr(run, "small_grid", lambda folder: "grid")
    assert [one.name for one in run.run_benchmarks(["fast"])] == ["fast"]
    assert "2.00 times as fast as a grid" in capsys.readouterr().out
