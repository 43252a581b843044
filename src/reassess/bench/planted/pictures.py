"""Pictures of the kinds that public sets hold, to measure what the screen for leaks finds.

Each depends on kind and number alone. Two numbers share a template, as in public sets (axes, frame,
font, paper), and nothing else: they are no copies of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reassess.core.images import open_image
from reassess.core.seeds import derive_seed

Picture = Image.Image
Pixels = NDArray[np.uint8]

INK = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#333333")
WORDS = (
    "area", "angle", "graph", "point", "triangle", "circle", "sum", "value", "mean", "cost",
    "time", "speed", "year", "sales", "root", "line", "square", "number", "energy", "water",
    "plant", "cell", "leaf", "sun", "moon", "force", "mass", "total", "left", "right", "ratio",
)  # fmt: skip
TILE = 140  # pixels of a photograph's tile


def generator_of(kind: str, number: int) -> Generator:
    """The random numbers of one picture."""
    return np.random.default_rng(derive_seed("planted", kind, number))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that PIL brings."""
    return ImageFont.load_default(size)


def chart(number: int) -> Picture:
    """A chart of matplotlib with its usual style: bars, lines, points, a histogram or a pie."""
    from matplotlib.figure import Figure

    random = generator_of("chart", number)
    figure = Figure(figsize=(4.0, 3.0), dpi=100)
    axes = figure.add_subplot()
    count = int(random.integers(4, 9))
    colour = INK[int(random.integers(3))]
    match int(random.integers(5)):
        case 0:
            names = [str(word) for word in random.choice(WORDS, count, replace=False)]
            axes.bar([name[:5] for name in names], random.uniform(1, 10, count), color=colour)
        case 1:
            for _ in range(int(random.integers(1, 4))):
                axes.plot(np.cumsum(random.normal(0, 1, 20)))
        case 2:
            axes.scatter(*random.uniform(0, 10, (2, 5 * count)), color=colour)
        case 3:
            centre, width = random.uniform(1, 5, 2).tolist()
            axes.hist(random.normal(centre, width, 60), bins=count + 4, color=colour)
        case _:
            axes.pie(random.uniform(1, 5, count))
    axes.set_title(" ".join(str(word) for word in random.choice(WORDS, 3)))
    drawn = BytesIO()
    figure.savefig(drawn, format="png", pil_kwargs={"compress_level": 1})
    return open_image(drawn.getvalue()).convert("RGB")


