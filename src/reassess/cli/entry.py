"""The `reassess` command: sent to the fork server, if there is one, before any import."""

from __future__ import annotations

import os
import signal
import sys

from reassess.core.lifetime import end_with_owner
from reassess.workflow.fork_server import JOB, VARIABLE, forward


def main() -> None:
    """Run the command line. A job ends with the Snakemake or the launcher that started it."""
    use_utf8()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are imported, for instance
        code = 128 + signal.SIGINT
    sys.exit(code)


def use_utf8() -> None:
    """Start again in Python's UTF-8 mode, where the locale has another encoding.

    Configs, logs and the output of other programs are UTF-8 whatever the locale. Everything that
    is started from here inherits the mode.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    if arguments[:1] == [JOB]:
        end_with_owner()
    code = forward(arguments)
    if code is None:
        from reassess.cli.main import act

        os.environ.pop(VARIABLE, None)  # what the job starts is for this process alone
        code = act(arguments)
    return code


if __name__ == "__main__":
    main()
