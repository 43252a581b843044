"""The speed at which a pool of public data is built."""

from __future__ import annotations

from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from reassess.bench.common import Measurement, repeated, seconds_of
from reassess.core.images import open_image
from reassess.grid.study import Grid
from reassess.worlds.hub.pictures import image_hash
from reassess.worlds.hub.pool import PoolReport, checkers, read_items
from reassess.worlds.hub.screen import Screen
from reassess.worlds.hub.source import find_source
from reassess.worlds.hub.testing.data_sets import find_example
from reassess.worlds.hub.testing.drawing import png

SOURCE = "geometry3k"
ROWS = 1200
TESTS = 200


def pool(grid: Grid) -> list[Measurement]:
    """Decoding, hashing and screening images, against decoding each of them whole."""
    images, source = _images(), find_source(SOURCE)
    folder = grid.source.parent / "snapshot"
    _write_snapshot(folder, images)
    # Earlier benchmarks left threads in this process: a fork of it could wait for one for ever.
    with checkers(2, get_context("spawn")) as workers:
        tests = dict(read_items(SOURCE, source, folder, PoolReport(), workers, TESTS))
        tested = {item.id: marks for item, marks in tests.items()}

        def build() -> None:
            rows = dict(read_items(SOURCE, source, folder, PoolReport(), workers))
            gallery = {item.id: marks for item, marks in rows.items()}
            Screen({"bench": list(tests)}, tested, 13).leaks(list(rows), gallery)

        def ours() -> float:
            return ROWS / seconds_of(build)

        def whole() -> float:
            return ROWS / seconds_of(lambda: [image_hash(_decoded(image)) for image in images])

        def read() -> float:
            return ROWS / seconds_of(lambda: [file.read_bytes() for file in files])

        files = [path for path in folder.rglob("*") if path.is_file()]
        rates = repeated(ours, whole, read)
    about = "one process that decodes every image whole"
    limit = "reading the files from disk, or from the system's cache of it"
    return [Measurement("pool, images", "a second", rates, about, limit, less_is_faster=False)]


def _images() -> list[bytes]:
    """Images of the sizes that public sets have: drawings as PNG, photographs as JPEG."""
    generator = np.random.default_rng(1)
    images = [png("bench", number, side=400) for number in range(ROWS // 2)]
    for _ in range(ROWS - len(images)):
        pixels = generator.integers(0, 256, size=(12, 16, 3), dtype=np.uint8)
        encoded = BytesIO()
        photograph = Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC)
        photograph.save(encoded, format="JPEG", quality=90)
        images.append(encoded.getvalue())
    return images


def _write_snapshot(folder: Path, images: list[bytes]) -> None:
    """Write a data set with one row an image, as the source's repository has it."""
    example = find_example(SOURCE)
    rows = [
        {**example.row(number), "images": [{"bytes": image, "path": ""}]}
        for number, image in enumerate(images)
    ]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data/train-00000.parquet")


def _decoded(image: bytes) -> bytes:
    """An image in a format that is read without decoding."""
    bitmap = BytesIO()
    open_image(image).convert("RGB").save(bitmap, format="BMP")
    return bitmap.getvalue()
