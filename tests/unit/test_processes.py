"""The waits of other tests: they last as long as there is progress."""

import itertools
import subprocess
import time

import processes
import pytest
from processes import files_below, wait_for_end, wait_until


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(processes, "POLL", 0.01)
    monkeypatch.setattr(processes, "LOOK", 0.01)


def test_a_wait_outlasts_its_limit_as_long_as_something_changes():
    steps = itertools.count()
    ends = time.monotonic() + 0.6
    wait_until(lambda: time.monotonic() > ends, "the end", lambda: next(steps), stalled=0.2)


def test_a_wait_fails_when_nothing_changes_and_names_what_it_waited_for():
    with pytest.raises(AssertionError, match=r"the end.*no progress.*1 job"):
        wait_until(lambda: False, "the end", stalled=0.1, also=lambda: "1 job")


def test_a_wait_fails_some_day_whatever_changes(monkeypatch):
    monkeypatch.setattr(processes, "LONGEST", 0.3)
    steps = itertools.count()
    with pytest.raises(AssertionError, match="the end"):
        wait_until(lambda: False, "the end", lambda: next(steps))


def test_a_process_without_progress_is_killed():
    process = subprocess.Popen(["sleep", "60"])
    with pytest.raises(AssertionError):
        wait_for_end(process, "sleep", stalled=0.1)
    assert process.returncode is not None
    assert wait_for_end(subprocess.Popen(["false"]), "false") == 1


def test_written_made_and_removed_files_are_progress(tmp_path):
    states = [files_below(tmp_path)]
    (tmp_path / "folder").mkdir()
    log = tmp_path / "folder/log"
    for act in (log.touch, lambda: log.write_text("line"), log.unlink):
        act()
        states.append(files_below(tmp_path))
    assert len(set(states)) == 3  # without the file it is as before
    assert states[0] == states[-1]
