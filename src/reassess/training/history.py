"""The history of a run: every logged number with its step. Each trainer checkpoint carries it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reassess.core.files import read_json, write_json
from reassess.training.checkpoints import check_resumable, describe_resumable

if TYPE_CHECKING:
    import pandas as pd
    import torch

MARKER = "history.json"  # written into a trainer checkpoint last; one without it is incomplete


class History:
    """Numbers by step and metric, and the running totals (samples, tokens, FLOPs, seconds)."""

    def __init__(self) -> None:
        """Start empty."""
        self.rows: list[tuple[int, str, float]] = []
        self.totals: dict[str, float] = {
            "samples": 0.0,
            "tokens": 0.0,
            "flops": 0.0,
            "seconds": 0.0,
        }

    def add(self, step: int, **values: float) -> None:
        """Record the finite ones of a step's numbers."""
        self.rows += [
            (step, name, float(value)) for name, value in values.items() if math.isfinite(value)
        ]

    def spend(self, **amounts: float) -> None:
        """Add to the running totals."""
        for name, amount in amounts.items():
            self.totals[name] += float(amount)

    def spend_everywhere(self, device: torch.device | str, **amounts: float) -> None:
        """Add the amounts of all processes of a job; every process must call it."""
        import torch

        sums = torch.tensor(list(amounts.values()), dtype=torch.float64, device=device)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        self.spend(**dict(zip(amounts, sums.tolist(), strict=True)))

    def add_totals(self, step: int) -> None:
        """Record the running totals at a step."""
        self.add(step, **self.totals)

    def save(self, checkpoint: Path) -> None:
        """Write the history into a trainer checkpoint, which makes it complete.

        The hashes of its other files are written with it.
        """
        files = describe_resumable(checkpoint) if checkpoint.is_dir() else {}
        files.pop(MARKER, None)
        content = {"rows": self.rows, "totals": self.totals, "files": files}
        write_json(checkpoint / MARKER, content)

    def restore(self, checkpoint: Path) -> None:
        """Replace the content by that of a trainer checkpoint.

        Raises:
            ReassessError: a file of the checkpoint is not the one that was saved.
        """
        content = read_json(checkpoint / MARKER)
        check_resumable(checkpoint, content.get("files", {}))  # earlier versions wrote none
        self.rows = [(int(step), str(name), float(value)) for step, name, value in content["rows"]]
        self.totals = {name: float(value) for name, value in content["totals"].items()}

    def frame(self) -> pd.DataFrame:
        """The history as rows (step, metric, value), sorted by metric and step."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=["step", "metric", "value"])
        frame = frame.drop_duplicates(["step", "metric"], keep="last").sort_values(
            ["metric", "step"], kind="stable"
        )
        return frame.astype({"step": "int64", "value": "float64"}).reset_index(drop=True)


class Outcome(NamedTuple):
    """What training leaves besides the weights.

    Attributes:
        history: the curves, and the totals of samples, tokens, FLOPs and seconds.
        resumed: whether the run continued from a trainer checkpoint.
    """

    history: History
    resumed: bool
