"""The outcome of a level of `reassess verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LISTED = 10  # differences of one kind that are named one by one


@dataclass
class VerifyReport:
    """The outcome of a check: differences fail it, notes do not."""

    checked: str = ""
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report for a person."""
        count = len(self.differences)
        return "\n".join(
            [
                *(f"note: {note}" for note in self.notes),
                *(f"DIFFERS: {difference}" for difference in self.differences),
                f"{self.checked}: {f'{count} differences' if count else 'identical'}",
            ]
        )

    def add(self, differences: Sequence[str]) -> None:
        """Add differences, the first few of them by name."""
        self.differences += differences[:LISTED]
        if len(differences) > LISTED:
            self.differences.append(f"and {len(differences) - LISTED} more")
