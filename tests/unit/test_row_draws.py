"""Rows that a seed draws: nested, the same for methods and distributions, and the first ones of seed 1."""

from collections import Counter
from copy import deepcopy

import pandas as pd
import pytest
import steps
from hypothesis import given
from hypothesis import strategies as st
from tiny import STUDIES, tiny_grid

from reassess.bundles.collect import CONTENT, require_identical_rows, study_of
from reassess.bundles.merge import study_of_both
from reassess.config.defaults import DEFAULT
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, read_parquet
from reassess.data.rows import drawn
from reassess.grid.study import Grid
from reassess.training import enclosure
from reassess.workflow.jobs.train import training_run
from reassess.worlds.micro.config import MicroConfig

ROWS = st.lists(st.integers(0, 10**6), min_size=1, max_size=60, unique=True).map(
    lambda numbers: [f"train-{number:06d}" for number in numbers]
)
DRAWS = st.integers(0, 2**31 - 1)


def grid_of(row_draws=True, **changes):
    return Grid(MicroConfig.model_validate(deepcopy(DEFAULT) | {"row_draws": row_draws, **changes}))


# --- the draw ------------------------------------------------------------------------------------


@given(ROWS, DRAWS)
def test_a_draw_is_an_order_of_all_rows(rows, draw):
    assert sorted(drawn(rows, draw)) == sorted(rows)
    assert drawn(rows, None) == rows


@given(ROWS, DRAWS, st.data())
def test_whichever_rows_are_usable_the_order_of_two_is_the_same(rows, draw, data):
    fewer = data.draw(st.lists(st.sampled_from(rows), unique=True))
    assert drawn(fewer, draw) == [row for row in drawn(rows, draw) if row in set(fewer)]


def test_draws_take_each_row_equally_often_and_each_pair_too():
    rows = [f"train-{number:06d}" for number in range(12)]
    chosen = [frozenset(drawn(rows, draw)[:4]) for draw in range(3000)]
    singles = Counter(row for rows in chosen for row in rows)
    together = Counter((a, b) for some in chosen for a in some for b in some if a < b)
    assert max(abs(count - 1000) for count in singles.values()) < 4.5 * (3000 * 2 / 9) ** 0.5
    share = (4 / 12) * (3 / 11)
    bound = 4.5 * (3000 * share * (1 - share)) ** 0.5
    assert len(together) == 66
    assert max(abs(count - 3000 * share) for count in together.values()) < bound


# --- specs ---------------------------------------------------------------------------------------


def test_only_seeds_that_draw_have_another_spec():
    fixed, draws = (grid_of(flag, seeds=[0, 1, 2]) for flag in (False, True))
    for name, cell in fixed.trained.items():
        same = fixed.specs.train_hash(cell) == draws.specs.train_hash(draws.cell(name))
        assert same is (cell.seed == 1)
        assert ("rows_drawn" in draws.specs.train(cell)) is (cell.seed != 1)
        assert "rows_drawn" not in fixed.specs.train(cell)
    base = draws.cell("llava-w32/base/seed0")
    assert "rows_drawn" not in draws.specs.train(base)


def test_a_draw_is_of_world_and_seed_alone():
    grid = grid_of(seeds=[1, 2, 3])
    found = {}
    for cell in grid.trained.values():
        found.setdefault(cell.seed, set()).add(grid.specs.row_draw(cell))
    assert found[1] == {None}
    assert len(found[2]) == len(found[3]) == 1
    assert found[2] != found[3]
    other = grid_of(seeds=[2], world={"seed": 7})
    assert {other.specs.row_draw(cell) for cell in other.trained.values()} != found[2]


# --- the rows of a job ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A grid of two distributions and two sizes, with all that comes before its cells."""
    study = {
        "question": "?", "models": ["llava-w32"], "methods": ["sft", "grpo"],
        "distributions": ["same-family", "foreign"], "sizes": [6, 12],
    }  # fmt: skip
    studies = dict.fromkeys(STUDIES) | {"capacity": study}
    folder = tmp_path_factory.mktemp("draws")
    grid = tiny_grid(folder, studies=studies, seeds=[1, 2, 3], row_draws=True)
    steps.build_before_cells(grid)
    return grid


