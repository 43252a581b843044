"""The timeline of a run: when jobs ran, by which records, and the bound on their time."""

import os

import pytest
from finished import finish, perform, task_of
from tiny import tiny_grid

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json, write_text
from reassess.workflow import timeline as timelines
from reassess.workflow.planning import Planning, stale_jobs
from reassess.workflow.records import Record
from reassess.workflow.timeline import as_text, draw, timeline

CELL = "llava-w32/same-family/12/sft/seed1"


@pytest.fixture
def grid(tmp_path):
    grid = tiny_grid(tmp_path, methods=("base", "sft"))
    finish(grid)
    return grid


def when(grid, times):
    """Set when jobs ran, by rule or by (rule, cell or base); all others took no time at the beginning."""
    for task in Planning(grid).tasks:
        path = task.job.record(task.key)
        name = (task.job.name, getattr(task.key, "cell", getattr(task.key, "base", None)))
        start, end = times.get(name, times.get(task.job.name, (0.0, 0.0)))
        write_json(path, read_json(path) | {"started": 1000.0 + start, "ended": 1000.0 + end})


def test_a_job_records_when_it_ran(grid):
    record = Record.read(grid.paths.record("train", CELL))
    assert record.started is not None
    assert record.started <= record.ended


def test_records_with_and_without_times_decide_the_same(grid):
    for path in grid.paths.records.rglob("*.json"):
        content = read_json(path)
        write_json(path, {key: content[key] for key in content if key not in ("started", "ended")})
    assert Record.read(path).started is None
    assert not stale_jobs(grid)
    when(grid, {})
    assert not stale_jobs(grid)


@pytest.mark.parametrize("time", ["soon", float("nan"), [], float("inf")])
def test_a_record_with_a_time_that_is_none_is_damaged(grid, time):
    path = grid.paths.record("train", CELL)
    write_json(path, read_json(path) | {"started": time})
    assert Record.read(path) is None


def test_the_bound_is_the_longest_chain_where_jobs_wait_for_each_other(grid):
    when(
        grid,
        {
            "build_pool": (0, 10),
            ("build_base", "llava-w32"): (10, 40),
            "train": (40, 100),
            ("evaluate", CELL): (100, 120),
            "build_tokenizer": (0, 5),
        },
    )
    found = timeline(grid, cores=2)
    names = [span.task.job.name for span in found.chain if span.seconds]
    assert names == ["build_pool", "build_base", "train", "evaluate"]
    assert found.longest == found.bound == found.real == 120
    assert found.work == 125


def test_the_bound_is_work_by_cores_where_it_is_larger(grid):
    when(
        grid,
        {"build_pool": (0, 50), "build_tokenizer": (0, 40), ("build_base", "llava-w32"): (0, 45)},
    )
    found = timeline(grid, cores=1)
    assert found.bound == found.work == 135
    assert timeline(grid).cores == max(timeline(grid).lanes) + 1 == 3


def test_times_in_which_nothing_ran_are_left_out(grid):
    when(grid, {"build_pool": (0, 10), "train": (7000, 7010), "evaluate": (7030, 7040)})
    found = timeline(grid)
    assert found.idle == 6990
    assert found.real == 50


def test_jobs_of_earlier_versions_are_read_from_snakemakes_notes(grid):
    record = Record.read(grid.paths.record("train", CELL))
    path = grid.paths.record("train", CELL)
    content = read_json(path)
    write_json(path, {key: content[key] for key in content if key not in ("started", "ended")})
    missing = timeline(grid).missing
    write_text(grid.paths.benchmark("train", CELL), "s\th:m:s\n12.5\t0:00:12\n")
    found = timeline(grid)
    assert found.missing == missing - 1
    (span,) = [span for span in found.spans if span.task.job.name == "train"]
    assert span.seconds == pytest.approx(12.5)
    assert span.end == max(
        one["modified"] / 1e9 for one in record.outputs.values() if "modified" in one
    )


def test_jobs_that_have_not_finished_are_counted(grid):
    grid.paths.record("train", CELL).unlink()
    assert timeline(grid).missing == 1
    assert "without times: 1 jobs" in as_text(timeline(grid))


def test_a_grid_that_has_not_run_has_no_timeline(tmp_path):
    with pytest.raises(ReassessError, match="no job of grid 'tiny' has finished"):
        timeline(tiny_grid(tmp_path))


def test_a_timeline_is_drawn_with_the_same_bytes_each_time(grid, tmp_path):
    when(grid, {"build_pool": (0, 10), "train": (20, 90), "evaluate": (90, 99)})
    found = timeline(grid)
    for kind in ("png", "svg", "pdf"):
        for name in ("one", "two"):
            draw(found, tmp_path / f"{name}.{kind}")
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    with pytest.raises(ReassessError, match=r"one of svg, pdf, png"):
        draw(found, tmp_path / "one.gif")


def test_the_ratio_is_in_the_summary(grid):
    when(grid, {"build_pool": (0, 10), "train": (20, 90)})
    assert timelines.summary(timeline(grid)).endswith("90.0 s = 1.12 x the bound of 80.0 s")


def test_a_job_that_runs_again_has_new_times(grid):
    task = task_of(grid, "train", cell=CELL)
    before = Record.read(grid.paths.record("train", CELL))
    perform(task)
    after = Record.read(grid.paths.record("train", CELL))
    assert after.started >= before.ended
    assert os.environ.get("REASSESS_RECORDING") is None
