"""What a picture is compared by: two grey thumbnails of it, whole and without its even margins."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from reassess.core.images import open_image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Levels = NDArray[np.int16]  # (height, width): grey, 0 to 255
Thumbnails = NDArray[np.uint8]  # (2, SIDE, SIDE): whole, trimmed

Number = TypeVar("Number", bound=np.number[Any])

SIDE = 128  # pixels of a thumbnail: strokes of text are still apart
LONGEST = 256  # pixels that a picture is reduced to first, or up to twice as many
CONTRAST = 24  # of 255: a picture with less is even, and shares nothing with another
EVEN = 16  # of 255: a line of a margin differs in no more from its own middle level
SMALLEST = 8  # pixels of what is left between margins
SEAM = 2  # lines that are mixed of two margins, of which one begins where the other ends
ROUNDS = 8  # margins inside margins
COARSE = 32  # points along a side of which the hash is made
MARGIN = 6  # of 255: compression writes no noise over even areas


class Marks(NamedTuple):
    """What is kept of a picture.

    Attributes:
        digest: a perceptual hash, 64 hexadecimal digits, for copies that are equal point by point
            but for right angles, mirroring and even margins; mostly the same for inverted ones;
            zeros for an even picture.
        views: the compressed `Thumbnails`; empty for an even picture.
    """

    digest: str
    views: bytes

    def thumbnails(self) -> Thumbnails:
        """The thumbnails; there are none of an even picture."""
        raw = np.frombuffer(zlib.decompress(self.views), dtype=np.uint8)
        return raw.reshape(2, SIDE, SIDE)


EVEN_PICTURE = Marks("0" * 64, b"")


def marks_of(encoded: bytes) -> Marks:
    """What is kept of an encoded picture.

    Raises:
        OSError: the bytes are no picture, or have too many pixels.
    """
    grey = _grey(encoded)
    levels = np.asarray(grey, dtype=np.int16)
    if int(levels.max()) - int(levels.min()) < CONTRAST:
        return EVEN_PICTURE
    inner = trimmed(levels)
    views = np.stack([_thumbnail(levels), _thumbnail(levels if inner is None else inner)])
    return Marks(_digest(views[1]), zlib.compress(views.tobytes(), 1))


def image_hash(encoded: bytes) -> str:
    """The perceptual hash of an encoded picture; see `Marks`.

    Raises:
        OSError: the bytes are no picture, or have too many pixels.
    """
    return marks_of(encoded).digest


def trimmed(levels: Levels) -> Levels | None:
    """What is inside even margins, and inside margins of these; None if nothing is.

    A margin's lines are all of one level. Where one margin ends and another begins, up to `SEAM`
    lines are of neither, after scaling or compression.
    """
    for _ in range(ROUNDS):
        before = levels.shape
        for seam in (0, SEAM):
            for _ in range(4):
                levels = np.rot90(levels[_margin(levels, seam) :])
                if min(levels.shape) < SMALLEST:
                    return None
            if levels.shape != before:
                break
        if levels.shape == before:
            return np.ascontiguousarray(levels)
    return np.ascontiguousarray(levels)


def _margin(levels: Levels, seam: int) -> int:
    """How many lines at the top are margin, the first `seam` being of any kind."""
    for skipped in range(min(seam, 1), seam + 1):
        rest = levels[skipped:]
        count = _even_lines(rest) if len(rest) else 0
        if count > (1 if skipped else 0):
            return skipped + count
    return 0


def _even_lines(levels: Levels) -> int:
    """How many lines at the top keep within `EVEN` of the first one's middle level."""
    low, high = levels.min(axis=1), levels.max(axis=1)
    twice = int(low[0]) + int(high[0])
    uneven = (2 * high - twice > 2 * EVEN) | (twice - 2 * low > 2 * EVEN)
    return int(uneven.argmax()) if uneven.any() else len(levels)


def _grey(encoded: bytes) -> Picture:
    """A grey picture of about `LONGEST` pixels, on white where it is transparent."""
    with open_image(encoded) as image:
        image.draft("L", (LONGEST, LONGEST))  # decodes a large JPEG at a fraction of its size
        grey = _opaque(_of_bytes(image)).convert("L")
    factor = max(grey.size) // LONGEST
    return grey.reduce(factor) if factor > 1 else grey


def _of_bytes(image: Picture) -> Picture:
    """The picture, of 16 bits the upper byte: PIL's own conversion makes all above 255 white."""
    from PIL import Image

    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _opaque(image: Picture) -> Picture:
    from PIL import Image

    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def _thumbnail(levels: Levels) -> NDArray[np.uint8]:
    from PIL import Image

    whole = Image.fromarray(levels.astype(np.uint8))
    return np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BOX))


def _digest(view: NDArray[np.uint8]) -> str:
    """The hash of a view: of its variants, the one whose bits are the largest number.

    A bit states whether a point is clearly darker than the next.
    """
    size = SIDE // COARSE
    coarse = view.reshape(COARSE, size, COARSE, size).mean(axis=(1, 3))
    bits = [
        np.packbits(turned[:, 1:] > turned[:, :-1] + MARGIN).tobytes()
        for one in turns(coarse)
        for turned in (one, 255 - one)
    ]
    largest = max(bits)
    return hashlib.sha256(largest).hexdigest() if any(largest) else EVEN_PICTURE.digest


def turns(view: NDArray[Number]) -> list[NDArray[Number]]:
    """The eight ways in which the last two axes can be turned and mirrored."""
    turned = [np.rot90(view, quarter, (-2, -1)) for quarter in range(4)]
    return turned + [one[..., ::-1] for one in turned]
