"""Seeds derived from what they are for."""

from __future__ import annotations

import hashlib


def derive_seed(*axes: object) -> int:
    """Return a seed of 31 bits that depends on the axes and on nothing else.

    Seeds of data order name the data axes and the seed but never the method, so every method meets the same rows in the
    same order.
    """
    digest = hashlib.sha256("\x1f".join(map(str, axes)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
