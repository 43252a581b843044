"""One job of a timeline, without matplotlib."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A job.

    Attributes:
        rule: of which rule.
        lane: on which core, from 0.
        start: seconds after the first job.
        seconds: how long it took.
        critical: whether it is on the longest chain.
    """

    rule: str
    lane: int
    start: float
    seconds: float
    critical: bool
