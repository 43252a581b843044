"""What a level of `reassess verify` found."""

from __future__ import annotations

from dataclasses import dataclass, field

LISTED = 10  # differences of one kind that are named one by one


@dataclass
class Report:
    """What a check found: differences fail it, notes do not."""

    checked: str = ""
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the report for a person."""
        lines = [f"note: {note}" for note in self.notes]
        lines += [f"DIFFERS: {difference}" for difference in self.differences]
        return "\n".join(
            [
                *lines,
                f"{self.checked}: {'identical' if not self.differences else f'{len(self.differences)} differences'}",
            ]
        )

    def add(self, found: list[str]) -> None:
        """Add differences, the first few of them by name."""
        self.differences += found[:LISTED]
        if len(found) > LISTED:
            self.differences.append(f"and {len(found) - LISTED} more")
