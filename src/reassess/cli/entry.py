"""The `reassess` command: sent to the fork server, if there is one, before any import."""

from __future__ import annotations

import sys

from reassess.workflow.fork_server import forward


def main() -> None:
    """Run the command line."""
    code = forward(sys.argv[1:])
    if code is None:
        from reassess.cli.main import act

        code = act(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()
