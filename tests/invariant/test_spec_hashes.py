"""Spec and evaluation hashes of the shipped grids, frozen: a change of one would train or score finished cells again.

After a change that is meant to do so, `python tests/invariant/test_spec_hashes.py` writes the golden file anew.
"""

import json
from pathlib import Path

import pytest

from reassess.grid.study import Grid

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("spec_hashes.json")
CONFIGS = ("config.yaml", "config/full-micro.yaml", "config/stand-in.yaml", "config/paper.yaml")


def hashes(config):
    """Return by cell its spec hash (None where nothing is trained) and its evaluation hash, and the hashes of shared inputs."""
    grid = Grid.load(ROOT / config)
    cells = {name: [grid.specs.train_hash(cell), None] for name, cell in grid.trained.items()}
    for name, cell in grid.cells.items():
        cells[name] = [grid.specs.train_hash(cell), grid.specs.evaluation_hash(cell)]
    families = sorted(grid.config.teachers)
    shared = {"pool": grid.specs.pool_hash()} | {
        f"base/{name}": grid.specs.base_hash(name) for name in grid.bases
    }
    for family in families:
        for name, distribution in grid.config.distributions.items():
            shared[f"traces/{family}/{name}"] = grid.specs.traces_hash(family, name)
            shared[f"rows/{family}/{name}"] = grid.specs.rows_hash(family, name)
            if distribution.source == "teacher":
                shared[f"teacher/{family}/{name}"] = grid.specs.teacher_hash(family, name)
    return {"cells": dict(sorted(cells.items())), "shared": shared}


@pytest.mark.parametrize("config", CONFIGS)
def test_no_shipped_grid_would_run_a_finished_cell_again(config):
    assert hashes(config) == json.loads(GOLDEN.read_text())[config]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({config: hashes(config) for config in CONFIGS}, indent=1) + "\n")
