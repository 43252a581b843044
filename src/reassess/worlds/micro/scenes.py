"""Scenes: nine cells, each empty or with a coloured shape, as an image and in words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SIDE = 3  # cells a row
CELL = 16  # pixels a cell
BACKGROUND = (127, 127, 127)  # mid grey becomes 0 after normalisation
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (230, 200, 40),
}
SHAPES = ("square", "circle", "triangle")

Filling = tuple[str, str]
Scene = tuple[Filling | None, ...]

ALL_COMBINATIONS: tuple[Filling, ...] = tuple(
    (colour, shape) for colour in COLOURS for shape in SHAPES
)
UNSEEN: tuple[Filling, ...] = (("red", "triangle"), ("blue", "circle"))  # never trained on
SEEN: tuple[Filling, ...] = tuple(pair for pair in ALL_COMBINATIONS if pair not in UNSEEN)
_GREY = np.array(BACKGROUND, dtype=np.int16)[:, None, None]
_PALETTE = np.array(list(COLOURS.values())).T  # by channel and colour


def draw_scene(
    generator: np.random.Generator, fill: float, combinations: Sequence[Filling]
) -> Scene:
    """A scene whose cells are filled with probability `fill`, uniformly from `combinations`."""
    return tuple(
        combinations[int(generator.integers(len(combinations)))]
        if generator.random() < fill
        else None
        for _ in range(SIDE * SIDE)
    )


def render(scene: Scene, generator: np.random.Generator, jitter: int) -> Image.Image:
    """The image of a scene: 48x48 RGB without anti-aliasing.

    Shapes are moved by up to 2 `jitter` pixels and shrunk to fit.
    """
    image = Image.new("RGB", (SIDE * CELL, SIDE * CELL), BACKGROUND)
    pencil = ImageDraw.Draw(image)
    side = CELL - 2 * jitter - 2
    moves = generator.integers(0, 2 * jitter + 1, size=(len(scene), 2)).tolist()
    for place, (filling, (right, down)) in enumerate(zip(scene, moves)):
        if filling is None:
            continue
        left = CELL * (place % SIDE) + 1 + right
        top = CELL * (place // SIDE) + 1 + down
        _draw_shape(pencil, filling, (left, top, left + side - 1, top + side - 1))
    return image


def _draw_shape(
    pencil: ImageDraw.ImageDraw, filling: Filling, box: tuple[int, int, int, int]
) -> None:
    colour, shape = COLOURS[filling[0]], filling[1]
    left, top, right, bottom = box
    if shape == "square":
        pencil.rectangle(box, fill=colour)
    elif shape == "circle":
        pencil.ellipse(box, fill=colour)
    else:
        pencil.polygon([((left + right) // 2, top), (left, bottom), (right, bottom)], fill=colour)


def describe(scene: Scene) -> str:
    """A scene in words: nine entries in reading order."""
    return ", ".join("nothing" if filling is None else " ".join(filling) for filling in scene)


def scene_hash(scene: Scene) -> str:
    """A hash of a scene's content, independent of the jitter."""
    return hashlib.sha256(describe(scene).encode()).hexdigest()[:32]


def image_hash(image: Image.Image) -> str:
    """A perceptual hash: for each cell, the nearest colour and the covered share in three steps.

    Images of one scene collide whatever the jitter, because neither the hue nor the covered share
    of a cell depends on where in its cell a shape is. The share tells the three shapes apart: a
    square fills its box, a circle four fifths of it, a triangle half. The box is estimated from the
    image itself, so the hash needs no knowledge of how the image was made.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
    cells = pixels.reshape(SIDE, CELL, SIDE, CELL, 3).transpose(4, 0, 2, 1, 3)
    cells = cells.reshape(3, SIDE * SIDE, CELL * CELL)  # by channel, cell and pixel
    inked = np.abs(cells - _GREY).sum(axis=0, dtype=np.int16) > 60
    count = np.count_nonzero(inked, axis=1)
    mean = (cells * inked).sum(axis=2) / np.maximum(count, 1)
    nearest = np.abs(mean[:, :, None] - _PALETTE[:, None]).sum(axis=0).argmin(axis=1)
    spots = inked.reshape(-1, CELL, CELL)
    share = count / (_extent(spots.any(axis=1)) * _extent(spots.any(axis=2)))
    colours = list(COLOURS)
    return "".join(
        colours[colour][0] + ("s" if part > 0.95 else "c" if part > 0.68 else "t")
        if any_ink
        else "--"
        for colour, part, any_ink in zip(nearest.tolist(), share.tolist(), count.tolist())
    )


def _extent(hit: np.ndarray) -> np.ndarray:
    """The distance from each row's first hit to its last, both included."""
    extent: np.ndarray = hit.shape[1] - hit.argmax(axis=1) - hit[:, ::-1].argmax(axis=1)
    return extent
