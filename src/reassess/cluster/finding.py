"""What a check of the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is fine, and what to do if not."""

    what: str
    fine: bool
    cure: str = ""

    def line(self) -> str:
        """Return the finding as a line of text."""
        return f"ok    {self.what}" if self.fine else f"WRONG {self.what}\n      mend: {self.cure}"
