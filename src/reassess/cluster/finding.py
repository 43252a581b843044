"""The result of one of the doctor's checks."""

from __future__ import annotations

from dataclasses import dataclass

from reassess.core.secrets import redact
from reassess.core.text import printable


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is fine, and how to fix it if it is not."""

    what: str
    fine: bool
    fix: str = ""

    def line(self) -> str:
        """The finding as text: one line, or two if something is wrong."""
        line = f"ok    {self.what}" if self.fine else f"WRONG {self.what}\n      fix: {self.fix}"
        return printable(redact(line))
