"""Which of a family's frozen rows a seed trains on, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from reassess.core.files import sha256_text


def drawn(rows: Sequence[str], draw: int | None) -> list[str]:
    """The frozen rows in the order in which a seed draws them: its cells train on the first ones.

    The order is by a hash of draw and id. So sizes nest within a seed; a row stands before another
    whichever other rows are usable, so that families and distributions with nearly the same rows
    draw nearly the same; and the first rows of an order, drawn again, are in that order.

    Args:
        rows: ids, in frozen order.
        draw: the seed's own number; None leaves the order as it is.
    """
    if draw is None:
        return list(rows)
    return sorted(rows, key=lambda row: (_place(draw, row), row))


def _place(draw: int, row: str) -> str:
    return sha256_text(f"{draw}\x1f{row}")