def function_plot(number: int) -> Picture:
    """The graph of a function in a grid with its axes in the middle."""
    random = generator_of("function", number)
    side = 320
    canvas = Image.new("RGB", (side, side), "white")
    pencil = ImageDraw.Draw(canvas)
    for place in range(0, side + 1, side // 10):
        pencil.line((place, 0, place, side), fill="#dddddd")
        pencil.line((0, place, side, place), fill="#dddddd")
    pencil.line((side // 2, 0, side // 2, side), fill="black", width=2)
    pencil.line((0, side // 2, side, side // 2), fill="black", width=2)
    x = np.linspace(-5, 5, side)
    a, b, c, d = random.uniform(-1.2, 1.2, 4)
    curves = (
        a * x + 3 * b,
        a * x**2 / 2 + b * x + 3 * c,
        a * x**3 / 8 + b * x**2 / 4 + c * x + d,
        3 * a * np.sin(2 * b * x + c) + d,
        np.exp(a * x) * np.sign(b) + 2 * c,
    )
    y = curves[int(random.integers(len(curves)))]
    points = [(float(px), float(side / 2 - side / 10 * py)) for px, py in enumerate(y)]
    pencil.line(points, fill=INK[int(random.integers(2))], width=2)
    return canvas


def geometry(number: int) -> Picture:
    """A drawing of thin black lines on white with letters and numbers, as geometry sets have it."""
    random = generator_of("geometry", number)
    width, height = (int(value) for value in random.integers(160, 420, 2))
    canvas = Image.new("L", (width, height), 255)
    pencil = ImageDraw.Draw(canvas)
    count = int(random.integers(3, 6))
    points = [
        (float(x), float(y))
        for x, y in random.uniform(0.1, 0.9, (count, 2)) * np.array((width, height))
    ]
    pencil.polygon(points, outline=0)
    for _ in range(int(random.integers(0, 3))):
        first, second = random.choice(count, 2, replace=False)
        pencil.line((points[int(first)], points[int(second)]), fill=0)
    if random.random() < 0.5:
        x, y = points[0]
        radius = float(random.uniform(0.1, 0.4)) * min(width, height)
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), outline=0)
    for place, (x, y) in enumerate(points):
        pencil.text((x + 3, y - 14), "ABCDEF"[place], fill=0, font=font(13))
    pencil.text(points[1], str(int(random.integers(2, 180))), fill=0, font=font(12))
    return canvas.convert("RGB")


def diagram(number: int) -> Picture:
    """Boxes with words, joined by arrows, as in books of science."""
    random = generator_of("diagram", number)
    canvas = Image.new("RGB", (400, 300), "white")
    pencil = ImageDraw.Draw(canvas)
    boxes = []
    for _ in range(int(random.integers(4, 8))):
        x, y = (int(value) for value in random.uniform((10, 10), (310, 240)))
        boxes.append((x, y, x + int(random.integers(50, 80)), y + int(random.integers(25, 45))))
    for one, other in pairwise(boxes):
        pencil.line((one[2], one[3], other[0], other[1]), fill="black", width=2)
    for box in boxes:
        shape = (pencil.rectangle, pencil.ellipse)[int(random.integers(2))]
        fill = ("#ffe0b0", "#d0e8ff", "#e0ffd0", "white")[int(random.integers(4))]
        shape(box, fill=fill, outline="black")
        word = str(random.choice(WORDS))
        pencil.text((box[0] + 8, box[1] + 8), word, fill="black", font=font(12))
    return canvas


def page(number: int) -> Picture:
    """A question in words, as benchmarks render it into a picture."""
    random = generator_of("page", number)
    canvas = Image.new("RGB", (400, 220), "white")
    pencil = ImageDraw.Draw(canvas)
    for line in range(int(random.integers(4, 9))):
        text = " ".join(str(word) for word in random.choice(WORDS, 8))
        pencil.text((12, 12 + 22 * line), text, fill="black", font=font(14))
    return canvas


def noise(number: int) -> Picture:
    """Clouds of colour with the spectrum of photographs (amplitude 1/f)."""
    random = generator_of("noise", number)
    height, width = 180, 240
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    amplitude = 1 / np.maximum(np.hypot(rows, columns), 1 / width)
    shared = random.normal(size=(height, width))
    channels = []
    for _ in range(3):
        spectrum = np.fft.rfft2(shared + 0.5 * random.normal(size=(height, width))) * amplitude
        values = np.fft.irfft2(spectrum, s=(height, width))
        values = (values - values.mean()) / values.std()
        channels.append(np.clip(128 + 50 * values, 0, 255).astype(np.uint8))
    return Image.fromarray(np.stack(channels, axis=-1))


@cache
def _photographs() -> list[Pixels]:
    from sklearn.datasets import load_sample_images

    return [np.asarray(image, dtype=np.uint8) for image in load_sample_images().images]


def photograph(number: int) -> Picture:
    """A tile of the two photographs that scikit-learn brings; no two tiles overlap.

    Raises:
        IndexError: the photographs have fewer tiles.
    """
    for image in _photographs():
        rows, columns = image.shape[0] // TILE, image.shape[1] // TILE
        if number < rows * columns:
            top, left = (TILE * place for place in divmod(number, columns))
            return Image.fromarray(image[top : top + TILE, left : left + TILE])
        number -= rows * columns
    raise IndexError(number)


@cache
def _digits() -> Pixels:
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().images * 15.9375, dtype=np.uint8)


def digit(number: int) -> Picture:
    """A scan of a handwritten digit of scikit-learn, 8 pixels wide and enlarged.

    Raises:
        IndexError: there are 1,797.
    """
    scan = Image.fromarray(255 - _digits()[number])
    return scan.resize((128, 128), Image.Resampling.BICUBIC).convert("RGB")


KINDS: dict[str, Callable[[int], Picture]] = {
    "chart": chart,
    "function plot": function_plot,
    "geometry": geometry,
    "diagram": diagram,
    "page of text": page,
    "clouds": noise,
    "photograph": photograph,
    "digit": digit,
}
MOST = {"photograph": 24, "digit": 1797}  # how many there are of a kind that is not endless


def encode(picture: Picture, form: str = "PNG", **options: int) -> bytes:
    """The bytes of a picture's file."""
    out = BytesIO()
    picture.save(out, format=form, **options)
    return out.getvalue()
