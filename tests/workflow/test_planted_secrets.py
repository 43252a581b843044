"""A whole run in an environment full of secrets: none is in any file that it leaves."""

import os
import subprocess
import sys

import pytest
from tiny import tiny_config

pytestmark = pytest.mark.slow
SECRETS = {
    "HF_TOKEN": "hf_plantedPLANTED0123456789abcdef",
    "WANDB_API_KEY": "planted-wandb-0123456789",
    "AWS_SECRET_ACCESS_KEY": "planted/aws/0123456789",
    "GITHUB_TOKEN": "planted-github-0123456789",
    "MY_SECRET": "planted-mine-0123456789",
    "HTTPS_PROXY": "http://ann:planted-proxy-0123@127.0.0.1:9",
    "HF_ENDPOINT": "http://ann:planted-endpoint-0123@127.0.0.1:9",
}
VALUES = [*SECRETS.values(), "planted-proxy-0123", "planted-endpoint-0123", "planted-netrc-0123"]
LEAKING = '''
import os

from reassess.methods.sft import Sft


class Leaking(Sft):
    """Fails with an error that quotes what an error of a network client may quote."""

    name = "leaking"
    citation = "a test"

    def fit(self, run):
        raise RuntimeError(
            f"401 for {os.environ['HF_ENDPOINT']}/api with Bearer {os.environ['HF_TOKEN']}, "
            f"{os.environ['MY_SECRET']}, by {os.environ['HTTPS_PROXY']}"
        )
'''


def test_no_secret_of_the_environment_is_in_any_file_of_a_run(tmp_path):
    plugins, home, folder = (tmp_path / name for name in ("plugins", "home", "run"))
    for path in (plugins, home, folder):
        path.mkdir()
    (plugins / "leaking.py").write_text(LEAKING)
    (home / ".netrc").write_text("machine example.org login ann password planted-netrc-0123\n")
    config = tiny_config(folder, methods=["base", "leaking"], plugins=[plugins])
    environment = {**os.environ, **SECRETS, "HOME": str(home)}
    outputs = ""
    archive = str(folder / "study.zip")
    for words in (
        ["run", "--config", str(config)],
        ["status", "--config", str(config)],
        ["grid", "cells", "--config", str(config)],
        ["bundle", "pack", "--config", str(config), "--out", archive],
        ["doctor", "--config", str(config)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "reassess.cli.entry", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        outputs += done.stdout + done.stderr
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any("report.html" in path.name for path in files), outputs
    assert any("failed.json" in path.name for path in files), outputs
    assert (folder / "study.zip").is_file(), outputs
    leaks = [
        f"{value} in {path.relative_to(folder)}"
        for path in files
        for value in VALUES
        if value.encode() in path.read_bytes()
    ]
    leaks += [f"{value} in the output" for value in VALUES if value in outputs]
    assert not leaks
