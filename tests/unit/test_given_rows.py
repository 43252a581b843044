"""The tokens that SFT read are those of its rows, where the world itself writes the traces."""

import random
from functools import cache

import pytest
from reference import Part, study

from reassess.verify.given_rows import check_given_rows
from reassess.worlds.base import world_of
from reassess.worlds.micro.reader import MicroReader

SIZE = 2000
FOREIGN, SAME = (f"llava-w32/{name}/{SIZE}/sft/seed1" for name in ("foreign", "same-family"))

pytestmark = pytest.mark.slow  # the whole pool is made


@pytest.fixture(scope="module")
def part():
    asked = study("?", ["llava-w32"], ["sft"], SIZE, seeds=(1, 2))
    return Part({"distribution": asked | {"distributions": ["foreign", "same-family"]}})


@pytest.fixture(scope="module")
def splits_of(part):
    return cache(lambda grid: dict(world_of(grid).generated_pool(grid)))


def trained(part, taken_from):
    """Cells with the histories of the cells that they are given."""
    return [
        (
            part.grid,
            part.grid.cells[cell],
            {
                metric: rows.set_index("step")["value"].sort_index()
                for metric, rows in part.history[part.rows("history", other)].groupby("metric")
            },
        )
        for cell, other in taken_from.items()
    ]


def test_cells_of_the_reference_have_the_tokens_of_their_rows(part, splits_of):
    cells = [cell for cell in part.grid.cells if "/sft/" in cell]
    assert len(cells) > 2
    own = trained(part, {cell: cell for cell in cells})
    assert not [*check_given_rows(own, splits_of)]


def test_a_run_under_the_name_of_another_distribution_is_found(part, splits_of):
    exchanged = trained(part, {FOREIGN: SAME, SAME: FOREIGN})
    (problem,) = check_given_rows(exchanged, splits_of)
    ((_, _, curves),) = trained(part, {FOREIGN: SAME})
    tokens = round(curves["tokens"].iloc[-1])
    assert problem.startswith(f"{FOREIGN}: {tokens} tokens, but its rows have ")


def test_nothing_is_said_where_the_pool_is_not_known(part):
    assert not [*check_given_rows(trained(part, {FOREIGN: SAME}), lambda grid: None)]


@pytest.mark.parametrize(("samples", "factor"), [(SIZE, 1), (3 * SIZE, 3), (3 * SIZE + 10, 3)])
def test_any_rows_of_the_pool_are_possible(part, splits_of, samples, factor):
    """Whole passes over any rows, and a part of one."""
    items = splits_of(part.grid)["train"]
    traces = world_of(part.grid).given_traces(part.grid, items, "foreign")
    draw = random.Random(samples)
    chosen = draw.sample(items, SIZE)
    lengths = MicroReader.of("llava").row_lengths(chosen, [traces[item.id] for item in chosen])
    tokens = factor * sum(lengths) + sum(draw.sample(lengths, samples - factor * SIZE))
    ((grid, cell, curves),) = trained(part, {FOREIGN: FOREIGN})
    curves["samples"].iloc[-1], curves["tokens"].iloc[-1] = samples, tokens
    assert not [*check_given_rows([(grid, cell, curves)], splits_of)]
    curves["tokens"].iloc[-1] = tokens + 2 * factor * SIZE
    assert [*check_given_rows([(grid, cell, curves)], splits_of)]
