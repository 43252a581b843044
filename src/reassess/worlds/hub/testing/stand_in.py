"""Repositories that stand in for public ones: the same names, layouts and architectures, tiny content, made here.

With them every job of the paper's grid runs on a laptop. What they score says nothing about the models they stand in for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reassess.core.errors import ReassessError
from reassess.core.seeds import derive_seed
from reassess.worlds.hub.items import Dropped
from reassess.worlds.hub.pins import Kind
from reassess.worlds.hub.source import Source, find_source

if TYPE_CHECKING:
    from reassess.grid.study import Grid
    from reassess.worlds.hub.world import HubWorld

ROWS = 48  # of each data set
VOCABULARY = 600
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTHS = {"2B": 32, "3B": 64, "7B": 96, "32B": 96}  # by the size in the model's name
HEAD = 32  # width of an attention head; vLLM on a CPU has no smaller
TEACHER_STEPS = 400


def make_repository(grid: Grid, world: HubWorld, kind: Kind, repo: str, revision: str) -> None:
    """Write a repository into the hub cache's layout: `snapshots/<commit>/` and `refs/main`.

    Raises:
        ReassessError: no cache folder is configured: the user's own cache must not get a made-up repository.
    """
    cache = world.config.world.cache
    if cache is None:
        raise ReassessError(
            "a stand-in needs world.cache: made-up repositories must not get into your own hub cache"
        )
    root = cache / f"{kind}s--{repo.replace('/', '--')}"
    folder = root / "snapshots" / revision
    temporary = root / f".{revision}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if kind == "model":
        _make_model(grid, world, repo, temporary)
    else:
        for name in world.sources(grid.benchmarks):
            if find_source(name).repo == repo:
                _make_data(find_source(name), temporary)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(folder)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / "main").write_text(revision)


# --- data ---------------------------------------------------------------------------------------------------------------


def _make_data(source: Source, folder: Path) -> None:
    """Write a source's example rows in its own file format, under the first of its patterns."""
    rows = [dict(source.example(number)) for number in range(ROWS)]
    path = folder / source.files[0].replace("*", "00000")
    path.parent.mkdir(parents=True, exist_ok=True)
    if source.example_files is not None:
        source.example_files(folder, range(ROWS))
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        import csv

        with path.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def example_items(names: Iterable[str]) -> list[Any]:
    """Return the items that the pool will hold of the stand-ins of those sources."""
    from reassess.worlds.hub.items import HubItem

    found = []
    for name in names:
        source = find_source(name)
        for row_id, row in _example_rows(name, source):
            options, kind = json.dumps(row.options), row.answer_kind
            found.append(
                HubItem(
                    row_id,
                    0,
                    source.repo,
                    row.family,
                    row.question,
                    options,
                    row.answer,
                    kind,
                    row.image,
                    "",
                    row.trace,
                    "",
                )
            )
    return found


def _example_rows(name: str, source: Source) -> Iterable[tuple[str, Any]]:
    from reassess.worlds.hub.testing.drawing import picture

    for number in range(ROWS):
        raw: Mapping[str, Any] = {
            **source.example(number),
            "files": lambda _, number=number: picture(name, number),
        }
        try:
            for place, row in enumerate(source.convert(raw)):
                yield f"{name}-{number:06d}" + (f".{place}" if place else ""), row
        except Dropped:
            continue


# --- models ---------------------------------------------------------------------------------------------------------------


def _make_model(grid: Grid, world: HubWorld, repo: str, folder: Path) -> None:
    """Write a checkpoint with random weights; one that is sampled as a teacher first learns its pool by heart.

    Rejection sampling from random weights would keep nothing, and no job after it would have anything to do.
    """
    items = example_items(world.config.world.sources)
    model, processor = build_model(repo, _tokenizer(world, items), world.config.world.pixels)
    teachers = {
        *world.config.teachers.values(),
        *(one.teacher for one in world.config.distributions.values() if one.teacher),
    }
    if repo in {world.config.models[name].hub for name in teachers}:
        _learn_by_heart(world, model, processor, items, folder.with_suffix(".work"))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    _as_published(folder)


