"""`reassess doctor --profile NAME`: what would fail on the cluster of a profile."""

from __future__ import annotations

import yaml

from reassess.cluster.finding import Finding
from reassess.cluster.kubernetes_doctor import examine_kubernetes
from reassess.cluster.slurm_doctor import examine_slurm
from reassess.core.errors import ReassessError
from reassess.grid.study import Grid
from reassess.workflow.run import find_profile

EXAMINERS = {  # by the executor of a profile
    "slurm": examine_slurm,
    "cluster-generic": examine_kubernetes,
}


def examine_cluster(profile: str, grid: Grid) -> list[Finding]:
    """Findings about the cluster of a profile, which is given by name or as a folder.

    Raises:
        ReassessError: there is no such profile, or there are no checks for its executor.
    """
    folder = find_profile(profile)
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    executor = settings.get("executor", "local")
    if executor not in EXAMINERS:
        raise ReassessError(
            f"profile {profile!r} has executor {executor!r}: there are checks for "
            f"{', '.join(EXAMINERS)}"
        )
    return EXAMINERS[executor](settings, folder, grid)
