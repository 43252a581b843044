"""Where processes look for modules: never in the working folder, which may be somebody's bundle."""

from __future__ import annotations

import os


def keep_out_working_folder() -> None:
    """Let Python programs that are started from here import nothing from the working folder.

    It is the first place where a program given by `-c` or `-m` looks, and `multiprocessing` starts
    its processes by `-c`.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")
