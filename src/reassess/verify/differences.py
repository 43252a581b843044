"""Where two versions of a file differ: pixels, bytes or lines, by its format.

The stored version may come from anybody: nothing here opens it as anything but a PNG of the size
that was drawn, or takes longer than its size explains.
"""

from __future__ import annotations

import difflib
import itertools

from reassess.core.images import open_image

EXCERPT = 90  # characters of a differing line that are shown
ALIGNED = 2000 * 2000  # pairs of lines that are compared to align two texts; more are only counted


def explain(suffix: str, stored: bytes, drawn: bytes) -> str:
    """Where the contents of two files with this suffix differ."""
    return {".png": _pixels, ".pdf": _bytes}.get(suffix, _lines)(stored, drawn)


def _pixels(stored: bytes, drawn: bytes) -> str:
    """The region in which two images differ."""
    import numpy as np

    try:
        images = [open_image(content, ("PNG",)) for content in (stored, drawn)]
        first, second = images
        if first.size != second.size:  # by the header: no image that is larger is decoded
            return (
                f"{first.width} x {first.height} pixels stored, "
                f"{second.width} x {second.height} drawn"
            )
        pixels = [np.asarray(image.convert("RGBA"), dtype=np.int16) for image in images]
    except Exception as error:  # PIL raises many kinds on damaged or hostile bytes
        return f"the stored image cannot be read as PNG ({type(error).__name__})"
    gap = np.abs(pixels[0] - pixels[1]).max(axis=2)
    if not gap.any():
        return "the same pixels in other bytes (compression or metadata)"
    rows, columns = np.nonzero(gap.any(axis=1))[0], np.nonzero(gap.any(axis=0))[0]
    return (
        f"{int((gap > 0).sum())} of {gap.size} pixels differ, by up to {int(gap.max())} of 255, "
        f"in the region from ({columns[0]}, {rows[0]}) to ({columns[-1]}, {rows[-1]}), "
        "counted from the upper left"
    )


def _bytes(stored: bytes, drawn: bytes) -> str:
    first = next(
        (
            place
            for place, pair in enumerate(zip(stored, drawn, strict=False))
            if pair[0] != pair[1]
        ),
        min(len(stored), len(drawn)),
    )
    return (
        f"{len(stored)} bytes stored, {len(drawn)} drawn; the first difference is at byte {first}"
    )


def _lines(stored: bytes, drawn: bytes) -> str:
    return lines(*(content.decode(errors="replace") for content in (stored, drawn)))


def lines(stored: str, due: str, made: str = "drawn") -> str:
    """How many lines of two texts differ, and the first block of them.

    Args:
        stored: one text.
        due: what it should be.
        made: how that came about, for the message.
    """
    old, new = stored.splitlines(), due.splitlines()
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if not old and not new:
        return "the same lines with other line ends"
    if len(old) * len(new) > ALIGNED:
        count = max(len(old), len(new))
        return f"up to {count} lines differ, first at line {start + 1}: " + _both(
            old[:1], new[:1], made
        )
    blocks = [
        block
        for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if block[0] != "equal"
    ]
    _, old_start, old_end, new_start, new_end = blocks[0]
    count = sum(max(block[2] - block[1], block[4] - block[3]) for block in blocks)
    return f"{count} lines differ, first at line {start + old_start + 1}: " + _both(
        old[old_start:old_end], new[new_start:new_end], made
    )


def _shared(old: list[str], new: list[str]) -> int:
    """How many lines two texts share from their start on."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
    return sum(1 for _ in pairs)


def _both(old: list[str], new: list[str], made: str) -> str:
    before, after = ((" / ".join(some) or "nothing")[:EXCERPT] for some in (old, new))
    return f"stored {before!r}, {made} {after!r}"
