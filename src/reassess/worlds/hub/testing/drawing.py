"""Pictures and small problems for the rows that stand in for public data sets."""

from __future__ import annotations

from io import BytesIO

from reassess.core.seeds import derive_seed

COLOURS = ((200, 40, 40), (40, 140, 60), (50, 80, 210), (220, 170, 30), (120, 60, 160))


def picture(source: str, number: int, side: int = 56) -> bytes:
    """Return a PNG of a few shapes that depends on source and number, unlike any other's."""
    import numpy as np
    from PIL import Image, ImageDraw

    generator = np.random.default_rng(derive_seed("stand-in", source, number))
    drawn = Image.new(
        "RGB", (side, side), tuple(int(value) for value in generator.integers(200, 256, size=3))
    )
    pencil = ImageDraw.Draw(drawn)
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
    drawn.save(encoded, format="PNG")
    return encoded.getvalue()


def image(source: str, number: int) -> dict[str, object]:
    """Return a picture as parquet files of the hub hold it."""
    return {"bytes": picture(source, number), "path": f"{source}-{number}.png"}


def angle(source: str, number: int) -> int:
    """Return a number of degrees that depends on source and number."""
    return 10 + derive_seed("angle", source, number) % 150


def words(source: str, number: int) -> str:
    """Return a sentence of names no other row has, so that no two questions share a long run of words."""
    names = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    seed = derive_seed("words", source, number)
    return " ".join(
        names[(seed >> shift) % 26] + names[(seed >> (shift + 3)) % 26] for shift in (0, 5, 10, 15)
    )
