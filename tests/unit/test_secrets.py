"""Passwords and tokens are replaced in whatever is recorded or shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_grid

from reassess.cli import main
from reassess.core.errors import ReassessError
from reassess.core.secrets import HIDDEN, redact
from reassess.grid.state import recording_failure

NAMES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "WANDB_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "MY_SECRET",
    "DB_PASSWORD",
    "SSH_PASSPHRASE",
    "OPENAI_API_KEY",
    "APIKEY",
    "service_credentials",
    "SESSION_COOKIE",
    "SENTRY_DSN",
)


@pytest.mark.parametrize("name", NAMES)
def test_values_of_variables_that_speak_of_secrets_are_replaced(name, monkeypatch):
    monkeypatch.setenv(name, "open-sesame-123")
    assert redact("the answer to open-sesame-123 was 401") == f"the answer to {HIDDEN} was 401"


@pytest.mark.parametrize("name", ["HOME", "PWD", "MONKEY", "KEYBOARD", "OMP_NUM_THREADS", "PATH"])
def test_values_of_other_variables_stay(name, monkeypatch):
    monkeypatch.setenv(name, "/a/folder/of/mine")
    assert redact("in /a/folder/of/mine") == "in /a/folder/of/mine"


def test_a_short_value_is_a_word_of_ordinary_text(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "1")
    assert redact("update 1 of 10") == "update 1 of 10"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://ann:hunter2hunter@example.org/x failed",
        "GET http://hunter2hunter@example.org:8080/x failed",
        "{'Authorization': 'Bearer hunter2hunter'}",
        "authorization: Basic hunter2hunter",
        "Proxy-Authorization=hunter2hunter",
        "x-api-key: hunter2hunter",
        "Cookie: session=hunter2hunter",
        "https://example.org/x?token=hunter2hunter&n=1",
        "https://example.org/x?n=1&X-Amz-Signature=hunter2hunter",
    ],
)
def test_addresses_and_headers_keep_no_password(text):
    assert "hunter2hunter" not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize(
    "token",
    [
        "hf_" + "aB3" * 12,
        "ghp_" + "aB3" * 12,
        "github_pat_" + "aB3" * 12,
        "sk-" + "aB3" * 12,
        "AKIA" + "ABCD1234EFGH5678",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk",
    ],
)
def test_tokens_of_known_shapes_are_replaced(token):
    assert token not in redact(f"got {token}, refused")


def test_the_password_of_a_proxy_is_replaced_alone_too(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:correcthorse@proxy:3128")
    assert "correcthorse" not in redact("407 for ann, correcthorse")


@given(st.text(st.characters(codec="utf-8", exclude_characters="?&:@=")))
def test_text_without_a_secret_stays(text):
    assert redact(text) == text


def test_the_record_of_a_failure_holds_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "open-sesame-123")
    grid = tiny_grid(tmp_path)
    cell = next(iter(grid.trained.values()))
    with pytest.raises(ReassessError), recording_failure(grid, cell, "train"):
        raise ReassessError("401 for open-sesame-123")
    record = grid.paths.failure(cell.id).read_text()
    assert "open-sesame" not in record
    assert HIDDEN in json.loads(record)["error"]


def test_an_error_and_a_traceback_on_the_terminal_hold_no_secret(capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "open-sesame-123")
    for kind in (ReassessError, RuntimeError):

        def fail(*_, kind=kind, **__):
            raise kind("401 for open-sesame-123")

        monkeypatch.setattr(main, "app", fail)
        assert main.act([]) == 1
        assert "open-sesame" not in capsys.readouterr().err
