"""Replicated bases: which runs start from which, under which names, specs, jobs and refusals."""

import itertools
from copy import deepcopy

import pytest
from finished import finish, leave, standings, task_of
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import stand_in_grid
from synthetic import make_bundle
from tiny import tiny_config, tiny_grid
from typer.testing import CliRunner

from reassess.analysis.bundle import Bundle
from reassess.bundles.collect import study_of
from reassess.bundles.merge import study_of_both
from reassess.cli.main import app
from reassess.config.defaults import DEFAULT
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.grid.cells import Base, replicate_of
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.workflow import jobs
from reassess.workflow.planning import Planning
from reassess.workflow.rules import any_of
from reassess.worlds.micro.config import MicroConfig

SFT = "llava-w32/same-family/2000/sft/seed{}"


def grid_of(bases=3, seeds=(1, 2, 3, 4), **changes):
    tree = deepcopy(DEFAULT) | {"seeds": list(seeds)} | changes
    tree["world"] = {**tree.get("world", {}), "bases": bases}
    return Grid(MicroConfig.model_validate(tree))


# --- names ---------------------------------------------------------------------------------------


@given(st.text("aZ09._-", max_size=9).map("m{}".format), st.integers(1, 10**9 - 1))
def test_a_base_is_found_by_its_name(model, replicate):
    base = Base(model, replicate)
    assert Base.of_name(base.name) == base
    assert ("@" in base.name) is (replicate > 1)


@pytest.mark.parametrize(
    "name", ["m@", "m@1", "m@02", "m@0", "m@-2", "@2", "m@2@2", "m@²", "", "m@x"]
)
def test_what_is_no_name_of_a_base_is_refused(name):
    with pytest.raises(ReassessError, match="no base's name"):
        Base.of_name(name)


@given(st.integers(0, 10**6), st.integers(1, 50))
def test_every_seed_starts_from_one_replicate_and_that_of_a_replicates_number_is_itself(
    seed, bases
):
    assert 1 <= replicate_of(seed, bases) <= bases
    assert replicate_of(seed, bases) == replicate_of(seed + bases, bases)
    assert [replicate_of(k, bases) for k in range(1, bases + 1)] == [*range(1, bases + 1)]


def test_snakemake_takes_a_replicate_for_a_base_and_nothing_else_with_an_at():
    import re

    pattern = re.compile(any_of(["llava-w32", "llava-w32@2", "a@b", "a@2; id"]))
    assert pattern.fullmatch("llava-w32@2")
    assert not any(map(pattern.fullmatch, ("llava-w32@3", "a@b", "a@2; id")))


# --- cells ---------------------------------------------------------------------------------------


def test_seeds_take_turns_in_the_bases():
    grid = grid_of()
    found = {seed: grid.base(grid.cell(SFT.format(seed))) for seed in (1, 2, 3, 4)}
    assert found == {1: "llava-w32", 2: "llava-w32@2", 3: "llava-w32@3", 4: "llava-w32"}
    for seed, base in found.items():
        assert grid.start_checkpoint(grid.cell(SFT.format(seed))) == grid.paths.base(base)


def test_a_chain_of_training_keeps_to_one_base():
    grid = grid_of()
    cell = grid.cell("llava-w64/same-family/20/sft-grpo/seed2")
    start = grid.start(cell)
    assert grid.base(cell) == grid.base(start) == "llava-w64@2"
    assert grid.start_checkpoint(cell) == grid.paths.checkpoint(start.id)


@pytest.mark.parametrize(
    ("bases", "seeds", "due"),
    [
        (3, [1, 2, 3], [1, 2, 3]),
        (3, [4, 5], [1, 2]),
        (3, [2, 5], [2]),
        (2, [0, 1], [1, 2]),
        (1, [4, 5], [4]),
    ],
)
def test_an_untrained_arm_has_a_cell_for_each_base_in_use(bases, seeds, due):
    grid = grid_of(bases, seeds)
    assert [
        cell.seed
        for cell in grid.cells.values()
        if cell.arm == "base" and cell.model == "llava-w32"
    ] == due
    for cell in grid.cells.values():
        if cell.arm == "base":
            assert grid.checkpoint(cell) == grid.paths.base(grid.base(cell))


def test_the_bases_of_a_grid_are_those_in_use_and_the_first_of_every_model():
    assert grid_of(1).bases == list(DEFAULT["models"])
    assert grid_of(3, [2]).bases == [
        *("llava-w32", "llava-w32@2", "llava-w64", "llava-w64@2"),
        *("qwen3vl-w32", "qwen3vl-w64"),
    ]
    only = {"only": {"question": "?", "models": ["llava-w32"], "methods": ["sft"], "sizes": [20]}}
    assert set(grid_of(2, [1, 2], studies=only).bases) == {*DEFAULT["models"], "llava-w32@2"}


# --- specs ---------------------------------------------------------------------------------------


def test_further_bases_leave_all_that_is_of_the_first_as_it_is():
    one, three = grid_of(1), grid_of(3)
    for model in one.config.models:
        assert one.specs.base_hash(model) == three.specs.base_hash(model)
        hashes = {three.specs.base_hash(f"{model}@{k}") for k in (2, 3)}
        assert len({one.specs.base_hash(model), *hashes}) == 3
    for family in one.config.teachers:
        assert one.specs.teacher_hash(family, "") == three.specs.teacher_hash(family, "")
        assert one.specs.rows_hash(family, "same-family") == three.specs.rows_hash(
            family, "same-family"
        )
    same = {
        seed: one.specs.train_hash(one.cell(SFT.format(seed)))
        == three.specs.train_hash(three.cell(SFT.format(seed)))
        for seed in (1, 2, 3, 4)
    }
    assert same == {1: True, 2: False, 3: False, 4: True}


