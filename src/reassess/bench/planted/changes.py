"""What a copy of a picture may have gone through on its way into another set."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from reassess.bench.planted.pictures import Picture, encode, font
from reassess.core.images import open_image


def _rescaled(picture: Picture) -> Picture:
    width, height = picture.size
    size = (max(1, round(0.6 * width)), max(1, round(0.6 * height)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _squeezed(picture: Picture) -> Picture:
    return picture.resize((224, 224), Image.Resampling.BICUBIC)


def _jpeg(picture: Picture, quality: int = 40) -> Picture:
    return open_image(encode(picture, "JPEG", quality=quality)).convert("RGB")


def _cropped(share: float) -> Callable[[Picture], Picture]:
    def crop(picture: Picture) -> Picture:
        width, height = picture.size
        across, down = max(1, round(share * width)), max(1, round(share * height))
        return picture.crop((across, down, width - across, height - down))

    return crop


def _one_side(picture: Picture) -> Picture:
    width, height = picture.size
    return picture.crop((0, 0, round(0.95 * width), height))


def _framed(share: float, colour: str = "white") -> Callable[[Picture], Picture]:
    def frame(picture: Picture) -> Picture:
        return ImageOps.expand(picture, max(1, round(share * max(picture.size))), fill=colour)

    return frame


def _grey(picture: Picture) -> Picture:
    return picture.convert("L").convert("RGB")


def _bright(picture: Picture) -> Picture:
    return ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(0.8)).enhance(0.8)


def _watermarked(picture: Picture) -> Picture:
    layer = Image.new("RGBA", picture.size)
    width, height = picture.size
    size = max(10, width // 8)
    ImageDraw.Draw(layer).text(
        (0.1 * width, 0.4 * height), "SAMPLE", fill=(120, 120, 120, 110), font=font(size)
    )
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _captioned(picture: Picture) -> Picture:
    width, height = picture.size
    line = max(12, height // 12)
    canvas = Image.new("RGB", (width, height + line), "white")
    canvas.paste(picture, (0, 0))
    place = (0.3 * width, height + 0.1 * line)
    ImageDraw.Draw(canvas).text(place, "Figure 3: see text", fill="black", font=font(line * 3 // 4))
    return canvas


def _several(*steps: Callable[[Picture], Picture]) -> Callable[[Picture], Picture]:
    def run(picture: Picture) -> Picture:
        for step in steps:
            picture = step(picture)
        return picture

    return run


def _turned(way: Image.Transpose) -> Callable[[Picture], Picture]:
    return lambda picture: picture.transpose(way)


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "none": lambda picture: picture,
    "rescaled to 60 %": _rescaled,
    "squeezed into a square": _squeezed,
    "JPEG, quality 40": _jpeg,
    "cropped 1 %": _cropped(0.01),
    "cropped 3 %": _cropped(0.03),
    "cropped 5 %": _cropped(0.05),
    "cropped 5 % on one side": _one_side,
    "border 5 %": _framed(0.05),
    "border 10 %": _framed(0.10),
    "black border 10 %": _framed(0.10, "black"),
    "mirrored": _turned(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": _turned(Image.Transpose.ROTATE_180),
    "rotated 90°": _turned(Image.Transpose.ROTATE_90),
    "inverted": ImageOps.invert,
    "grey": _grey,
    "darker and paler": _bright,
    "watermark": _watermarked,
    "caption below": _captioned,
    "cropped 3 %, mirrored, JPEG": _several(
        _cropped(0.03), _turned(Image.Transpose.FLIP_LEFT_RIGHT), _jpeg
    ),
    "inverted, border 10 %, JPEG": _several(ImageOps.invert, _framed(0.10), _jpeg),
}
