"""How pools before version 3 compared pictures and questions, kept to be measured beside today.

One hash a picture, and runs of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reassess.core.images import open_image

Hashes = NDArray[np.uint64]  # (rows, 4): 256 bits an image

SIDE = 16
MARGIN = 6
# Of the bits that are set in either hash. Line drawings set few bits, and few differ between any
# two of them.
SHARE = 0.25


def image_hash(encoded: bytes) -> str:
    """A perceptual hash of 256 bits in hexadecimal.

    A bit states whether a point of a 17 x 16 grey version is clearly darker than the next: by more
    than `MARGIN` of 255, so that compression writes no noise over even areas.

    Raises:
        OSError: the bytes are no image, or have too many pixels.
    """
    from PIL import Image

    with open_image(encoded) as image:
        image.draft("L", (4 * SIDE, 4 * SIDE))  # decodes a JPEG at about an eighth of its size
        grey = np.asarray(
            image.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16
        )
    bits = (grey[:, 1:] > grey[:, :-1] + MARGIN).reshape(-1)
    return np.packbits(bits).tobytes().hex()


def as_bits(hashes: Sequence[str]) -> Hashes:
    """Hexadecimal hashes as rows of four 64-bit words."""
    raw = b"".join(bytes.fromhex(digest) for digest in hashes)
    return np.frombuffer(raw, dtype=np.uint64).reshape(-1, 4)


def near(
    first: Sequence[str], second: Sequence[str], distance: int, chunk: int = 512
) -> NDArray[np.bool_]:
    """For each hash of `first`, whether one of `second` is of the same image.

    Two hashes are of the same image if they differ in at most `distance` bits and in at most
    `SHARE` of the bits that either has set. A hash without any bit (an even image) matches none.
    """
    matches = np.zeros(len(first), dtype=bool)
    if not first or not second:
        return matches
    left, right = as_bits(first), as_bits(second)
    for start in range(0, len(left), chunk):
        part = left[start : start + chunk]
        differ, either = np.zeros((2, len(part), len(right)), dtype=np.uint16)
        for word in range(right.shape[1]):
            differ += np.bitwise_count(part[:, word, None] ^ right[None, :, word])
            either += np.bitwise_count(part[:, word, None] | right[None, :, word])
        matches[start : start + chunk] = (
            (differ <= distance) & (differ <= SHARE * either) & (either > 0)
        ).any(axis=1)
    return matches


_WORD = re.compile(r"\w+")


def ngrams(text: str, size: int) -> set[str]:
    """The runs of `size` words of a text, lower case, without punctuation."""
    words = _WORD.findall(text.casefold())
    return {" ".join(words[start : start + size]) for start in range(len(words) - size + 1)}


def all_ngrams(texts: Iterable[str], size: int) -> set[str]:
    """The runs of words of all texts."""
    return set().union(*(ngrams(text, size) for text in texts))
