"""Where the files beside the code are: Snakefile, rules, profiles, configs, locks.

In a checkout they stand at its top. A wheel carries a copy of them, which its build puts into the
package (`setup.py`); `reassess init` copies from there what a user edits.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from reassess.core.errors import ReassessError

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = (PACKAGE.parents[1] / "Snakefile").is_file()
ROOT = PACKAGE.parents[1] if CHECKOUT else PACKAGE / "_project"
CARRIED = (
    "Snakefile",
    "config.yaml",
    "config",
    "claims",
    "workflow",
    "envs",
)  # in a wheel; see setup.py
EDITED = ("config.yaml", "config", "workflow/profiles")  # what `reassess init` writes


def init(folder: Path) -> list[Path]:
    """Write what a user edits into a folder: the default config, further configs, profiles.

    Returns:
        what was written.

    Raises:
        ReassessError: one of them is there already; nothing is written then.
    """
    present = [name for name in EDITED if (folder / name).exists()]
    if present:
        raise ReassessError(f"{folder} has {', '.join(present)} already; choose another folder")
    for name in EDITED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    return [folder / name for name in EDITED]
