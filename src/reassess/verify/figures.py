"""The first level: are figures, tables and claims drawn again from the bundle the stored ones, byte by byte?"""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path

from reassess.bundles.archive import DRAWN, DRAWN_WITH, draw_all, drawn_with, opened, tampered
from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.verify.report import Report

EXCERPT = 90  # characters of a differing line that are shown


def verify_figures(path: Path) -> Report:
    """Draw figures, tables and claims of a bundle again and hold them against the stored ones, byte by byte.

    Raises:
        ReassessError: the bundle is damaged or of a newer version, or nothing drawn is stored beside it.
    """
    report = Report()
    with opened(path) as root, tempfile.TemporaryDirectory(prefix="reassess-verify-") as made:
        report.add(tampered(root))
        report.notes += surroundings(root)
        fresh = Path(made)
        draw_all(root / "bundle", fresh)
        names = [name for name in _drawn(root) if name != DRAWN_WITH]
        if not names:
            raise ReassessError(f"{path}: nothing drawn is stored beside the bundle")
        for name in sorted(
            {
                *names,
                *(one for one in _drawn(fresh) if one.split("/")[0] in {*DRAWN, "claims.json"}),
            }
        ):
            report.add(_difference(name, root / name, fresh / name))
    report.checked = f"{len(names)} drawn files"
    return report


def _drawn(root: Path) -> list[str]:
    inside = (path for folder in DRAWN for path in (root / folder).rglob("*") if path.is_file())
    beside = (root / name for name in ("claims.json", "claims.html"))
    return sorted(
        path.relative_to(root).as_posix() for path in (*inside, *beside) if path.is_file()
    )


def surroundings(root: Path) -> list[str]:
    """Return how the present versions, font and machine differ from those that a bundle was drawn with."""
    if not (root / DRAWN_WITH).is_file():
        return ["what these files were drawn with is not recorded"]
    then, now = read_json(root / DRAWN_WITH), drawn_with()
    return [
        f"{name} was {then.get(name, 'not recorded')} when these files were drawn, and is {now.get(name, 'absent')} here"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def _difference(name: str, stored: Path, fresh: Path) -> list[str]:
    if not fresh.is_file():
        return [f"{name}: stored, but not drawn from this bundle"]
    if not stored.is_file():
        return [f"{name}: drawn from this bundle, but not stored"]
    old, new = stored.read_bytes(), fresh.read_bytes()
    if old == new:
        return []
    explain = {".png": _pixels, ".pdf": _bytes}.get(stored.suffix, _lines)
    return [f"{name}: {explain(old, new)}"]


def _pixels(old: bytes, new: bytes) -> str:
    """Say which region of a picture differs."""
    import io

    import numpy as np
    from PIL import Image

    try:
        pictures = [Image.open(io.BytesIO(content)).convert("RGBA") for content in (old, new)]
    except OSError as error:
        return f"the stored picture cannot be read ({error})"
    first, second = pictures
    if first.size != second.size:
        return (
            f"{first.width} x {first.height} pixels stored, {second.width} x {second.height} drawn"
        )
    gap = np.abs(np.asarray(first, dtype=np.int16) - np.asarray(second, dtype=np.int16)).max(axis=2)
    if not gap.any():
        return "the same pixels in other bytes (compression or metadata)"
    rows, columns = np.nonzero(gap.any(axis=1))[0], np.nonzero(gap.any(axis=0))[0]
    return (
        f"{int((gap > 0).sum())} of {gap.size} pixels differ, by up to {int(gap.max())} of 255, in the region from "
        f"({columns[0]}, {rows[0]}) to ({columns[-1]}, {rows[-1]}), counted from the upper left"
    )


def _bytes(old: bytes, new: bytes) -> str:
    first = next(
        (place for place, (one, other) in enumerate(zip(old, new, strict=False)) if one != other),
        min(len(old), len(new)),
    )
    return f"{len(old)} bytes stored, {len(new)} drawn; the first difference is at byte {first}"


def _lines(old: bytes, new: bytes) -> str:
    """Say which lines of a text differ, and show the first."""
    mine, yours = (content.decode(errors="replace").splitlines() for content in (old, new))
    blocks = [
        block
        for block in difflib.SequenceMatcher(None, mine, yours, autojunk=False).get_opcodes()
        if block[0] != "equal"
    ]
    if not blocks:
        return "the same lines with other line ends"
    _, start, end, fresh_start, fresh_end = blocks[0]
    count = sum(max(block[2] - block[1], block[4] - block[3]) for block in blocks)
    shown = [
        (" / ".join(lines) or "nothing")[:EXCERPT]
        for lines in (mine[start:end], yours[fresh_start:fresh_end])
    ]
    return (
        f"{count} lines differ, first at line {start + 1}: stored {shown[0]!r}, drawn {shown[1]!r}"
    )
