"""Do a training row and a benchmark item share a picture or a run of words?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]  # (rows, 4): 256 bits a picture

SIDE = 16
MARGIN = 6
SHARE = 0.25  # of the bits that are set in either hash: line drawings set few, and few bits differ between any two of them


def image_hash(encoded: bytes) -> str:
    """Return a perceptual hash of 256 bits in hexadecimal: is each point of a 17 x 16 grey version clearly darker than the next?

    Clearly: by more than `MARGIN` of 255, so that compression does not write noise over even areas.

    Raises:
        OSError: the bytes are no picture.
    """
    from PIL import Image

    with Image.open(BytesIO(encoded)) as picture:
        picture.draft(
            "L", (4 * SIDE, 4 * SIDE)
        )  # a JPEG is then decoded at an eighth of its size or so
        grey = np.asarray(
            picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16
        )
    bits = (grey[:, 1:] > grey[:, :-1] + MARGIN).reshape(-1)
    return np.packbits(bits).tobytes().hex()


def as_bits(hashes: Sequence[str]) -> Hashes:
    """Return hexadecimal hashes as rows of four 64-bit words."""
    raw = b"".join(bytes.fromhex(one) for one in hashes)
    return np.frombuffer(raw, dtype=np.uint64).reshape(-1, 4)


def near(
    first: Sequence[str], second: Sequence[str], distance: int, chunk: int = 512
) -> NDArray[np.bool_]:
    """Return, for each hash of `first`, whether one of `second` is of the same picture.

    It is where they differ in at most `distance` bits and in at most `SHARE` of the bits that either has set. A hash
    without any bit (an even picture) is like no other.
    """
    found = np.zeros(len(first), dtype=bool)
    if not first or not second:
        return found
    left, right = as_bits(first), as_bits(second)
    for start in range(0, len(left), chunk):
        part = left[start : start + chunk]
        differ, either = np.zeros((2, len(part), len(right)), dtype=np.uint16)
        for word in range(right.shape[1]):
            differ += np.bitwise_count(part[:, word, None] ^ right[None, :, word])
            either += np.bitwise_count(part[:, word, None] | right[None, :, word])
        found[start : start + chunk] = (
            (differ <= distance) & (differ <= SHARE * either) & (either > 0)
        ).any(axis=1)
    return found


_WORD = re.compile(r"\w+")


def ngrams(text: str, size: int) -> set[str]:
    """Return the runs of `size` words of a text, lower case, punctuation aside; none for a shorter text."""
    words = _WORD.findall(text.casefold())
    return {" ".join(words[start : start + size]) for start in range(len(words) - size + 1)}


def all_ngrams(texts: Iterable[str], size: int) -> set[str]:
    """Return the runs of words of all texts."""
    return set().union(*(ngrams(text, size) for text in texts))
