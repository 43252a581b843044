"""Errors of the file system come with what helps, whoever raised them."""

import errno
import os

import pytest

from reassess.core.errors import ReassessError
from reassess.core.files import write_text
from reassess.core.remedies import remedy


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize(
    "make",
    [
        lambda number: OSError(number, os.strerror(number)),
        lambda number: OSError(f"Error writing bytes to file. Detail: [errno {number}] x"),
        lambda number: RuntimeError(f"I/O error: {os.strerror(number)} (os error {number})"),
    ],
)
def test_a_remedy_is_found_however_the_number_is_given(number, make):
    said = remedy(make(number))
    assert said and said == remedy(OSError(number, ""))
    try:
        try:
            raise make(number)
        except Exception as inner:
            raise ValueError("outer") from inner
    except ValueError as outer:
        assert remedy(outer) == said


def test_another_error_has_none():
    assert remedy(ValueError("no errno 2 here: errno 2")) is None
    assert remedy(FileNotFoundError(errno.ENOENT, "missing")) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
def test_a_file_that_cannot_be_written_is_named_with_what_helps(tmp_path, monkeypatch, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ReassessError) as caught:
        write_text(tmp_path / "file.json", "{}")
    said = str(caught.value)
    assert str(tmp_path / "file.json") in said and os.strerror(number) in said
    assert remedy(OSError(number, "")) in said
    assert not list(tmp_path.iterdir())


def test_a_command_reports_such_an_error_of_a_library_without_a_traceback(monkeypatch, capsys):
    from reassess.cli import main

    def fail(*_, **__):
        raise RuntimeError("Error while serializing: I/O error: File too large (os error 27)")

    monkeypatch.setattr(main, "app", fail)
    assert main.act(["grid", "check"]) == 1
    said = capsys.readouterr().err
    assert "File too large" in said and "ulimit" in said and "Traceback" not in said
    monkeypatch.setattr(main, "app", lambda *_, **__: {}["nothing"])
    assert main.act(["grid", "check"]) == 1
    assert "Traceback" in capsys.readouterr().err
