"""The outcome of a level of `reassess verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from reassess.core.text import printable

LISTED = 10  # differences of one kind that are named one by one


@dataclass
class VerifyReport:
    """The outcome of a check: differences and what could not be checked fail it, notes do not.

    Attributes:
        checked: what was compared.
        agreement: what holds of it if nothing differs.
        leaves_open: what the level does not prove.
        differences: where the bundle is not what it should be.
        unchecked: what could not be compared, and what would allow it.
        notes: what a reader should know beside the outcome.
    """

    checked: str = ""
    agreement: str = "no difference"
    leaves_open: str = ""
    differences: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing differs and everything could be checked."""
        return not self.differences and not self.unchecked

    def text(self) -> str:
        """The report for a person: each entry is one line, whatever a bundle has put into it."""
        lines = [
            *(f"note: {note}" for note in self.notes),
            *(f"NOT CHECKED: {problem}" for problem in self.unchecked),
            *(f"DIFFERS: {difference}" for difference in self.differences),
            f"{self.checked}: {self._outcome()}",
            *([f"not proved by this: {self.leaves_open}"] if self.leaves_open else []),
        ]
        return "\n".join(printable(line, lines=False) for line in lines)

    def _outcome(self) -> str:
        if self.differences:
            return f"{len(self.differences)} differences"
        return "not all of it could be checked" if self.unchecked else self.agreement

    def reword(self, change: Callable[[str], str]) -> None:
        """Change the text of every entry."""
        for entries in (self.differences, self.unchecked, self.notes):
            entries[:] = map(change, entries)

    def add(self, differences: Iterable[str]) -> None:
        """Add differences, the first few of them by name."""
        found = list(differences)
        self.differences += found[:LISTED]
        if len(found) > LISTED:
            self.differences.append(f"and {len(found) - LISTED} more")


def listed(names: Sequence[str]) -> str:
    """The first of some names, in a note."""
    return ", ".join(names[:LISTED]) + (" ..." if len(names) > LISTED else "")
