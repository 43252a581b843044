"""Pools: equal bytes from any process, checked disjointness, and damaged files that are named."""

import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import steps
from hypothesis import given
from hypothesis import strategies as st

from reassess.config.defaults import DEFAULT
from reassess.core.errors import ReassessError
from reassess.core.files import sha256_file, write_parquet
from reassess.data.disjoint import overlaps, require_disjoint
from reassess.data.pool import decode_image, read_pool, write_pool
from reassess.grid.benchmarks import benchmarks_of
from reassess.grid.study import Grid
from reassess.worlds.micro.config import MicroConfig
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.items import make_item
from reassess.worlds.micro.pool import make_splits

SCENES = {name: benchmark.metadata["scenes"] for name, benchmark in benchmarks_of("micro").items()}
MAKE_POOL = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_pool import make_pool
make_pool(Path(sys.argv[1]), 5, 40, 12, 6)
"""


def make_pool(folder, *sizes):
    splits, report = make_splits(*sizes, SCENES)
    for name, items in splits.items():
        write_pool(folder / f"{name}.parquet", items)
    return report


def hashes(folder):
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


def test_a_pool_has_the_same_bytes_from_any_process(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    make_pool(first, 5, 40, 12, 6)
    folders = [str(parent) for parent in Path(__file__).parents[:2]]
    command = [sys.executable, "-c", MAKE_POOL, str(second), *folders]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    assert hashes(first) == hashes(second)


def test_pools_nest(tmp_path):
    make_pool(tmp_path / "small", 5, 20, 5, 5)
    make_pool(tmp_path / "large", 5, 40, 5, 5)
    assert read_pool(tmp_path / "large" / "train.parquet", MicroItem)[:20] == read_pool(
        tmp_path / "small" / "train.parquet", MicroItem
    )


def test_the_pool_is_disjoint_and_reports_it(tmp_path):
    report = make_pool(tmp_path, 5, 300, 40, 20)
    assert report["iid"] == {"items": 40, "same_scene": [], "same_picture": []}
    assert {"probe", "iid", "jitter", "dense", "combo", "large", "text"} <= set(report)


def test_the_check_can_fail_by_scene_and_by_image():
    train = [make_item("train", 5, index) for index in range(20)]
    leaked = replace(train[3], id="iid-000003")
    assert overlaps(train, {"iid": [leaked]})["iid"]["same_scene"] == ["iid-000003"]
    with pytest.raises(ReassessError, match=r"split 'iid': 1 items.*iid-000003"):
        require_disjoint(train, {"iid": [leaked]})
    redrawn = replace(leaked, scene_hash="another")
    with pytest.raises(ReassessError, match="iid-000003"):
        require_disjoint(train, {"iid": [redrawn]})


def test_text_items_are_the_iid_items_in_words(tmp_path):
    make_pool(tmp_path, 5, 20, 10, 5)
    shown, in_words = (
        read_pool(tmp_path / f"{name}.parquet", MicroItem) for name in ("iid", "text")
    )
    assert [item.scene for item in shown] == [item.scene for item in in_words]
    assert all(item.image is None for item in in_words)


def micro(**world):
    tree = deepcopy(DEFAULT) | {
        "world": {"pool_rows": 30, "split_items": 5, "probe_items": 4, **world}
    }
    studies = {
        "one": {"question": "?", "models": ["llava-w32"], "methods": ["base"], "sizes": [20]}
    }
    return Grid(MicroConfig.model_validate(tree | {"studies": studies}))


def test_the_main_benchmark_has_further_items_behind_the_same_first_ones():
    few, many = (
        micro(main_items=count).world.generated_pool(micro(main_items=count))
        for count in (None, 12)
    )
    assert {name: len(items) for name, items in many.items()} == {
        name: 12 if name == "iid" else len(items) for name, items in few.items()
    }
    assert many["iid"][:5] == few["iid"]
    assert {name: items for name, items in many.items() if name != "iid"} == {
        name: items for name, items in few.items() if name != "iid"
    }
    assert len({item.scene_hash for item in many["iid"]}) == 12


@given(st.integers(1, 40), st.one_of(st.none(), st.integers(1, 40)))
def test_the_items_that_a_cell_is_scored_on_are_counted_as_they_are_made(common, main):
    """Of the benchmark in words, too, which cannot have more than the one whose items it repeats."""
    grid = micro(split_items=common, main_items=main)
    counts = [main or common, common, common, common, common, min(common, main or common)]
    assert grid.world.items_scored(grid) == sum(counts)


@pytest.mark.parametrize("main", [None, 3, 5, 12])
def test_as_many_items_are_made_as_are_counted(main):
    grid = micro(main_items=main)
    made = grid.world.generated_pool(grid)
    assert grid.world.items_scored(grid) == sum(len(made[name]) for name in grid.benchmarks)


def test_only_another_number_of_items_makes_another_pool():
    same, other = (micro(main_items=count).specs.pool() for count in (5, 12))
    assert same == micro().specs.pool()
    assert other == {**same, "items": {"iid": 12}}


def test_damaged_files_are_named(tmp_path):
    make_pool(tmp_path, 5, 20, 5, 5)
    path = tmp_path / "train.parquet"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReassessError, match=r"train\.parquet.*readable"):
        read_pool(path, MicroItem)
    with pytest.raises(ReassessError, match=r"missing.*nothing\.parquet"):
        read_pool(tmp_path / "nothing.parquet", MicroItem)
    import pandas as pd

    write_parquet(path, pd.DataFrame({"id": ["a"]}))
    with pytest.raises(ReassessError, match=r"train\.parquet lacks.*question"):
        read_pool(path, MicroItem)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"\x89PNG broken", "does not decode"), (None, "missing"), (b"", "missing")],
)
def test_a_corrupt_or_missing_image_names_its_item(items, content, problem):
    with pytest.raises(ReassessError, match=f"train-000000.*{problem}"):
        decode_image(replace(items[0], image=content))


def test_frozen_rows_are_those_with_a_trace_in_every_distribution(tmp_path):
    import pandas as pd
    from synthetic import grid_in

    grid = grid_in(tmp_path)
    write_parquet(grid.paths.pool("train"), pd.DataFrame({"id": ["a", "b", "c", "d"]}))
    for name, kept in (("same-family", ["d", "b", "a"]), ("foreign", ["a", "c", "d"])):
        write_parquet(
            grid.paths.traces("llava", name), pd.DataFrame({"id": kept, "completion": kept})
        )
    steps.freeze_rows(grid, "llava", "same-family")
    assert pd.read_parquet(grid.paths.rows("llava", "same-family"))["id"].tolist() == ["a", "d"]
    write_parquet(
        grid.paths.traces("llava", "foreign"), pd.DataFrame({"id": ["c"], "completion": ["c"]})
    )
    with pytest.raises(ReassessError, match="no row of the pool"):
        steps.freeze_rows(grid, "llava", "same-family")
