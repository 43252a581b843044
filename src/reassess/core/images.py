"""Images whose bytes somebody else has made: of data sets and bundles."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# Of all formats, those of pictures on the web: for others PIL starts programs (Ghostscript for EPS)
# or reads further files.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def open_image(encoded: bytes, formats: tuple[str, ...] = FORMATS) -> Image:
    """Open an image, of which only the header is read.

    Raises:
        OSError: the bytes are no image in one of the formats, or it has too many pixels.
    """
    from PIL import Image

    try:
        return Image.open(BytesIO(encoded), formats=formats)
    except Image.DecompressionBombError as error:
        raise OSError(str(error)) from error
