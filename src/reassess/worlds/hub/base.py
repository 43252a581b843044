"""Base checkpoints of the hub world: the pinned files, with one pixel budget written into them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import Json, write_json
from reassess.core.images import open_image
from reassess.core.manifest import Manifest
from reassess.data.items import Message
from reassess.grid.study import Grid
from reassess.training.checkpoints import describe
from reassess.training.loading import load_processor
from reassess.worlds.hub.config import Pixels
from reassess.worlds.hub.fetch import MODEL_FILES
from reassess.worlds.hub.items import HubItem
from reassess.worlds.hub.pins import Pin
from reassess.worlds.hub.repositories import Repositories

PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"


def lay_out(grid: Grid, repositories: Repositories, model: str) -> None:
    """Make a checkpoint folder of links into the cache, with a preprocessor config of its own.

    Every engine reads its pixel budget from the checkpoint's folder, and vLLM reads its own copy. A
    budget stated only in our config would give trainer and rollout engine different numbers of
    visual tokens, and nothing would report it.

    Raises:
        ReassessError: a file is not the one that is pinned; names it.
    """
    config = repositories.config
    repo = config.models[model].hub
    manifest = Manifest("build_base", grid.specs.base(model), grid.specs.base_hash(model))
    source = repositories.model_snapshot(repo)
    folder = grid.paths.base(model)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if _is_fetched(path) and path.name not in (PREPROCESSOR, PROCESSOR):
            (temporary / path.name).symlink_to(path.resolve())
    preprocessor = with_pixels(read_preprocessor(source), config.world.pixels)
    write_json(temporary / PREPROCESSOR, preprocessor)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    hashes = describe(folder)
    _require_pinned(folder, repositories.pin("model", repo), hashes["checkpoint_files"])
    manifest.add(repo=repo, **hashes)
    write_json(grid.paths.base_manifest(model), manifest.close())


def _is_fetched(path: Path) -> bool:
    """Whether a file of a snapshot is one that a fetch asks for: others may lie there too."""
    return path.is_file() and any(fnmatch(path.name, pattern) for pattern in MODEL_FILES)


def _require_pinned(folder: Path, pin: Pin, found: Mapping[str, str]) -> None:
    """Compare a checkpoint's files with the hashes that its pin states, mostly of weights.

    Raises:
        ReassessError: one differs; names the file in the cache.
    """
    for name, (_, digest) in pin.files.items():
        if digest and name in found and name != PREPROCESSOR and found[name] != digest:
            raise ReassessError(
                f"{(folder / name).resolve()} is not the file {name} of commit {pin.revision}; "
                "delete it and fetch it again (`reassess fetch`)"
            )


def read_preprocessor(source: Path) -> Json:
    """The image processor's config, from its own file or from inside the processor's."""
    if (source / PREPROCESSOR).is_file():
        content: Json = json.loads((source / PREPROCESSOR).read_text())
        return content
    nested: Json = json.loads((source / PROCESSOR).read_text())["image_processor"]
    return nested


def with_pixels(config: Json, pixels: Pixels) -> Json:
    """An image processor's config with a pixel budget in every spelling in use."""
    budget = {"shortest_edge": pixels.smallest, "longest_edge": pixels.largest}
    return {**config, "min_pixels": pixels.smallest, "max_pixels": pixels.largest, "size": budget}


def prompt_measure(
    checkpoint: Path, prompt: Callable[[HubItem], list[Message]]
) -> Callable[[Sequence[HubItem]], list[int]]:
    """A function that gives the lengths of items' prompts in tokens, those of images included.

    Images are measured by their headers, not processed.
    """
    processor = load_processor(checkpoint)

    def lengths(items: Sequence[HubItem]) -> list[int]:
        texts = [
            processor.apply_chat_template(prompt(item), add_generation_prompt=True, tokenize=False)
            for item in items
        ]
        encoded = processor.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        sizes = [_size(item.image) for item in items if item.image is not None]
        visual = iter(
            processor._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens
            if sizes
            else ()
        )
        # An image's one placeholder in the text becomes as many tokens as it has merged patches.
        return [
            len(ids) + (next(visual) - 1 if item.image is not None else 0)
            for item, ids in zip(items, encoded, strict=True)
        ]

    return lengths


def _size(encoded: bytes) -> tuple[int, int]:
    """Height and width of an image, from its header."""
    with open_image(encoded) as image:
        return image.height, image.width
