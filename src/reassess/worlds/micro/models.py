"""The world's models: two families at any width, made from config.

They are saved so that transformers' Auto classes load them offline.
"""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

from reassess.core.files import Json
from reassess.training.loading import Model, Processor, quiet
from reassess.worlds.micro.questions import FAMILIES, Question
from reassess.worlds.micro.scenes import ALL_COMBINATIONS, COLOURS, SHAPES
from reassess.worlds.tiny import position_sections, train_tokenizer

quiet()  # before the libraries below are imported

import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

VOCABULARY = 420
SIDE = 48  # pixels of an image
PATCH = 16  # one image token a cell
PAD, END = "<|pad|>", "<|im_end|>"
SPECIAL = (
    PAD,
    "<|im_start|>",
    END,
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
INITIALIZER_RANGE = 0.08  # at the usual 0.02, models this small hardly start to learn

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build_tokenizer(folder: Path) -> None:
    """Train the tokenizer on every text of the world, and save it."""
    tokenizer = train_tokenizer(corpus(), VOCABULARY, SPECIAL, pad=PAD, end=END, template=TEMPLATE)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    tokenizer.save_pretrained(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def corpus() -> list[str]:
    """Texts with every word of questions, of traces in all styles, and of scene descriptions."""
    questions = [
        Question(family, *pair).text
        for family in FAMILIES
        for pair in product([*COLOURS], [*COLOURS])
        if family != "shape"
    ]
    questions += [Question("both", *pair).text for pair in ALL_COMBINATIONS]
    questions += [Question("shape", shape).text for shape in SHAPES]
    lines = []
    states = [*map(str, range(10)), *(f"less{number}" for number in range(1, 10))]
    for (colour, shape), state in product(ALL_COMBINATIONS, states):
        lines += [
            f" {colour[0]}{shape[0]} {state} no {state}",
            f" {colour} {shape} {state} nothing {state}",
        ]
        lines += [
            f"{colour[0]}{shape[0]} {state}",
            f"{colour} {shape} {state}",
            f"no {state}",
            f"nothing {state}",
        ]
        lines += [f" Scene: {colour} {shape}, nothing, {colour} {shape}."]
    answers = [f". Answer: {word}" for word in [*map(str, range(10)), *COLOURS, "equal"]]
    return (
        questions * 4
        + lines
        + answers * 8
        + [f"user\n{text}" for text in questions]
        + ["assistant\nAnswer: 1"] * 50
    )


def build_model(family: str, width: int, seed: int, tokenizer_dir: Path) -> tuple[Model, Processor]:
    """A model with fresh weights, and its processor.

    Args:
        family: `llava` or `qwen3-vl`.
        width: hidden size d; two layers, two heads, MLP of 8d/3 rounded down to a multiple of 8.
        seed: of the initial weights.
        tokenizer_dir: the folder that `build_tokenizer` wrote.
    """
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir, local_files_only=True)
    torch.manual_seed(seed)
    model, processor = {"llava": _llava, "qwen3-vl": _qwen3_vl}[family](width, tokenizer)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, processor


def _text(width: int, tokenizer: PreTrainedTokenizerFast) -> Json:
    return {
        "hidden_size": width,
        "intermediate_size": int(8 * width / 3) // 8 * 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": width // 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "initializer_range": INITIALIZER_RANGE,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }


def _llava(width: int, tokenizer: PreTrainedTokenizerFast) -> tuple[Model, Processor]:
    vision = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=1,
        num_attention_heads=max(1, width // 32),
        image_size=SIDE,
        patch_size=PATCH,
        initializer_range=INITIALIZER_RANGE,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(**_text(width, tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        projector_hidden_act="gelu",
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
        initializer_range=INITIALIZER_RANGE,
    )
    images = CLIPImageProcessor(
        do_resize=False,
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        do_convert_rgb=True,
    )
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<|image_pad|>",
        chat_template=TEMPLATE,
    )
    return LlavaForConditionalGeneration(config), processor


def _qwen3_vl(width: int, tokenizer: PreTrainedTokenizerFast) -> tuple[Model, Processor]:
    head = width // 2
    text = _text(width, tokenizer) | {
        "rope_scaling": {
            "rope_type": "default",
            "mrope_section": position_sections(head),
            "mrope_interleaved": True,
        }
    }
    vision = {
        "depth": 1,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_heads": max(1, width // 32),
        "patch_size": PATCH // 2,
        "spatial_merge_size": 2,
        "temporal_patch_size": 1,
        "out_hidden_size": width,
        "num_position_embeddings": (2 * SIDE // PATCH) ** 2,
        "deepstack_visual_indexes": [0],
        "initializer_range": INITIALIZER_RANGE,
    }
    token = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
        initializer_range=INITIALIZER_RANGE,
    )
    budget = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}
    common = {
        "patch_size": PATCH // 2,
        "merge_size": 2,
        "temporal_patch_size": 1,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=budget, **common),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=budget, **common),
        chat_template=TEMPLATE,
    )
    return Qwen3VLForConditionalGeneration(config), processor
