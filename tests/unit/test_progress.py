"""The progress display, fed the events that Snakemake sends."""

import io
import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_reassess import LogHandler, Progress, clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def handler(stream, monkeypatch):
    monkeypatch.setattr("sys.stderr", stream)
    common = SimpleNamespace(
        quiet=None,
        nocolor=True,
        printshellcmds=False,
        debug_dag=False,
        dryrun=False,
        show_failed_logs=True,
    )
    return LogHandler(common_settings=common, settings=None)


def send(to, event, level=logging.INFO, **fields):
    record = logging.LogRecord("snakemake", level, __file__, 1, None, None, None)
    record.event = event
    for name, value in fields.items():
        setattr(record, name, value)
    to.emit(record)


def start(to, job, rule, cell):
    send(to, LogEvent.JOB_INFO, jobid=job, rule_name=rule, wildcards={"cell": cell})


def test_cells_are_counted_by_their_last_job(monkeypatch):
    stream = io.StringIO()
    shown = handler(stream, monkeypatch)
    send(shown, LogEvent.RUN_INFO, stats={"train": 2, "evaluate": 2, "total": 4})
    send(shown, LogEvent.RESOURCES_INFO, cores=2)
    start(shown, 1, "train", "a")
    assert shown.progress.line().startswith(
        "cells: 0 of 2 done, 1 running, 0 failed | jobs: 0 of 4"
    )
    assert shown.progress.line().endswith("estimating")
    send(shown, LogEvent.JOB_FINISHED, job_id=1)
    start(shown, 2, "evaluate", "a")
    send(shown, LogEvent.JOB_FINISHED, job_id=2)
    assert "cells: 1 of 2 done, 0 running, 0 failed | jobs: 2 of 4" in stream.getvalue()
    assert "left | ended: evaluate a" in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_a_failure_is_shown_with_the_end_of_its_log(monkeypatch, tmp_path):
    stream = io.StringIO()
    shown = handler(stream, monkeypatch)
    log = tmp_path / "job.log"
    log.write_text("\n".join(f"line {number}" for number in range(20)))
    send(shown, LogEvent.RUN_INFO, stats={"train": 1, "evaluate": 1})
    start(shown, 1, "train", "a")
    send(
        shown,
        LogEvent.JOB_ERROR,
        level=logging.ERROR,
        jobid=1,
        log=[str(log), str(tmp_path / "none.log")],
    )
    text = stream.getvalue()
    assert "FAILED: train a" in text
    assert "| line 19" in text
    assert "line 14" not in text
    assert "1 failed" in shown.progress.line()


def test_a_terminal_gets_one_line_that_is_kept_up_to_date(monkeypatch):
    stream = Terminal()
    shown = handler(stream, monkeypatch)
    send(shown, LogEvent.RUN_INFO, stats={"train": 1, "evaluate": 1})
    start(shown, 1, "train", "a")
    send(shown, LogEvent.JOB_FINISHED, job_id=1)
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().split("\r\033[K")[1].endswith("now: train a")


def test_the_estimate_is_the_mean_of_each_rules_jobs_over_the_workers():
    progress = Progress(
        workers=2,
        waiting={"train": 3, "evaluate": 1},
        took={"train": [10.0, 20.0], "evaluate": [5.0]},
    )
    assert progress.seconds_left() == pytest.approx((3 * 15 + 5) / 2)
    unknown = Progress(workers=1, waiting={"train": 2}, took={"evaluate": [4.0]})
    assert unknown.seconds_left() == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (61.4, "1:01"), (3600, "1:00:00"), (7384, "2:03:04")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