def _tokenizer(world: HubWorld, items: Sequence[Any]) -> Any:
    """Return a byte-level tokenizer trained on the stand-in's own prompts; the same for every model."""
    from reassess.training.loading import quiet

    quiet()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    prompts = [
        part["text"]
        for item in items
        for turn in world.prompt(item)
        for part in turn["content"]
        if part["type"] == "text"
    ]
    tokenizer.train_from_iterator(
        [*prompts, *(trace_of(item) for item in items), "system\nYou are a helpful assistant."],
        trainer,
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=[
            name for name in SPECIAL if name not in ("<|endoftext|>", "<|im_end|>")
        ],
        chat_template=TEMPLATE,
    )


def trace_of(item: Any) -> str:
    """Return a completion in the layout that the prompt asks for."""
    return f"<think>I look at the figure.</think> \\boxed{{{item.answer}}}"


def build_model(repo: str, tokenizer: Any, pixels: Any) -> tuple[Any, Any]:
    """Return a tiny model of the architecture that the name says, with random weights, and its processor.

    Widths grow with the size in the name; embeddings are tied for 2B and 3B and not for 7B and more, as in the public ones.
    """
    from reassess.training.loading import quiet

    quiet()
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    newer, size = "Qwen2.5" in repo, repo.partition("VL-")[2].partition("-")[0]
    width, token = WIDTHS.get(size, 32), tokenizer.convert_tokens_to_ids
    text = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": width // HEAD,
        "num_key_value_heads": 1,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 1024,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": _sections(HEAD),
        },
        "tie_word_embeddings": size in ("2B", "3B"),
        "initializer_range": 0.08,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision: dict[str, Any] = {
        "depth": 2,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    if newer:
        vision |= {
            "hidden_size": 32,
            "intermediate_size": 64,
            "out_hidden_size": width,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        }
    else:
        vision |= {"embed_dim": 32, "mlp_ratio": 2, "hidden_size": width}
    config = (Qwen2_5_VLConfig if newer else Qwen2VLConfig)(
        text_config=text,
        vision_config=vision,
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=text["tie_word_embeddings"],
    )
    torch.manual_seed(derive_seed("stand-in", repo))
    model = (Qwen2_5_VLForConditionalGeneration if newer else Qwen2VLForConditionalGeneration)(
        config
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    budget = {"min_pixels": pixels.smallest, "max_pixels": pixels.largest}
    processor = (Qwen2_5_VLProcessor if newer else Qwen2VLProcessor)(
        image_processor=Qwen2VLImageProcessor(**budget),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**budget),
        chat_template=TEMPLATE,
    )
    return model, processor


def _sections(head: int) -> list[int]:
    """Return how half a head's width is divided among time, height and width of a position."""
    half = head // 2
    return [half - 2 * (half // 3), half // 3, half // 3]


def _learn_by_heart(
    world: HubWorld, model: Any, processor: Any, items: Sequence[Any], work: Path
) -> None:
    from reassess.data.pool import decode_image
    from reassess.training.preprocessed import preprocess
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings

    rows = preprocess(items, [trace_of(item) for item in items], processor, world.prompt, decode_image)
    settings = SftSettings(
        max_steps=TEACHER_STEPS, batch_size=16, learning_rate=3e-3, save_every=10_000
    )
    work.mkdir(parents=True, exist_ok=True)
    train_sft(
        model, processor, rows, settings, order_seed=derive_seed("stand-in teacher"), work=work
    )
    shutil.rmtree(work, ignore_errors=True)


def _as_published(folder: Path) -> None:
    """Bring files into the layout of the public checkpoints: a flat config, and the image processor's in a file of its own."""
    config = json.loads((folder / "config.json").read_text())
    text = config.pop("text_config")
    (folder / "config.json").write_text(json.dumps({**text, **config}, indent=2))
    processor = folder / "processor_config.json"
    if processor.is_file():
        inside = json.loads(processor.read_text())
        (folder / "preprocessor_config.json").write_text(
            json.dumps(inside["image_processor"], indent=2)
        )
        processor.unlink()


def first_rows(name: str, count: int) -> list[Any]:
    """Return the first example rows of a source as its adapter reads them."""
    return [row for _, row in islice(_example_rows(name, find_source(name)), count)]
