"""Seeds derived from what they are used for."""

from __future__ import annotations

import hashlib


def derive_seed(*axes: object) -> int:
    """A seed of 31 bits that depends on the axes and on nothing else.

    The axes of a seed for data order are those of the data and the seed, never the method, so that
    every method sees the same rows in the same order.
    """
    digest = hashlib.sha256("\x1f".join(map(str, axes)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
