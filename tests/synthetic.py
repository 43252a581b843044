"""A bundle with chosen accuracies.

The project's own `collect` writes it, from cells that nobody trained.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import steps

from reassess.config.load import load_config
from reassess.core.files import write_json, write_parquet
from reassess.core.seeds import derive_seed
from reassess.grid.study import Grid

ROOT = Path(__file__).parents[1]
LEVELS = {
    "base": 0.45,
    "sft": 0.8,
    "grpo": 0.6,
    "dapo": 0.62,
    "sft-grpo": 0.82,
    "random-choice": 0.2,
    "blank-image": 0.3,
}


def grid_in(folder, config="config.yaml", **changes):
    """A shipped grid whose results and scratch lie below `folder`."""
    loaded = load_config(ROOT / config)
    return Grid(
        loaded.model_copy(
            update={"results": folder / "results", "scratch": folder / "scratch", **changes}
        )
    )


def level_of(cell):
    """The default accuracy of a cell."""
    level = LEVELS.get(cell.arm, 0.5)
    return level - 0.35 if cell.distribution == "foreign" else level


def write_cell(grid, cell, level, items=60, reward=(0.3, 0.9), probe=(0.4, 0.6), rows_hash="same"):
    """Write the files of training and evaluation, with about `level` of the items right."""
    generator = np.random.default_rng(derive_seed(cell.id))
    folder = grid.paths.cell(cell.id)
    benchmarks = grid.config.evaluation.benchmarks
    right = generator.random(items * len(benchmarks)) < level
    given = ["1" if correct else "2" for correct in right]
    predictions = pd.DataFrame(
        {
            "benchmark": np.repeat(benchmarks, items),
            "id": [f"{name}-{index:06d}" for name in benchmarks for index in range(items)],
            "prompt_hash": "p",
            "completion": [f"This is how one comes to it. Answer: {answer}" for answer in given],
            "extracted": given,
            "answer": "1",
            "answer_kind": "integer",
            "correct": right,
            "format_ok": True,
            "length": 5,
            "truncated": False,
            "family": "color",
            "hops": 1,
            "filled": 6,
        }
    )
    write_parquet(folder / "predictions.parquet", predictions)
    write_json(
        folder / "scores.json",
        {
            "spec_hash": grid.specs.evaluation_hash(cell),
            "manifest": {"action": "evaluate", "seconds": 3.0},
        },
    )
    kind = grid.kind(cell)
    if kind == "none":
        return
    steps = 60
    rows = []
    for step in range(0, steps + 1, 10):
        share = step / steps
        rows.append((step, "probe_accuracy", probe[0] + share * (probe[1] - probe[0])))
        rows += [
            (step, name, share * total)
            for name, total in (("samples", 1e3), ("tokens", 1e5), ("flops", 1e12), ("seconds", 9))
        ]
    if kind == "rl":
        rows += [
            (step, "reward", reward[0] + step / steps * (reward[1] - reward[0]))
            for step in range(1, steps + 1)
        ]
    write_parquet(
        folder / "history.parquet", pd.DataFrame(rows, columns=["step", "metric", "value"])
    )
    train = {
        "rows_hash": rows_hash,
        "samples": 1e3,
        "updates": steps,
        "tokens": 1e5,
        "flops": 1e12,
        "seconds": 9.0,
    }
    write_json(
        folder / "train.json",
        {
            **train,
            "spec_hash": grid.specs.train_hash(cell),
            "peak_memory_mb": 600.0,
            "resumed": False,
            "template_hash": "t",
            "weights_hash": "w",
        },
    )


def make_bundle(folder, grid=None, level=level_of, **options):
    """Write a bundle for a grid, by default the shipped one, below `folder`; return the grid."""
    grid = grid or grid_in(folder)
    for cell in grid.cells.values():
        write_cell(grid, cell, level(cell), **options)
    steps.collect(grid)
    return grid
