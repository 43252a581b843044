"""`reassess doctor --profile NAME`: what would go wrong on the cluster of a profile, said before anything is submitted."""

from __future__ import annotations

from pathlib import Path

import yaml

from reassess.cluster.finding import Finding
from reassess.cluster.kubernetes_doctor import examine_kubernetes
from reassess.cluster.slurm_doctor import examine_slurm
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.grid.study import Grid

PROFILES = ROOT / "workflow" / "profiles"
EXAMINERS = {
    "slurm": examine_slurm,
    "cluster-generic": examine_kubernetes,
}  # by the executor of a profile


def examine_cluster(profile: str, grid: Grid) -> list[Finding]:
    """Return what a look at the cluster finds, for a profile by name or folder.

    Raises:
        ReassessError: there is no such profile, or its executor is not one that is known here.
    """
    folder = next(
        (path for path in (Path(profile), PROFILES / profile) if (path / "config.yaml").is_file()),
        None,
    )
    if folder is None:
        known = sorted(path.parent.name for path in PROFILES.glob("*/config.yaml"))
        raise ReassessError(
            f"no profile {profile!r}: give a folder with a config.yaml, or one of {', '.join(known)}"
        )
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    executor = settings.get("executor", "local")
    if executor not in EXAMINERS:
        raise ReassessError(
            f"profile {profile!r} has executor {executor!r}: clusters are looked at for {', '.join(EXAMINERS)}"
        )
    return EXAMINERS[executor](settings, folder, grid)
