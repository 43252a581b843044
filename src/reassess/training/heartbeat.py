"""How far a training job is: a small file in its work folder, written every few seconds."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from reassess.core.files import read_json, write_json

HEARTBEAT = "heartbeat.json"


@dataclass(frozen=True)
class Heartbeat:
    """Updates done, updates in all, the node, and the time in seconds since the epoch."""

    step: int
    of: int
    node: str
    time: float

    @classmethod
    def now(cls, step: int, of: int) -> Heartbeat:
        """The heartbeat of this moment and machine."""
        return cls(step, of, platform.node(), time.time())

    def write(self, work: Path) -> None:
        """Write it into a job's work folder."""
        write_json(work / HEARTBEAT, asdict(self))

    @classmethod
    def read(cls, work: Path) -> Heartbeat | None:
        """The last heartbeat in a job's work folder; None if there is none.

        Raises:
            ReassessError: the file is not readable.
        """
        path = work / HEARTBEAT
        return cls(**read_json(path)) if path.is_file() else None
