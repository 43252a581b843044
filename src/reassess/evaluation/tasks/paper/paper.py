"""What the task files of the paper's grid call: documents from the pool, the prompt, and the project's own verifier."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
from PIL import Image

from reassess.config.load import load_config
from reassess.data.pool import read_pool
from reassess.verifier import grade
from reassess.worlds.hub.config import HubConfig, Prompt
from reassess.worlds.hub.items import HubItem, messages_of

_prompt = Prompt()


@cache
def _prompt_of(config: str) -> Prompt:
    found = load_config(Path(config))
    assert isinstance(found, HubConfig)
    return found.world.prompt


def load(
    split: str, pool: str | None = None, config: str | None = None, **_: Any
) -> dict[str, datasets.Dataset]:
    """Return the documents of a benchmark: one for each row of its pool file, in frozen order.

    The folder of the pool comes from lm-eval's metadata, or from REASSESS_POOL; the prompt from the config named there, or the
    default.
    """
    global _prompt  # noqa: PLW0603 - lm-eval gives doc_to_text no metadata
    folder = pool or os.environ.get("REASSESS_POOL")
    if folder is None:
        raise ValueError(
            'where is the pool? pass --metadata \'{"pool": "results/paper/pool"}\' or set REASSESS_POOL'
        )
    _prompt = _prompt_of(config) if config else Prompt()
    items = read_pool(Path(folder) / f"{split}.parquet", HubItem)
    return {"test": datasets.Dataset.from_list([asdict(item) for item in items])}


def doc_to_text(doc: dict[str, Any]) -> str:
    """Return the words of the prompt, the picture's place before them."""
    (turn,) = messages_of(HubItem(**doc), _prompt)
    return "".join(
        "<image>" if part["type"] == "image" else part["text"] for part in turn["content"]
    )


def doc_to_image(doc: dict[str, Any]) -> list[Image.Image]:
    """Return the document's picture."""
    return [Image.open(BytesIO(doc["image"])).convert("RGB")] if doc["image"] is not None else []


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Score a completion by the same code that gives the reward."""
    verdict = grade(results[0].strip(), doc["answer"], doc["answer_kind"])
    return {"acc": float(verdict.correct), "format": float(verdict.format_ok)}
