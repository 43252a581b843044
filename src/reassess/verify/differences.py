"""Where two versions of a file differ: pixels, bytes or lines, by its format."""

from __future__ import annotations

import difflib
import io

EXCERPT = 90  # characters of a differing line that are shown


def explain(suffix: str, stored: bytes, drawn: bytes) -> str:
    """Where the contents of two files with this suffix differ."""
    return {".png": _pixels, ".pdf": _bytes}.get(suffix, _lines)(stored, drawn)


def _pixels(stored: bytes, drawn: bytes) -> str:
    """The region in which two images differ."""
    import numpy as np
    from PIL import Image

    try:
        images = [Image.open(io.BytesIO(content)).convert("RGBA") for content in (stored, drawn)]
    except OSError as error:
        return f"the stored image cannot be read ({error})"
    first, second = images
    if first.size != second.size:
        return (
            f"{first.width} x {first.height} pixels stored, {second.width} x {second.height} drawn"
        )
    gap = np.abs(np.asarray(first, dtype=np.int16) - np.asarray(second, dtype=np.int16)).max(axis=2)
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
    """How many lines of two texts differ, and the first block of them."""
    old, new = (content.decode(errors="replace").splitlines() for content in (stored, drawn))
    blocks = [
        block
        for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if block[0] != "equal"
    ]
    if not blocks:
        return "the same lines with other line ends"
    _, old_start, old_end, new_start, new_end = blocks[0]
    count = sum(max(block[2] - block[1], block[4] - block[3]) for block in blocks)
    before, after = (
        (" / ".join(lines) or "nothing")[:EXCERPT]
        for lines in (old[old_start:old_end], new[new_start:new_end])
    )
    return (
        f"{count} lines differ, first at line {old_start + 1}: stored {before!r}, drawn {after!r}"
    )
