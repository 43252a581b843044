"""Whose rows a trainer trains on: in a cell's job, the cell's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reassess.core.errors import ReassessError

_own: ContextVar[frozenset[str] | None] = ContextVar("own_rows", default=None)


@contextmanager
def only_rows(ids: Iterable[str]) -> Iterator[None]:
    """Let trainers refuse rows with other ids inside the context."""
    before = _own.set(frozenset(ids))
    try:
        yield
    finally:
        _own.reset(before)


def require_own(ids: Iterable[str]) -> None:
    """Check that rows are the cell's, where a cell is being trained.

    Raises:
        ReassessError: some are not; names the first.
    """
    own = _own.get()
    strange = [] if own is None else sorted(set(ids) - own)
    if strange:
        raise ReassessError(
            f"the method trains on {len(strange)} rows that are not its cell's, first "
            f"{strange[0]!r}; it may use run.rows and run.items, and no others"
        )
