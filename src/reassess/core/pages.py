"""Parts of pages that are generated, between two marks."""

from __future__ import annotations

from pathlib import Path

from reassess.core.errors import ReassessError


def between_marks(page: str, path: Path, start: str, end: str, content: str) -> str:
    """A page with other content between its marks.

    Args:
        page: the page as it is.
        path: its file, for the error.
        start: the mark that stands before the content.
        end: the mark that stands after it.
        content: what is put there.

    Raises:
        ReassessError: the page has no such marks.
    """
    before, first, rest = page.partition(start)
    _, second, after = rest.partition(end)
    if not (first and second):
        raise ReassessError(f"{path}: no {start} followed by {end}")
    return f"{before}{start}\n{content}\n{end}{after}"
