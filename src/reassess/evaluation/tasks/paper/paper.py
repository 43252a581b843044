"""Functions that the task files of the paper's grid name.

They give documents from the pool, the prompt, and scores by the project's own verifier.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache
from pathlib import Path

import datasets
from PIL import Image

from reassess.config.load import load_config
from reassess.core.files import Json
from reassess.core.images import open_image
from reassess.data.pool import read_pool
from reassess.verifier import grade
from reassess.worlds.hub.config import HubConfig, Prompt
from reassess.worlds.hub.items import HubItem, messages_of

_prompt = Prompt()


@cache
def _prompt_of(config: str) -> Prompt:
    loaded = load_config(Path(config))
    assert isinstance(loaded, HubConfig)
    return loaded.world.prompt


def load(
    split: str, pool: str | None = None, config: str | None = None, **_: object
) -> dict[str, datasets.Dataset]:
    """The documents of a benchmark: one for each row of its pool file, in frozen order.

    The folder of the pool comes from lm-eval's metadata, or from REASSESS_POOL; the prompt from the
    config that the metadata name, or the default.

    Raises:
        ValueError: neither names the pool.
    """
    global _prompt  # noqa: PLW0603 - lm-eval gives doc_to_text no metadata
    folder = pool or os.environ.get("REASSESS_POOL")
    if folder is None:
        raise ValueError(
            'where is the pool? pass --metadata \'{"pool": "results/paper/pool"}\' '
            "or set REASSESS_POOL"
        )
    _prompt = _prompt_of(config) if config else Prompt()
    items = read_pool(Path(folder) / f"{split}.parquet", HubItem)
    return {"test": datasets.Dataset.from_list([asdict(item) for item in items])}


def doc_to_text(doc: Json) -> str:
    """The text of the prompt, with the image's place where it is."""
    (turn,) = messages_of(HubItem(**doc), _prompt)
    return "".join(
        "<image>" if part["type"] == "image" else part["text"] for part in turn["content"]
    )


def doc_to_image(doc: Json) -> list[Image.Image]:
    """The document's image, if it has one."""
    return [open_image(doc["image"]).convert("RGB")] if doc["image"] is not None else []


def process_results(doc: Json, results: list[str]) -> dict[str, float]:
    """Score a completion by the same code that gives the reward."""
    verdict = grade(results[0].strip(), doc["answer"], doc["answer_kind"])
    return {"acc": float(verdict.correct), "format": float(verdict.format_ok)}
