"""Images and small pieces of text for the rows that stand in for public data sets.

Each depends on source and number alone, so a stand-in is the same wherever it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from reassess.core.seeds import derive_seed

COLOURS = ((200, 40, 40), (40, 140, 60), (50, 80, 210), (220, 170, 30), (120, 60, 160))


def png(source: str, number: int, side: int = 56) -> bytes:
    """A PNG of a few shapes, `side` pixels wide, unlike that of any other row."""
    generator = np.random.default_rng(derive_seed("stand-in", source, number))
    background = tuple(int(value) for value in generator.integers(200, 256, size=3))
    canvas = Image.new("RGB", (side, side), background)
    pencil = ImageDraw.Draw(canvas)
    for _ in range(6):
        left, top, right, bottom = generator.integers(0, side, size=4)
        box = (
            int(min(left, right)),
            int(min(top, bottom)),
            int(max(left, right)) + 3,
            int(max(top, bottom)) + 3,
        )
        shape = (pencil.ellipse, pencil.rectangle)[int(generator.integers(2))]
        shape(box, fill=COLOURS[int(generator.integers(len(COLOURS)))])
    encoded = BytesIO()
    canvas.save(encoded, format="PNG")
    return encoded.getvalue()


def image(source: str, number: int) -> dict[str, object]:
    """An image as parquet files of the hub store it."""
    return {"bytes": png(source, number), "path": f"{source}-{number}.png"}


def angle(source: str, number: int) -> int:
    """A number of degrees."""
    return 10 + derive_seed("angle", source, number) % 150


def names(source: str, number: int) -> str:
    """Four names of two letters, so that no two questions share a long run of words."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    seed = derive_seed("words", source, number)
    return " ".join(
        letters[(seed >> shift) % 26] + letters[(seed >> (shift + 3)) % 26]
        for shift in (0, 5, 10, 15)
    )


def seldom(number: int, usual: str, others: Sequence[str]) -> str:
    """The usual text; in every sixth row one of the others in turn, so that a few have each."""
    return others[number // 6 % len(others)] if number % 6 == 5 else usual
