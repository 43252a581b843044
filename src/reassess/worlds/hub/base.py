"""Base checkpoints of the hub world: the pinned files, with one pixel budget written into them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reassess.core.files import write_json
from reassess.core.manifest import Manifest
from reassess.worlds.hub.fetch import snapshot

if TYPE_CHECKING:
    from reassess.grid.study import Grid
    from reassess.worlds.hub.world import HubWorld

PREPROCESSOR = "preprocessor_config.json"


def lay_out(grid: Grid, world: HubWorld, model: str) -> None:
    """Make a checkpoint folder of links into the cache, with a preprocessor config of its own.

    Every engine reads its pixel budget from the checkpoint's folder, vLLM its own copy too; a budget that stood only in our
    config would give trainer and rollout engine different numbers of visual tokens, and nothing would say so.
    """
    found = world.config.models[model]
    manifest = Manifest("build_base", grid.specs.base(model), grid.specs.base_hash(model))
    source = snapshot(
        "model", found.hub, world.pin("model", found.hub).revision, world.config.world.cache
    )
    folder = grid.paths.base(model)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name not in (PREPROCESSOR, "processor_config.json"):
            (temporary / path.name).symlink_to(path.resolve())
    write_json(
        temporary / PREPROCESSOR, with_pixels(read_preprocessor(source), world.config.world.pixels)
    )
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    manifest.add(repo=found.hub)
    write_json(grid.paths.results / "models" / model / "base.json", manifest.close())


def read_preprocessor(source: Path) -> dict[str, Any]:
    """Return the image processor's config, from its own file or from inside a processor's."""
    if (source / PREPROCESSOR).is_file():
        found: dict[str, Any] = json.loads((source / PREPROCESSOR).read_text())
        return found
    inside: dict[str, Any] = json.loads((source / "processor_config.json").read_text())[
        "image_processor"
    ]
    return inside


def with_pixels(config: dict[str, Any], pixels: Any) -> dict[str, Any]:
    """Return an image processor's config with a pixel budget in every spelling that is in use."""
    budget = {"shortest_edge": pixels.smallest, "longest_edge": pixels.largest}
    return {**config, "min_pixels": pixels.smallest, "max_pixels": pixels.largest, "size": budget}


def measure(folder: Path, prompt: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[int]]:
    """Return a function that gives the length of items' prompts in tokens; pictures are measured, not processed."""
    from reassess.training.loading import load_processor

    processor = load_processor(folder)

    def lengths(items: Sequence[Any]) -> list[int]:
        texts = [
            processor.apply_chat_template(prompt(item), add_generation_prompt=True, tokenize=False)
            for item in items
        ]
        counted = (
            [len(ids) for ids in processor.tokenizer(texts, add_special_tokens=False)["input_ids"]]
            if texts
            else []
        )
        sizes = [_size(item.image) for item in items if item.image is not None]
        visual = iter(
            processor._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens
            if sizes
            else ()
        )
        # The picture's one placeholder in the text becomes as many tokens as it has merged patches.
        return [
            count + (next(visual) - 1 if item.image is not None else 0)
            for item, count in zip(items, counted, strict=True)
        ]

    return lengths


def _size(encoded: bytes) -> tuple[int, int]:
    """Return height and width of a picture from its header."""
    from io import BytesIO

    from PIL import Image

    with Image.open(BytesIO(encoded)) as picture:
        return picture.height, picture.width