def test_a_cell_is_the_same_whichever_other_seeds_a_grid_has():
    some, all_of_them = grid_of(3, [2]), grid_of(3, [1, 2, 3])
    for name, cell in some.cells.items():
        assert some.specs.evaluation_hash(cell) == all_of_them.specs.evaluation_hash(
            all_of_them.cell(name)
        )


# --- jobs ----------------------------------------------------------------------------------------


def test_there_is_a_job_for_each_base():
    grid = grid_of(2, [1, 2])
    job = jobs.BuildBase(grid)
    assert [key.base for key in job.needed()] == grid.bases
    key = job.key("llava-w32@2")
    assert job.folders(key) == (grid.paths.base("llava-w32@2"),)
    assert job.inputs(key) == job.inputs(job.key("llava-w32"))
    assert job.spec_hash(key) != job.spec_hash(job.key("llava-w32"))


def test_a_base_that_the_grid_does_not_have_is_answered_with_the_nearest(tmp_path):
    grid = grid_of(2, [1, 2])
    with pytest.raises(ReassessError, match="did you mean 'llava-w32@2'"):
        jobs.BuildBase(grid).run(jobs.BuildBase.key("llava-w32@3"))
    config = tiny_config(tmp_path, seeds=[1, 2])
    done = CliRunner().invoke(
        app, ["job", "build-base", "--base", "llava-w23", "--config", str(config)]
    )
    assert isinstance(done.exception, ReassessError)
    assert "did you mean 'llava-w32'" in str(done.exception)


def replicated(folder, **changes):
    return tiny_grid(folder, world={"bases": 2}, seeds=[1, 2], **changes)


def test_another_base_runs_its_own_cells_again_and_no_others(tmp_path):
    grid = replicated(tmp_path)
    finish(grid)
    assert standings(grid) == {}
    base = task_of(grid, "build_base", base="llava-w32@2")
    base.job.run = lambda key: leave(base, "other")
    base.job.perform(base.key)
    again = set(Planning(grid).stale())
    seed2 = "llava-w32/same-family/12/sft/seed2"
    assert {f"train {seed2}", f"evaluate {seed2}", "evaluate llava-w32/base/seed2"} <= again
    assert not {one for one in again if "seed1" in one or one.startswith(("build", "freeze"))}


def test_a_grid_that_gets_further_bases_keeps_its_finished_cells(tmp_path):
    finish(tiny_grid(tmp_path, seeds=[1, 2]))
    grid = replicated(tmp_path)
    found = standings(grid)
    assert found["build_base llava-w32@2"] == "absent"
    assert found["train llava-w32/same-family/12/sft/seed2"] == "stale"
    assert not {one for one in found if "seed1" in one and "figure" not in one}
    states = {cell.id: state_of(grid, cell) for cell in grid.cells.values()}
    assert states["llava-w32/base/seed2"] == "to do"


# --- worlds that train no bases ------------------------------------------------------------------


def test_a_published_checkpoint_is_one_draw(tmp_path):
    with pytest.raises(
        ReassessError, match=r"grid.yaml: world.bases: 2; the hub world .*published"
    ):
        stand_in_grid(tmp_path, world={"bases": 2})


# --- bundles -------------------------------------------------------------------------------------


def test_a_bundle_says_how_many_bases_there_are(tmp_path):
    assert "bases" not in study_of(grid_of(1), {})
    assert study_of(grid_of(3), {})["bases"] == 3
    make_bundle(tmp_path, grid := replicated(tmp_path))
    bundle = Bundle.load(grid.paths.bundle)
    assert bundle.study["bases"] == bundle.study["config"]["world"]["bases"] == 2
    assert set(bundle.manifests["cell"]) == set(grid.cells)


def test_bundles_of_other_bases_do_not_merge():
    one, two, three = (study_of(grid_of(bases), {}) for bases in (1, 2, 3))
    assert study_of_both(deepcopy(three), deepcopy(three))["bases"] == 3
    for pair in ((one, two), (two, one), (two, three)):
        with pytest.raises(ReassessError, match=r"disagree on world\.bases"):
            study_of_both(*deepcopy(pair))


def test_bundles_with_other_items_of_the_main_benchmark_do_not_merge():
    some = [study_of(grid_of(world={"main_items": count}), {}) for count in (None, 700, 900)]
    assert study_of_both(deepcopy(some[0]), deepcopy(some[0]))
    for pair in itertools.permutations(some, 2):
        with pytest.raises(ReassessError, match=r"disagree on world\.main_items"):
            study_of_both(*deepcopy(pair))


def test_the_first_seed_of_the_full_grid_is_the_default_grid():
    """So `make` can be compared with the reference bundle, which is of the full one."""
    small, full = (Grid.load(ROOT / name) for name in ("config.yaml", "config/full-micro.yaml"))
    assert len({full.base(cell) for cell in full.cells.values() if cell.model == "llava-w64"}) == 3
    for name, cell in small.cells.items():
        assert small.specs.evaluation_hash(cell) == full.specs.evaluation_hash(full.cell(name))
