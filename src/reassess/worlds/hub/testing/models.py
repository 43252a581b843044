"""Stand-ins for public checkpoints: the same architectures, tiny and with random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.files import Json, set_usual_modes
from reassess.core.seeds import derive_seed
from reassess.data.items import Message
from reassess.training.loading import Model, Processor, quiet
from reassess.training.sft_settings import SftSettings
from reassess.worlds.hub.base import PREPROCESSOR, PROCESSOR
from reassess.worlds.hub.config import HubConfig, Pixels
from reassess.worlds.hub.items import HubItem, messages_of
from reassess.worlds.hub.testing.data_sets import example_items
from reassess.worlds.hub.testing.tokenizer import TEMPLATE, stand_in_tokenizer, trace_of
from reassess.worlds.tiny import position_sections

quiet()  # before the libraries below are imported

import torch  # noqa: E402
from transformers import (  # noqa: E402
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

from reassess.training.preprocessed import preprocess  # noqa: E402
from reassess.training.sft import train_sft  # noqa: E402

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WIDTHS = {"2B": 32, "3B": 64, "7B": 96, "32B": 96}  # by the size in the model's name
HEAD = 32  # width of an attention head; vLLM on a CPU has no smaller
TEACHER_STEPS = 400

Prompt = Callable[[HubItem], list[Message]]


def write_model(config: HubConfig, repo: str, folder: Path) -> None:
    """Write a checkpoint with random weights; one that serves as a teacher first learns its pool.

    Rejection sampling from random weights would keep nothing, and the jobs after it would have
    nothing to do.
    """
    items = example_items(config.world.sources)

    def prompt(item: HubItem) -> list[Message]:
        return messages_of(item, config.world.prompt)

    tokenizer = stand_in_tokenizer(items, prompt)
    model, processor = build_model(repo, tokenizer, config.world.pixels)
    sampled = [one.teacher for one in config.distributions.values() if one.teacher]
    if repo in {config.models[name].hub for name in (*config.teachers.values(), *sampled)}:
        _memorise(model, processor, items, prompt, folder.with_suffix(".work"))
    save_as_published(model, processor, folder)


def build_model(
    repo: str, tokenizer: PreTrainedTokenizerFast, pixels: Pixels
) -> tuple[Model, Processor]:
    """A tiny model of the architecture that the name implies, and its processor.

    Widths grow with the size in the name; embeddings are tied for 2B and 3B but not for 7B and
    more, as in the public models.
    """
    newer, size = "Qwen2.5" in repo, repo.partition("VL-")[2].partition("-")[0]
    width, token = WIDTHS.get(size, 32), tokenizer.convert_tokens_to_ids
    config = (Qwen2_5_VLConfig if newer else Qwen2VLConfig)(
        text_config=_text(width, tied=size in ("2B", "3B"), tokenizer=tokenizer),
        vision_config=_vision(width, newer=newer),
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=size in ("2B", "3B"),
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


def _text(width: int, *, tied: bool, tokenizer: PreTrainedTokenizerFast) -> Json:
    return {
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
            "mrope_section": position_sections(HEAD),
        },
        "tie_word_embeddings": tied,
        "initializer_range": 0.08,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def _vision(width: int, *, newer: bool) -> Json:
    shared: Json = {
        "depth": 2,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    if not newer:
        return {**shared, "embed_dim": 32, "mlp_ratio": 2, "hidden_size": width}
    return {
        **shared,
        "hidden_size": 32,
        "intermediate_size": 64,
        "out_hidden_size": width,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    }


def _memorise(
    model: Model, processor: Processor, items: Sequence[HubItem], prompt: Prompt, work: Path
) -> None:
    """Train a model on its pool until it gives the answers."""
    rows = preprocess(items, [trace_of(item) for item in items], processor, prompt)
    settings = SftSettings(
        max_steps=TEACHER_STEPS, batch_size=16, learning_rate=3e-3, save_every=10_000
    )
    work.mkdir(parents=True, exist_ok=True)
    train_sft(
        model, processor, rows, settings, order_seed=derive_seed("stand-in teacher"), work=work
    )
    shutil.rmtree(work, ignore_errors=True)


def save_as_published(model: Model, processor: Processor, folder: Path) -> None:
    """Save a checkpoint in the layout of the public ones.

    Their config is flat, and the image processor's is in a file of its own.
    """
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    text = config.pop("text_config")
    (folder / "config.json").write_text(json.dumps({**text, **config}, indent=2))
    set_usual_modes(folder)
    nested = folder / PROCESSOR
    if nested.is_file():
        content = json.loads(nested.read_text())["image_processor"]
        (folder / PREPROCESSOR).write_text(json.dumps(content, indent=2))
        nested.unlink()
