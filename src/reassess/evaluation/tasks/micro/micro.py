"""Functions that the task files of the micro world name.

They give documents from the pool, the prompt, and scores by the project's own verifier.
"""

from __future__ import annotations

import os
from pathlib import Path

import datasets
from PIL import Image

from reassess.core.files import Json
from reassess.core.images import open_image
from reassess.data.pool import read_pool
from reassess.verifier import grade
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.prompts import question_text


def load(split: str, pool: str | None = None, **_: object) -> dict[str, datasets.Dataset]:
    """The documents of a split: one for each row of its pool file, in frozen order.

    The folder of the pool comes from lm-eval's metadata, or from REASSESS_POOL.

    Raises:
        ValueError: neither names it.
    """
    folder = pool or os.environ.get("REASSESS_POOL")
    if folder is None:
        raise ValueError(
            'where is the pool? pass --metadata \'{"pool": "results/micro/pool"}\' '
            "or set REASSESS_POOL"
        )
    items = read_pool(Path(folder) / f"{split}.parquet", MicroItem)
    return {"test": datasets.Dataset.from_list([vars(item) for item in items])}


def doc_to_text(doc: Json) -> str:
    """The text of the prompt, with the image's place after it."""
    return question_text(MicroItem(**doc)) + ("<image>" if doc["image"] is not None else "")


def doc_to_image(doc: Json) -> list[Image.Image]:
    """The document's image."""
    return [open_image(doc["image"]).convert("RGB")]


def process_results(doc: Json, results: list[str]) -> dict[str, float]:
    """Score a completion by the same code that gives the reward."""
    verdict = grade(results[0].strip(), doc["answer"], doc["answer_kind"])
    return {"acc": float(verdict.correct), "format": float(verdict.format_ok)}
