"""Cells, their files, and what makes a cell run again."""

import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reassess.config.defaults import DEFAULT
from reassess.core.errors import ReassessError
from reassess.core.seeds import derive_seed
from reassess.grid.study import Grid
from reassess.training.engine import row_order
from reassess.worlds.micro.config import MicroConfig as Config

ROOT = Path(__file__).parents[2]


def grid_of(edit=lambda tree: None):
    tree = deepcopy(DEFAULT)
    edit(tree)
    return Grid(Config.model_validate(tree))


def test_cells_of_untrained_arms_sit_one_level_higher_and_have_one_seed():
    grid = grid_of(lambda tree: tree.update(seeds=[4, 5]))
    assert "llava-w32/base/seed4" in grid.cells
    assert "llava-w32/base/seed5" not in grid.cells
    assert "llava-w32/same-family/2000/sft/seed5" in grid.cells


def test_a_start_that_no_study_asks_for_is_trained_but_not_evaluated():
    def edit(tree):
        tree["studies"] = {
            "only": {
                "question": "?",
                "models": ["llava-w32"],
                "methods": ["sft-grpo"],
                "sizes": [20],
            }
        }

    grid = grid_of(edit)
    assert list(grid.cells) == ["llava-w32/same-family/20/sft-grpo/seed1"]
    assert list(grid.trained) == [
        "llava-w32/same-family/20/sft-grpo/seed1",
        "llava-w32/same-family/20/sft/seed1",
    ]
    assert grid.start(grid.cell("llava-w32/same-family/20/sft-grpo/seed1")) == grid.cell(
        "llava-w32/same-family/20/sft/seed1"
    )


def test_an_unknown_cell_is_answered_with_the_nearest():
    with pytest.raises(ReassessError, match="did you mean 'llava-w32/same-family/2000/sft/seed1'"):
        grid_of().cell("llava-w32/same-family/2000/sfd/seed1")


CELL = "llava-w64/same-family/20/sft-grpo/seed1"


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (lambda tree: tree["methods"]["sft-grpo"].update(learning_rate=2e-4), True),
        (lambda tree: tree["methods"]["sft"].update(max_steps=10), True),  # its start changes
        (
            lambda tree: tree["distributions"]["foreign"].update(style="native"),
            True,
        ),  # the frozen rows change
        (lambda tree: tree.setdefault("world", {}).update(seed=7), True),
        (lambda tree: tree["methods"]["dapo"].update(max_steps=10), False),
        (lambda tree: tree.update(seeds=[1, 2]), False),
        (lambda tree: tree.update(scratch="/elsewhere", results="/elsewhere"), False),
        (lambda tree: tree["studies"]["reward"].update(question="another?"), False),
    ],
)
def test_the_spec_hash_changes_with_what_can_change_the_result_and_with_nothing_else(edit, changes):
    before, after = grid_of(), grid_of(edit)
    assert (
        before.specs.train_hash(before.cell(CELL)) != after.specs.train_hash(after.cell(CELL))
    ) is changes


def test_the_evaluation_protocol_is_a_reason_to_score_again_but_not_to_train_again():
    before = grid_of()
    after = grid_of(lambda tree: tree.update(evaluation={"max_new_tokens": 40}))
    cell = before.cell(CELL)
    assert before.specs.train_hash(cell) == after.specs.train_hash(cell)
    assert before.specs.evaluation_hash(cell) != after.specs.evaluation_hash(cell)


@given(st.integers(1, 60), st.integers(1, 300), st.integers(0, 2**31 - 1))
def test_row_order_passes_over_all_rows_before_it_repeats_one(rows, count, seed):
    order = row_order(rows, count, seed)
    assert len(order) == count
    assert order == row_order(rows, count, seed)
    for start in range(0, count - rows + 1, rows):
        assert sorted(order[start : start + rows]) == list(range(rows))


def test_seeds_depend_on_every_axis():
    assert (
        len(
            {
                derive_seed("order", "same-family", 20, 1),
                derive_seed("order", "foreign", 20, 1),
                derive_seed("order", 2, 1),
            }
        )
        == 3
    )
    assert derive_seed("a", "b") == derive_seed("a", "b")


def test_listing_the_grid_imports_nothing_heavy():
    code = (
        "import sys; from reassess.grid.study import Grid; Grid.load('config.yaml').cells; import reassess.cli.main;"
        "print([name for name in ('torch', 'transformers', 'trl', 'pandas', 'numpy', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
