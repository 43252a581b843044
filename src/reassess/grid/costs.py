"""What one job costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """What one job costs.

    Attributes:
        gpus: GPUs it asks for.
        gpu_hours: GPUs times hours.
        disk_gb: what it leaves.
        scratch_gb: what it needs while it runs.
        download_gb: what it downloads.
    """

    gpus: int = 0
    gpu_hours: float = 0.0
    disk_gb: float = 0.0
    scratch_gb: float = 0.0
    download_gb: float = 0.0

    @property
    def hours(self) -> float:
        """Hours by the clock."""
        return self.gpu_hours / max(1, self.gpus)