def rows_of(grid, **axes):
    chosen = [
        cell
        for cell in grid.trained.values()
        if all(getattr(cell, name) == value for name, value in axes.items())
    ]
    return {cell.id: training_run(grid, cell).row_ids for cell in chosen}


def test_all_methods_and_distributions_draw_the_same_rows_and_sizes_nest(built):
    for seed in (1, 2, 3):
        small, large = (rows_of(built, seed=seed, size=size) for size in (6, 12))
        assert len(small) == len(large) == 4
        (six,), (twelve,) = ({tuple(rows) for rows in one.values()} for one in (small, large))
        assert twelve[:6] == six


def test_seed_1_trains_on_the_frozen_order_and_others_on_their_own(built):
    frozen = read_parquet(built.paths.rows("llava", "same-family"))["id"].tolist()
    rows = {seed: next(iter(rows_of(built, seed=seed, size=12).values())) for seed in (1, 2, 3)}
    assert rows[1] == frozen[:12]
    assert len({tuple(one) for one in rows.values()}) == 3
    assert all(set(one) <= set(frozen) for one in rows.values())


def test_what_a_job_copies_for_its_method_is_the_same_rows_in_the_same_order(built):
    cell = built.cell("llava-w32/same-family/6/sft/seed2")
    run = training_run(built, cell)
    ids, tokens = run.row_ids, [row.tolist() for row in run.rows.prompts]
    enclosure.stage(run)
    inside = training_run(built, cell)  # as a process of the job reads them
    inside.files = enclosure.staged(inside)
    assert inside.row_ids == ids
    assert [item.id for item in inside.items] == inside.rows.ids == ids
    assert [row.tolist() for row in inside.rows.prompts] == tokens
    assert len(read_parquet(inside.files.pool)) == len(read_parquet(inside.files.rows)) == 6


def test_a_cell_is_trained_on_the_rows_that_its_seed_draws(built):
    from reassess.core.files import sha256_text

    hashes = set()
    for arm, distribution in (("sft", "same-family"), ("grpo", "same-family"), ("sft", "foreign")):
        cell = built.cell(f"llava-w32/{distribution}/6/{arm}/seed3")
        steps.train(built, cell)
        manifest = read_json(built.paths.train_manifest(cell.id))
        hashes.add(manifest["row_ids_hash"])
        assert manifest["spec"]["rows_drawn"] == 1
    assert hashes == {sha256_text("\n".join(rows_of(built, seed=3, size=6)[cell.id]))}


# --- bundles -------------------------------------------------------------------------------------


def manifests(*rows):
    columns = ["cell", "seed", "rows_hash"]
    frame = pd.DataFrame([(str(n), *row) for n, row in enumerate(rows)], columns=columns)
    return frame.assign(family="f", distribution="d", size=1)


def test_cells_of_one_seed_share_their_rows():
    of_two_seeds = manifests((1, f"{CONTENT}a"), (2, f"{CONTENT}b"), (1, f"{CONTENT}a"))
    require_identical_rows(of_two_seeds, row_draws=True)
    with pytest.raises(ReassessError, match=r"cells 0 and 1 .*rows"):
        require_identical_rows(of_two_seeds, row_draws=False)
    of_one = manifests((1, f"{CONTENT}a"), (2, f"{CONTENT}b"), (2, f"{CONTENT}c"))
    with pytest.raises(ReassessError, match=r"cells 1 and 2 .*rows"):
        require_identical_rows(of_one, row_draws=True)


def test_bundles_with_and_without_drawn_rows_do_not_merge():
    first, second = (study_of(grid_of(flag), {}) for flag in (False, True))
    assert study_of_both(deepcopy(second), deepcopy(second))["config"]["row_draws"] is True
    for pair in ((first, second), (second, first)):
        with pytest.raises(ReassessError, match="disagree on row_draws"):
            study_of_both(*deepcopy(pair))
