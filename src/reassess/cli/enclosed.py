"""`reassess` in a view of the files, which is entered before anything else is imported or read."""

from __future__ import annotations

from reassess.cli import entry
from reassess.core.view import enter_as_told

if __name__ == "__main__":
    enter_as_told()
    entry.main()
